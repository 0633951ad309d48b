//! What is left when a dump or a restore is ended in its middle: the old or the new, and no half of either.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use larder_proto::pb;

use super::{add, back_up, cameras, files, names};
use crate::{
    ctl::larderctl,
    support::{Home, postgres_programs, processes_of, until},
};

/// PostgreSQL's programs, one of which is replaced by a script as long as a file says so.
struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// `instead` is done where the file `how` is there, and knows the true program as `$program`.
    fn of(home: &mut Home, name: &str, instead: &str) -> Self {
        let folder = home.state().join("programs");
        fs::create_dir(&folder).unwrap();
        for entry in fs::read_dir(postgres_programs()).unwrap() {
            let path = entry.unwrap().path();
            std::os::unix::fs::symlink(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
        let (program, how) = (postgres_programs().join(name), folder.join("how"));
        let script = format!(
            "#!/bin/sh\nprogram={}\nif [ -e {how} ] && [ \"$1\" != --version ]; then\n{instead}\nfi\nexec $program \"$@\"\n",
            program.display(),
            how = how.display()
        );
        fs::remove_file(folder.join(name)).unwrap();
        fs::write(folder.join(name), script).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        home.set(format!("database.bin_dir={}", folder.display()));
        Self { folder }
    }

    fn replaced(&self, how: &str) {
        fs::write(self.folder.join("how"), how).unwrap();
    }

    fn right_again(&self) {
        fs::remove_file(self.folder.join("how")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_is_cancelled_or_killed_leaves_no_half_that_is_taken_for_a_whole() {
    let mut home = Home::new(&[]);
    let half = format!("printf half; exec sleep 1000 # {}", home.state().display());
    let programs = Programs::of(&mut home, "pg_dump", &half);
    let daemon = home.start();
    let clients = home.clients().await;
    let folder = home.recordings().join("backups");
    let begun = async || {
        let request = pb::CreateBackupRequest {};
        let job = clients.backups.clone().create_backup(request).await.unwrap().into_inner().job.unwrap();
        let is_half = |name: &String| fs::read(folder.join(name)).is_ok_and(|bytes| bytes == b"half");
        until("half a dump", || std::future::ready(files(&folder).iter().find(|name| is_half(name)).map(|_| ()))).await;
        job.id
    };
    programs.replaced("hang");
    let id = begun().await;
    let cancelled = clients.jobs.clone().cancel_job(pb::CancelJobRequest { id }).await.unwrap().into_inner();
    assert_eq!(cancelled.state(), pb::JobState::Cancelled);
    until("it to be cleared away", || std::future::ready(files(&folder).is_empty().then_some(()))).await;

    let id = begun().await;
    daemon.kill().await;
    assert!(files(&folder)[0].ends_with(".dump.part"));
    programs.right_again();
    let daemon = home.start();
    let clients = home.clients().await;
    // A job goes on where the hub was killed.
    assert_eq!(clients.ended(&id).await.state(), pb::JobState::Succeeded);
    assert_eq!(files(&folder), names(&clients).await);
    assert_eq!(files(&folder).len(), 1);
    daemon.stop().await;
    until("its programs to end", || std::future::ready(processes_of(home.state()).is_empty().then_some(()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_fails_or_is_killed_leaves_the_database_as_it_was() {
    let mut home = Home::new(&[]);
    // Half of what is restored, then a failure or nothing more; what only reads the backup is left alone.
    let half = "case \"$*\" in --schema*) $program \"$@\" | head -c 9000
[ $(cat ${0%/*}/how) = fail ] && { echo 'the disk broke' >&2; exit 1; }
touch ${0%/*}/hangs; exec sleep 1000;; esac";
    let programs = Programs::of(&mut home, "pg_restore", half);
    let daemon = home.start();
    let clients = home.clients().await;
    let name = back_up(home.state()).await;
    add(&clients, "cellar").await;

    programs.replaced("fail");
    let state = home.state().to_str().unwrap().to_owned();
    let words = ["backup", "restore", &name, "--yes"];
    let failed = larderctl(&state, &words).await.0.unwrap_err();
    assert!(
        failed.to_string().contains("was not restored") && failed.to_string().contains("the disk broke"),
        "{failed}"
    );
    let clients = home.clients().await;
    assert_eq!(cameras(&clients).await, ["cellar"]);

    programs.replaced("hang");
    let request = pb::RestoreBackupRequest { name: name.clone(), ..Default::default() };
    clients.backups.clone().restore_backup(request).await.unwrap();
    until("half a restore", || std::future::ready(programs.folder.join("hangs").exists().then_some(()))).await;
    daemon.kill().await;
    programs.right_again();
    let daemon = home.start();
    let clients = home.clients().await;
    assert_eq!(cameras(&clients).await, ["cellar"]);

    larderctl(&state, &words).await.0.unwrap();
    assert_eq!(cameras(&home.clients().await).await, [""; 0]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_kept_is_replaced_only_when_it_may_be_lost() {
    let mut home = Home::new(&[]);
    let programs = Programs::of(&mut home, "pg_dump", "echo 'invalid page' >&2; exit 1");
    let daemon = home.start();
    let clients = home.clients().await;
    let name = back_up(home.state()).await;
    add(&clients, "cellar").await;
    programs.replaced("fail");
    let state = home.state().to_str().unwrap().to_owned();
    let words = ["backup", "restore", &name, "--yes"];
    let refused = larderctl(&state, &words).await.0.unwrap_err().to_string();
    assert!(refused.contains("cannot be kept; --discard") && refused.contains("invalid page"), "{refused}");
    assert_eq!(cameras(&home.clients().await).await, ["cellar"]);
    larderctl(&state, &[&words[..], &["--discard"]].concat()).await.0.unwrap();
    assert_eq!(cameras(&home.clients().await).await, [""; 0]);
    daemon.stop().await;
}
