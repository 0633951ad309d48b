//! Long work that the hub does by itself: `larderctl job …`.

use clap::Subcommand;
use jiff::Timestamp;
use larder_proto::{
    Words as _,
    pb::{CancelJobRequest, Job, JobState, ListJobsRequest, WatchJobsRequest},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    Failure, Out,
    client::{Hub, next, quick},
    pages,
    progress::Progress,
    when,
};

/// What `larderctl job` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List jobs, the newest first
    #[command(visible_alias = "ls")]
    List {
        /// Only of this kind, for example recording_deletion
        #[arg(long)]
        kind: Option<String>,
        /// Finished ones too
        #[arg(long)]
        all: bool,
        /// So many at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Watch a job until it is finished, or all jobs until Ctrl-C
    Watch {
        /// Its id, or the beginning of it [default: all jobs]
        job: Option<String>,
    },
    /// End a job where it stands; what it has done stays done
    Cancel {
        /// Its id, or the beginning of it
        job: String,
    },
}

/// A job, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in jobs.proto")]
pub struct View {
    pub id: String,
    pub kind: String,
    pub title: String,
    pub state: String,
    pub done: Option<u64>,
    pub total: Option<u64>,
    pub unit: Option<String>,
    pub attempts: u32,
    pub error: String,
    pub created_at: Option<Timestamp>,
    pub next_attempt_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub priority: u32,
}

impl From<Job> for View {
    fn from(job: Job) -> Self {
        let (done, total, unit) = match job.progress {
            Some(progress) => (Some(progress.done), Some(progress.total), Some(progress.unit)),
            None => (None, None, None),
        };
        Self {
            state: JobState::word_of(job.state),
            created_at: when::from_wire(job.created_at.as_ref()),
            next_attempt_at: when::from_wire(job.next_attempt_at.as_ref()),
            finished_at: when::from_wire(job.finished_at.as_ref()),
            id: job.id,
            kind: job.kind,
            title: job.title,
            done,
            total,
            unit,
            attempts: job.attempts,
            error: job.error,
            priority: job.priority,
        }
    }
}

impl View {
    /// How far it is: `120 of 4000 segments`.
    fn how_far(&self) -> String {
        let Some(done) = self.done else { return String::new() };
        let unit = self.unit.as_deref().unwrap_or_default();
        let of = self.total.filter(|total| *total > 0).map(|total| format!(" of {total}")).unwrap_or_default();
        format!("{done}{of} {unit}").trim_end().to_owned()
    }
}

/// Runs a command.
///
/// # Errors
///
/// The hub refuses or goes away; a watched job failed.
pub async fn run(hub: &Hub, command: Command, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    match command {
        Command::List { kind, all, limit } => list(hub, kind.unwrap_or_default(), !all, limit, out).await,
        Command::Watch { job: Some(job) } => {
            let id = find(hub, &job).await?;
            let finished =
                follow(hub, &id, out, &stop, |view, out| if out.is_json() { out.json_line(view) } else { Ok(()) });
            finished.await?.map_or(Ok(()), |view| end(&view, out))
        }
        Command::Watch { job: None } => watch_all(hub, out, stop).await,
        Command::Cancel { job } => {
            let id = find(hub, &job).await?;
            let job = hub.jobs().cancel_job(quick(CancelJobRequest { id })).await?.into_inner();
            let view = View::from(job);
            out.one(&view, |out| {
                let how_far = Some(view.how_far()).filter(|how_far| !how_far.is_empty());
                let done = how_far.map(|how_far| format!("; it had done {how_far}")).unwrap_or_default();
                out.line(&format!("cancelled: {}{done}", view.title))
            })
        }
    }
}

async fn list(hub: &Hub, kind: String, unfinished_only: bool, limit: usize, out: &mut Out) -> Result<(), Failure> {
    let jobs = pages::up_to(limit.max(1), async |page_size, page_token| {
        let request = ListJobsRequest { kind: kind.clone(), unfinished_only, page_size, page_token };
        let page = hub.jobs().list_jobs(quick(request)).await?.into_inner();
        Ok((page.jobs, page.next_page_token))
    });
    let views: Vec<_> = jobs.await?.0.into_iter().map(View::from).collect();
    if views.is_empty() && !out.is_json() {
        return out.line(if unfinished_only { "nothing is under way; --all lists finished jobs" } else { "no jobs" });
    }
    let zone = out.zone().clone();
    out.list(&views, &["JOB", "MADE", "STATE", "DONE", "TRIES", "WHAT", "ERROR"], |view| {
        vec![
            view.id.clone(),
            view.created_at.map(|at| when::show(at, &zone)).unwrap_or_default(),
            view.state.clone(),
            view.how_far(),
            view.attempts.to_string(),
            view.title.clone(),
            view.error.clone(),
        ]
    })
}

