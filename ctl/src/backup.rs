//! Backups of the hub's database: `larderctl backup …`.

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use larder_proto::{
    Words as _,
    pb::{
        Backup, BackupKind, CreateBackupRequest, ListBackupsRequest, ListBackupsResponse, RestoreBackupRequest,
        RestoreOutcome,
    },
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{
    Failure, Out,
    client::{Hub, long, quick},
    job,
    units::show_bytes,
    when,
};

/// How often it is looked whether the hub is back.
const LOOK: Duration = Duration::from_millis(500);
/// A year of readings takes a Pi minutes.
const PATIENCE: Duration = Duration::from_mins(60);

/// What `larderctl backup` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List backups, the newest first
    #[command(visible_alias = "ls")]
    List,
    /// Make a backup now
    Now {
        /// Do not wait until it is done: the hub goes on by itself
        #[arg(long)]
        no_wait: bool,
    },
    /// Replace everything in the hub's database by a backup; the hub stops for it and starts again
    Restore(RestoreArgs),
}

/// What to restore.
#[derive(Args, Clone, Debug)]
pub struct RestoreArgs {
    /// Its name, as `list` shows it
    pub name: String,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Restore another hub's backup too, which is gone for good; its recordings folder becomes this hub's
    #[arg(long)]
    pub take_over: bool,
    /// Restore also when what the database holds now cannot be kept
    #[arg(long)]
    pub discard: bool,
}

/// A backup, for programs.
#[derive(Clone, Debug, Serialize)]
struct View {
    name: String,
    kind: String,
    created_at: Option<Timestamp>,
    size_bytes: u64,
}

impl From<Backup> for View {
    fn from(backup: Backup) -> Self {
        Self {
            kind: BackupKind::word_of(backup.kind),
            created_at: when::from_wire(backup.created_at.as_ref()),
            name: backup.name,
            size_bytes: backup.size_bytes,
        }
    }
}

/// What was restored, for programs.
#[derive(Debug, Serialize)]
struct RestoredView {
    name: String,
    /// The backup of what was there before; absent where that is not known: the caller's access ended with the restore.
    kept: Option<String>,
}

/// Runs a command.
///
/// # Errors
///
/// The hub refuses or goes away; the backup or the restore failed.
pub async fn run(hub: &Hub, command: Command, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    match command {
        Command::List => {
            let views: Vec<_> = listed(hub).await?.backups.into_iter().map(View::from).collect();
            list(&views, out)
        }
        Command::Now { no_wait } => now(hub, no_wait, out, &stop).await,
        Command::Restore(args) => restore(hub, args, out, &stop).await,
    }
}

async fn listed(hub: &Hub) -> Result<ListBackupsResponse, Failure> {
    Ok(hub.backups().list_backups(quick(ListBackupsRequest {})).await?.into_inner())
}

fn list(views: &[View], out: &mut Out) -> Result<(), Failure> {
    if views.is_empty() && !out.is_json() {
        return out.line("no backups yet; make one: larderctl backup now");
    }
    let zone = out.zone().clone();
    out.list(views, &["NAME", "MADE", "SIZE", "WHY"], |view| {
        vec![
            view.name.clone(),
            view.created_at.map(|at| when::show(at, &zone)).unwrap_or_default(),
            show_bytes(view.size_bytes),
            view.kind.replace('_', " "),
        ]
    })
}

async fn now(hub: &Hub, no_wait: bool, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let answer = hub.backups().create_backup(quick(CreateBackupRequest {})).await?.into_inner();
    let begun = answer.job.unwrap_or_default();
    let id = begun.id.clone();
    let mut view = job::View::from(begun);
    if !no_wait {
        match job::follow(hub, &id, out, stop, |_, _| Ok(())).await? {
            Some(finished) => {
                job::check(&finished)?;
                view = finished;
            }
            None => out.note(&format!("The hub goes on with it: larderctl job watch {id}, larderctl job cancel {id}")),
        }
    }
    out.one(&view, |out| match view.done.filter(|_| view.finished_at.is_some()) {
        Some(bytes) => out.line(&format!("backed up the database: {}", show_bytes(bytes))),
        None => out.line(&format!("the backup goes on: larderctl job watch {id}")),
    })
}

