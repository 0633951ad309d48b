//! Making backups, and those that are none.

use std::{fs, os::unix::fs::PermissionsExt as _};

use larder_proto::pb;
use tokio_postgres::NoTls;
use tonic::Code;

use super::{add, back_up, cameras, files, names};
use crate::support::{Hub, until};

/// Changes rows behind the hub's back.
async fn change(hub: &Hub, sql: &str) {
    let mut config = tokio_postgres::Config::new();
    config.host_path(hub.state().join("postgres/run")).user("larder").dbname("postgres");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    let driven = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    driven.await.unwrap().unwrap();
}

async fn refusal(hub: &Hub, name: &str) -> tonic::Status {
    let request = pb::RestoreBackupRequest { name: name.to_owned(), ..Default::default() };
    hub.clients.backups.clone().restore_backup(request).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_made_when_there_is_none_and_only_the_newest_seven_stay() {
    let hub = Hub::start_with(&["backups.keep=7"]).await;
    let first = until("a backup without being asked", || async { names(&hub.clients).await.pop() }).await;
    let folder = hub.recordings().join("backups");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder.clone()), mode(folder.join(&first))), (0o700, 0o600));
    for day in 10..18 {
        fs::copy(folder.join(&first), folder.join(format!("larder-202001{day}T021500Z.dump"))).unwrap();
    }
    fs::write(folder.join("mine.txt"), "of a person").unwrap();
    // A name holds a second.
    until("the next second", || async { (back_up(hub.state()).await != first).then_some(()) }).await;
    let kept = names(&hub.clients).await;
    assert_eq!((kept.len(), &kept[6]), (7, &"larder-20200113T021500Z.dump".to_owned()).clone());
    assert!(kept.contains(&first), "{kept:?}");
    assert_eq!(files(&folder).len(), 8, "what the hub did not make stays");
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_cut_off_newer_or_another_hubs_is_refused_and_nothing_changes() {
    let hub = Hub::start().await;
    hub.add_named("fridge").await;
    let name = back_up(hub.state()).await;
    add(&hub.clients, "cellar").await;
    let folder = hub.recordings().join("backups");
    let whole = fs::read(folder.join(&name)).unwrap();

    let broken = "larder-20200101T000000Z.dump";
    for cut in [0, 4, whole.len() / 2, whole.len() - 1] {
        fs::write(folder.join(broken), &whole[..cut]).unwrap();
        let refused = refusal(&hub, broken).await;
        assert_eq!(refused.code(), Code::FailedPrecondition, "{cut} bytes: {refused}");
        assert!(refused.message().contains("is no whole backup"), "{refused}");
    }
    for unknown in ["larder-20200102T000000Z.dump", "../../etc/passwd", ""] {
        assert_eq!(refusal(&hub, unknown).await.code(), Code::NotFound);
    }

    change(&hub, "INSERT INTO refinery_schema_history VALUES (9999, 'of_tomorrow', 'now', '1')").await;
    let newer = "larder-20200103T000000Z.dump";
    fs::rename(folder.join(back_up(hub.state()).await), folder.join(newer)).unwrap();
    change(&hub, "DELETE FROM refinery_schema_history WHERE version = 9999").await;
    let refused = refusal(&hub, newer).await;
    assert!(refused.message().contains("made by a newer Larder: its schema is number 9999"), "{refused}");

    let ours = fs::read_to_string(hub.state().join("hub.id")).unwrap();
    change(&hub, "UPDATE hub SET hub_id = gen_random_uuid(), hub_name = 'pi-of-before'").await;
    let foreign = "larder-20200104T000000Z.dump";
    fs::rename(folder.join(back_up(hub.state()).await), folder.join(foreign)).unwrap();
    change(&hub, &format!("UPDATE hub SET hub_id = '{}'", ours.trim())).await;
    let refused = refusal(&hub, foreign).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("another hub's, pi-of-before") && refused.message().contains("--take-over"));

    assert_eq!(cameras(&hub.clients).await, ["cellar", "fridge"]);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_where_the_recordings_are_not_or_no_room_is() {
    let hub = Hub::start_with(&["backups.keep=7", "recordings.free_mib=1000000000"]).await;
    let part = async || {
        let status = hub.clients.system.clone().get_status(pb::GetStatusRequest {}).await.unwrap().into_inner();
        status.parts.into_iter().find(|part| part.name == "backups").unwrap()
    };
    let full = until("it to be told", || async { Some(part().await).filter(|part| !part.reason.is_empty()) }).await;
    assert_eq!((full.ready, full.reason.as_str()), (true, "disk_full"), "{full:?}");
    assert_eq!(files(&hub.recordings().join("backups")), [""; 0]);

    fs::rename(hub.recordings(), hub.state().join("away")).unwrap();
    fs::create_dir(hub.recordings()).unwrap();
    let job = hub.clients.backups.clone().create_backup(pb::CreateBackupRequest {}).await.unwrap().into_inner().job;
    let ended = hub.clients.ended(&job.unwrap().id).await;
    assert_eq!(ended.state(), pb::JobState::Failed);
    assert!(ended.error.contains("mount its disk"), "{}", ended.error);
    assert_eq!(part().await.reason, "folder");
    assert_eq!(files(&hub.recordings()), [""; 0]);
    hub.stop().await;
}