/// The id of the job whose id begins so.
async fn find(hub: &Hub, wanted: &str) -> Result<String, Failure> {
    if wanted.parse::<uuid::Uuid>().is_ok() {
        return Ok(wanted.to_owned());
    }
    let jobs = pages::all(async |page_size, page_token| {
        let request = ListJobsRequest { page_size, page_token, ..Default::default() };
        let page = hub.jobs().list_jobs(quick(request)).await?.into_inner();
        Ok((page.jobs, page.next_page_token))
    });
    let jobs = jobs.await?;
    let mut found = jobs.into_iter().map(|job| job.id).filter(|id| id.starts_with(wanted));
    match (found.next(), found.next()) {
        (Some(id), None) if !wanted.is_empty() => Ok(id),
        (None, _) => Err(Failure::Other(format!("no job {wanted:?}; see: larderctl job list --all"))),
        _ => Err(Failure::Usage(format!("{wanted:?} is not one job only; write more of its id"))),
    }
}

/// Shows how far a job is until it is finished; `None` when `stop` comes first. `each` is told of every change.
///
/// # Errors
///
/// The hub refuses or goes away, or `each` fails.
pub async fn follow(
    hub: &Hub,
    id: &str,
    out: &mut Out,
    stop: &CancellationToken,
    mut each: impl FnMut(&View, &mut Out) -> Result<(), Failure>,
) -> Result<Option<View>, Failure> {
    let mut stream = hub.jobs().watch_jobs(WatchJobsRequest { id: id.to_owned() }).await?.into_inner();
    let bar = Progress::of_count(out);
    loop {
        let Some(job) = next(&mut stream, stop).await? else { return Ok(None) };
        let view = View::from(job);
        bar.of(view.total.unwrap_or_default());
        bar.set(view.done.unwrap_or_default());
        bar.at(if view.error.is_empty() { view.title.clone() } else { format!("{}: {}", view.title, view.error) });
        each(&view, out)?;
        if view.finished_at.is_some() {
            return Ok(Some(view));
        }
    }
}

/// Whether a finished job succeeded.
///
/// # Errors
///
/// It failed, or was cancelled.
pub fn check(view: &View) -> Result<(), Failure> {
    match view.state.as_str() {
        "succeeded" => Ok(()),
        "cancelled" => Err(Failure::Other(format!("cancelled: {}", view.title))),
        state => Err(Failure::Other(format!("{state}: {}: {}", view.title, view.error))),
    }
}

fn end(view: &View, out: &mut Out) -> Result<(), Failure> {
    check(view)?;
    let how_far = view.how_far();
    let how_far = if how_far.is_empty() { how_far } else { format!(" ({how_far})") };
    if out.is_json() { Ok(()) } else { out.line(&format!("done: {}{how_far}", view.title)) }
}

async fn watch_all(hub: &Hub, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    let mut stream = hub.jobs().watch_jobs(WatchJobsRequest::default()).await?.into_inner();
    loop {
        let Some(job) = next(&mut stream, &stop).await? else { return Ok(()) };
        let view = View::from(job);
        if out.is_json() {
            out.json_line(&view)?;
            continue;
        }
        let (at, how_far) = (when::show(out.now(), out.zone()), view.how_far());
        let error = if view.error.is_empty() { String::new() } else { format!("  ({})", view.error) };
        out.line(&format!("{at}  {}  {:<9}  {how_far:<24}  {}{error}", view.id, view.state, view.title))?;
    }
}

#[cfg(test)]
mod tests {
    use larder_proto::pb::job::Progress;

    use super::*;
    use crate::output::tests::Written;

    fn job(state: JobState, progress: Option<(u64, u64)>) -> View {
        let progress = progress.map(|(done, total)| Progress { done, total, unit: "segments".into() });
        View::from(Job {
            title: "delete it".into(),
            state: state.into(),
            progress,
            error: "full".into(),
            ..Job::default()
        })
    }

    #[test]
    fn how_far_a_job_is_reads_as_a_sentence() {
        assert_eq!(job(JobState::Running, None).how_far(), "");
        assert_eq!(job(JobState::Running, Some((120, 4000))).how_far(), "120 of 4000 segments");
        assert_eq!(job(JobState::Running, Some((120, 0))).how_far(), "120 segments");
    }

    #[test]
    fn only_a_job_that_succeeded_is_a_success() {
        let written = Written::default();
        let mut out = written.out(false);
        end(&job(JobState::Succeeded, Some((7, 7))), &mut out).expect("a success");
        assert_eq!(written.text(), "done: delete it (7 of 7 segments)\n");
        let failed = end(&job(JobState::Failed, None), &mut out).expect_err("a failure");
        assert!(failed.to_string().contains("full"), "{failed}");
        assert!(end(&job(JobState::Cancelled, None), &mut out).is_err());
    }
}
