//! What is not what was recorded is found, told, and left out of playback; the rest plays.

use std::fs;

use larder_proto::pb;

use crate::support::{Clients, Home, record, runs};

async fn verify(clients: &Clients) -> Vec<pb::VerifyRecordingsResponse> {
    let request = pb::VerifyRecordingsRequest { camera: "fridge".to_owned(), range: None };
    let mut answers = clients.recordings.clone().verify_recordings(request).await.unwrap().into_inner();
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        all.push(answer);
    }
    all
}

async fn trouble(clients: &Clients) -> String {
    let status = clients.system.clone().get_status(pb::GetStatusRequest {}).await.unwrap().into_inner();
    let parts = status.parts.into_iter().map(|part| format!("{part:?}"));
    parts.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_costs_its_own_fragment_and_is_told() {
    let home = Home::new(&[]);
    let daemon = home.start();
    let clients = home.clients().await;
    let (camera, _) = record(&home, &clients, "fridge", 3).await;
    let whole = verify(&clients).await;
    let last = whole.last().unwrap();
    assert_eq!((last.segments, last.bytes, last.not_verifiable), (1, last.all_bytes, 0));
    assert!(whole.iter().all(|answer| answer.damaged.is_empty()));
    let before = clients.media(home.http(), "fridge", None).await.len();
    assert!(before >= 3);

    // In the middle of the pictures of the first fragment, which the player would show as garbage.
    let segment = runs(&home.recordings(), &camera.to_string())[0].segments[0].clone();
    let mut bytes = fs::read(&segment).unwrap();
    bytes[1500] ^= 0x10;
    fs::write(&segment, &bytes).unwrap();
    let found = verify(&clients).await;
    let damaged = found.last().unwrap().damaged.first().expect("it is named");
    assert_eq!((damaged.damaged, damaged.is_missing), (1, false));
    assert!(segment.ends_with(&damaged.path), "{}", damaged.path);
    assert_eq!(clients.media(home.http(), "fridge", None).await.len(), before - 1);
    assert!(trouble(&clients).await.contains("damaged"), "{}", trouble(&clients).await);

    // Also after a restart; and a file that was mended plays again.
    daemon.stop().await;
    let daemon = home.start();
    let clients = home.clients().await;
    assert_eq!(clients.media(home.http(), "fridge", None).await.len(), before - 1);
    bytes[1500] ^= 0x10;
    fs::write(&segment, &bytes).unwrap();
    assert!(verify(&clients).await.last().unwrap().damaged.is_empty());
    assert_eq!(clients.media(home.http(), "fridge", None).await.len(), before);
    assert!(!trouble(&clients).await.contains("damaged"));

    fs::remove_file(&segment).unwrap();
    let missing = verify(&clients).await;
    assert!(missing.last().unwrap().damaged[0].is_missing);
    daemon.stop().await;
}