async fn restore(hub: &Hub, args: RestoreArgs, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let RestoreArgs { name, yes, take_over, discard } = args;
    let found = listed(hub).await?.backups.into_iter().find(|backup| backup.name == name);
    let made = found.and_then(|backup| when::from_wire(backup.created_at.as_ref()));
    let Some(made) = made else {
        return Err(Failure::Other(format!("no such backup \"{name}\"; see: larderctl backup list")));
    };
    let lost = if discard { "is lost" } else { "is kept as a backup of its own" };
    let question = format!(
        "Replace everything in the hub's database by the backup of {}? What it holds now {lost}. The hub stops and starts \
         again; all sessions, tokens and links end.",
        when::show(made, out.zone())
    );
    out.confirm(&question, yes)?;
    let working = out.working("reading the backup");
    let request = RestoreBackupRequest { name: name.clone(), take_over, discard };
    let id = hub.backups().restore_backup(long(request)).await?.into_inner().id;
    drop(working);
    let working = out.working("the hub restores it");
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => {
            out.note("The hub goes on with it; its log says how it went.");
            return Ok(());
        }
        outcome = tokio::time::timeout(PATIENCE, outcome(hub, &id)) => match outcome {
            Ok(outcome) => outcome?,
            Err(_elapsed) => return Err(Failure::Other("the hub did not come back; see its log".to_owned())),
        },
    };
    drop(working);
    if let Some(outcome) = outcome.as_ref().filter(|outcome| !outcome.error.is_empty()) {
        return Err(Failure::Other(format!("{name} was not restored: {}", outcome.error)));
    }
    let kept = outcome.map(|outcome| outcome.kept).filter(|kept| !kept.is_empty());
    let view = RestoredView { name, kept };
    out.one(&view, |out| told(&view, out))
}

fn told(view: &RestoredView, out: &mut Out) -> Result<(), Failure> {
    out.line(&format!("restored {}", view.name))?;
    if let Some(kept) = &view.kept {
        out.line(&format!("to take it back: larderctl backup restore {kept}"))?;
    }
    out.line("Sessions, tokens and links are void. Sign in with your name and password of then, or on the hub's machine with:")?;
    out.line("  larderctl sign-in-link")?;
    out.line("and make programs new tokens with:")?;
    out.line("  larderctl token create NAME")
}

/// How it went, once the hub is back. `None`: it was restored, and the caller's token ended with that.
async fn outcome(hub: &Hub, id: &str) -> Result<Option<RestoreOutcome>, Failure> {
    loop {
        tokio::time::sleep(LOOK).await;
        match listed(hub).await {
            Ok(answer) => {
                if let Some(outcome) = answer.last_restore.filter(|outcome| outcome.id == id) {
                    return Ok(Some(outcome));
                }
            }
            Err(Failure::Refused(status)) if status.code() == Code::Unauthenticated => return Ok(None),
            // It is stopping, away, or starting.
            Err(Failure::Dial(_) | Failure::Lost(_) | Failure::Refused(_)) => {}
            Err(other) => return Err(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::Written;

    #[test]
    fn the_list_says_why_each_was_made() {
        let backup = |name: &str, kind: BackupKind, seconds| {
            View::from(Backup {
                name: name.to_owned(),
                kind: kind.into(),
                created_at: Some(prost_types::Timestamp { seconds, nanos: 0 }),
                size_bytes: 1_234_567,
            })
        };
        let written = Written::default();
        let views = [
            backup("before-restore-20261122T150000Z.dump", BackupKind::BeforeRestore, 1_795_359_600),
            backup("larder-20261122T140000Z.dump", BackupKind::Regular, 1_795_356_000),
        ];
        list(&views, &mut written.out(false)).expect("written");
        insta::assert_snapshot!(written.text(), @r"
        NAME                                  MADE                 SIZE    WHY
        before-restore-20261122T150000Z.dump  2026-11-22 15:00:00  1.2 MB  before restore
        larder-20261122T140000Z.dump          2026-11-22 14:00:00  1.2 MB  regular
        ");
    }

    #[test]
    fn who_restored_is_told_how_to_get_in_and_to_take_it_back() {
        let written = Written::default();
        let view = RestoredView { name: "a".to_owned(), kept: Some("b".to_owned()) };
        told(&view, &mut written.out(false)).expect("written");
        let text = written.text();
        assert!(text.contains("backup restore b") && text.contains("larderctl sign-in-link"), "{text}");
    }
}
