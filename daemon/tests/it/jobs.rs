//! Long work goes on by itself: over gRPC, by `larderctl`, and over a killed hub.

use larder_proto::pb::{self, JobState};
use tonic::Code;
use uuid::Uuid;

use crate::{
    ctl::larderctl,
    support::{Home, Hub, until},
};

/// A deletion that failed once and waits, as a row says it.
async fn left_waiting(state: &std::path::Path, title: &str, pause: &str) -> String {
    let id = Uuid::now_v7().to_string();
    let sql = "INSERT INTO jobs (id, kind, lane, title, input, created_at, attempts, next_attempt_at, error)
               VALUES ($1, 'recording_deletion', $2, $2, '{\"runs\": []}', now(), 1, now() + $3::text::interval, 'full')";
    let mut config = tokio_postgres::Config::new();
    config.host_path(state.join("postgres/run")).user("larder").dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let driven = tokio::spawn(connection);
    client.execute(sql, &[&id.parse::<Uuid>().unwrap(), &title, &pause]).await.unwrap();
    drop(client);
    driven.await.unwrap().unwrap();
    id
}

async fn list(hub: &Hub, request: pb::ListJobsRequest) -> Result<pb::ListJobsResponse, tonic::Status> {
    Ok(hub.clients.jobs.clone().list_jobs(request).await?.into_inner())
}

#[tokio::test]
async fn jobs_are_listed_page_by_page_watched_and_cancelled() {
    let hub = Hub::start().await;
    let mut ids = Vec::new();
    for title in ["first", "second", "third"] {
        ids.push(left_waiting(hub.state(), title, "5 min").await);
    }
    ids.reverse();
    let unfinished = |page_size, page_token| pb::ListJobsRequest {
        unfinished_only: true,
        page_size,
        page_token,
        ..Default::default()
    };
    until("all to be taken", || async {
        (list(&hub, unfinished(0, String::new())).await.unwrap().jobs.len() == 3).then_some(())
    })
    .await;
    for only_unfinished in [true, false] {
        let request = |token| pb::ListJobsRequest { unfinished_only: only_unfinished, ..unfinished(2, token) };
        let page = list(&hub, request(String::new())).await.unwrap();
        let rest = list(&hub, request(page.next_page_token.clone())).await.unwrap();
        let listed: Vec<_> = page.jobs.iter().chain(&rest.jobs).map(|job| job.id.clone()).collect();
        assert_eq!((&listed, rest.next_page_token.as_str()), (&ids, ""), "the newest first");
    }
    for junk in ["x", "AAAAAAAA", &ids[0]] {
        assert_eq!(list(&hub, unfinished(2, junk.to_owned())).await.unwrap_err().code(), Code::InvalidArgument);
    }
    assert_eq!(list(&hub, unfinished(-1, String::new())).await.unwrap_err().code(), Code::InvalidArgument);

    let jobs = hub.clients.jobs.clone();
    let watch = pb::WatchJobsRequest { id: ids[0].clone() };
    let mut states = jobs.clone().watch_jobs(watch).await.unwrap().into_inner();
    let waiting = states.message().await.unwrap().unwrap();
    assert_eq!((waiting.state(), waiting.error.as_str(), waiting.attempts), (JobState::Waiting, "full", 1));
    assert!(waiting.next_attempt_at.is_some());
    let cancel = |id: &str| pb::CancelJobRequest { id: id.to_owned() };
    assert_eq!(jobs.clone().cancel_job(cancel(&ids[0])).await.unwrap().into_inner().state(), JobState::Cancelled);
    let last = states.message().await.unwrap().unwrap();
    assert_eq!((last.state(), last.next_attempt_at), (JobState::Cancelled, None));
    assert_eq!(states.message().await.unwrap(), None, "there is nothing more to watch");
    assert_eq!(jobs.clone().cancel_job(cancel(&ids[0])).await.unwrap_err().code(), Code::FailedPrecondition);
    let nobody = Uuid::now_v7().to_string();
    assert_eq!(jobs.clone().cancel_job(cancel(&nobody)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(jobs.clone().cancel_job(cancel("x")).await.unwrap_err().code(), Code::InvalidArgument);
    hub.stop().await;
}

#[tokio::test]
async fn larderctl_lists_and_cancels_jobs_by_the_beginning_of_their_id() {
    let hub = Hub::start().await;
    let state = hub.state().to_str().unwrap().to_owned();
    let done = async |words: &[&str]| {
        let (ended, text) = larderctl(&state, words).await;
        ended.map(|()| text)
    };
    assert_eq!(done(&["job", "list"]).await.unwrap(), "nothing is under way; --all lists finished jobs\n");
    let id = left_waiting(hub.state(), "delete 300 recordings", "5 min").await;
    let listed = until("it to be listed", || async {
        done(&["job", "list"]).await.ok().filter(|text| text.contains("delete 300 recordings"))
    })
    .await;
    assert!(listed.contains(&id) && listed.contains("waiting") && listed.contains("full"), "{listed}");
    let text = done(&["job", "cancel", &id[..13]]).await.unwrap();
    assert_eq!(text, "cancelled: delete 300 recordings\n");
    let watched = done(&["job", "watch", &id]).await.unwrap_err();
    assert!(watched.to_string().contains("cancelled"), "{watched}");
    let all: serde_json::Value =
        serde_json::from_str(&done(&["--json", "job", "list", "--all"]).await.unwrap()).unwrap();
    assert_eq!((&all[0]["state"], &all[0]["id"]), (&"cancelled".into(), &id.into()));
    let unknown = done(&["job", "cancel", "ffff"]).await.unwrap_err();
    assert!(unknown.to_string().contains("larderctl job list --all"), "{unknown}");
    hub.stop().await;
}

#[tokio::test]
async fn many_recordings_are_deleted_with_their_files() {
    let words = ["--json", "bench", "deletion", "--recordings", "300", "--larderd", env!("CARGO_BIN_EXE_larderd")];
    let (ended, text) = larderctl("/nowhere", &words).await;
    ended.unwrap_or_else(|failure| panic!("{}", failure.explain()));
    // It fails by itself when a row or a file is left.
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["recordings"], 300);
}

#[tokio::test]
async fn a_job_whose_time_comes_while_the_hub_is_dead_is_done_by_the_next() {
    let home = Home::new(&[]);
    let daemon = home.start();
    let clients = home.clients().await;
    let id = left_waiting(home.state(), "delete nothing", "2 s").await;
    let request = || pb::GetJobRequest { id: id.clone() };
    until("it to be taken", || async { clients.jobs.clone().get_job(request()).await.ok() }).await;
    daemon.kill().await;
    let daemon = home.start();
    let done = home.clients().await.ended(&id).await;
    assert_eq!((done.state(), done.attempts, done.error.as_str()), (JobState::Succeeded, 2, ""));
    daemon.stop().await;
}
