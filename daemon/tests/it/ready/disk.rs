//! Disks.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rustix::process::Signal;

use super::{Scene, not_ready, ready};
use crate::{
    loss::faults,
    support::{Home, Mounts, signal, until},
};

/// Recordings and database lie on it: what is written stays unsynced for as long as it hangs.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_is_named_by_all_who_write_to_it_until_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    // PostgreSQL's programs run as another user when this runs as root.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let library = faults(folder.path());
    let home = Home::new(&[]);
    let state = home.state().to_owned();
    let home = home
        .with_variable("LD_PRELOAD", library)
        .with_variable("LARDER_FAULTS", folder.path())
        .with_variable("LARDER_FAULTS_BELOW", &state);
    let scene = Scene::begin(&home).await;

    let hung = folder.path().join("hung");
    fs::write(&hung, "").unwrap();
    not_ready(&home, "recorder", "behind", "fridge").await;
    not_ready(&home, "database", "slow", "dmesg").await;
    not_ready(&home, "disk", "hung", home.recordings().to_str().unwrap()).await;
    assert!(lookers(scene.daemon.id()) <= 2, "one for each folder, however long it hangs");
    fs::remove_file(&hung).unwrap();
    scene.end(&home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_inodes_is_named_and_tried_again_in_silence_until_it_has_some() {
    let mounts = Mounts::new();
    let mut home = Home::new(&[]).wrapped(mounts.for_the_hub());
    let recordings = home.recordings();
    fs::create_dir(&recordings).unwrap();
    home.see_recordings_at(mounts.inside(&recordings));
    let place = recordings.to_str().unwrap();
    mounts.run(&["mount", "-t", "tmpfs", "-o", "size=40m,nr_inodes=200,mode=0755", "larder", place]);
    let scene = Scene::begin(&home).await;

    let full = home.recordings().join("full");
    fs::create_dir(&full).unwrap();
    let made = (0..).take_while(|n| fs::write(full.join(n.to_string()), "").is_ok()).count();
    assert!(made > 100, "{made} files");
    // The next run finds no place for its folder.
    scene.daemon.encoders().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    not_ready(&home, "disk", "no_inodes", place).await;
    not_ready(&home, "recorder", "no_inodes", place).await;
    until("recording to stop", || std::future::ready(scene.daemon.encoders().is_empty().then_some(()))).await;
    let errors = home.log().matches(" ERROR ").count();
    assert!(errors <= 4, "each is said once:\n{}", home.log());
    fs::remove_dir_all(&full).unwrap();
    ready(&home).await;
    until("recording to go on", || std::future::ready((!scene.daemon.encoders().is_empty()).then_some(()))).await;
    scene.end(&home).await;
}

/// The threads of a hub that look at its disks.
fn lookers(pid: u32) -> usize {
    let threads = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task")).unwrap();
    let name = |thread: &fs::DirEntry| fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
    threads.flatten().filter(|thread| name(thread).trim() == "disk").count()
}
