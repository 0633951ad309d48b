//! Who has no key and would be taken for one who has.

use larder_ctl::simulate::Dial;
use larder_proto::wire::camera::{ByeReason, HEADER_LEN, PROOF_LEN};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Forger, House, bye, header, hello};
use crate::support::Pictures;

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_no_proof_is_taken_whoever_made_it() {
    let house = House::start(&[]).await;
    let dial = house.add("fridge").await;
    let id = dial.camera.to_string();

    // A board with an old key: it finds out by itself, and says so.
    let refused = house.dial(&Dial::new(dial.camera, [1; 32])).await.err().unwrap();
    assert!(refused.is_refusal(), "{refused}");
    house.refused("unproven", 1).await;
    house.said_once(&["WARN", "a camera was refused", "reason=\"unproven\"", &id]);

    // One that goes on although the hub has proven nothing to it, and one that sends the hub's own proof back.
    for reflects in [false, true] {
        let mut stream = house.stranger().await;
        stream.write_all(&hello(dial.camera)).await.unwrap();
        let mut challenge = [0; HEADER_LEN + 57];
        stream.read_exact(&mut challenge).await.unwrap();
        let proof = if reflects { &challenge[HEADER_LEN + 25..] } else { &[0; PROOF_LEN] };
        stream.write_all(&[&header(3, 1, 32), proof].concat()).await.unwrap();
        assert_eq!(bye(&mut stream).await, ByeReason::Unproven);
    }
    house.refused("unproven", 3).await;

    // The whole CHALLENGE comes back.
    let mut stream = house.stranger().await;
    stream.write_all(&hello(dial.camera)).await.unwrap();
    let mut challenge = [0; HEADER_LEN + 57];
    stream.read_exact(&mut challenge).await.unwrap();
    stream.write_all(&challenge).await.unwrap();
    assert_eq!(bye(&mut stream).await, ByeReason::Unexpected);
    house.refused("unexpected", 1).await;
    house.said_once(&["WARN", "a camera was refused", "reason=\"unproven\""]);
    assert_eq!(house.log(&["a camera is connected", &id]), Vec::<String>::new());
    house.end_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_session_is_worth_nothing() {
    let house = House::start(&[]).await;
    let dial = house.add("fridge").await;
    let mut forger = Forger::prove(&house, &dial).await;
    let frame = forger.frame(&Pictures::new(320, 240).take());
    forger.send(&frame).await;
    let camera = format!("larder_camera_frames_total{{camera=\"{}\"}}", dial.camera);
    house.counts(&camera, 1).await;
    let (recorded, challenge) = (forger.sent.clone(), forger.challenge.clone());

    // The same message once more, in the same session.
    forger.send(&frame).await;
    assert_eq!(bye(&mut forger.stream).await, ByeReason::OutOfSequence);
    house.ended("out-of-sequence", 1).await;

    // Everything once more.
    let mut stream = house.stranger().await;
    stream.write_all(&recorded).await.unwrap();
    assert_eq!(bye(&mut stream).await, ByeReason::Unproven);
    house.refused("unproven", 1).await;

    // The frame, in the place of a new session's first message: its number is right, its key is not.
    let mut forger = Forger::prove(&house, &dial).await;
    forger.send(&frame).await;
    assert_eq!(bye(&mut forger.stream).await, ByeReason::BadMac);
    // What the hub itself said: its PING has the very number that the camera's next message has.
    let mut forger = Forger::prove(&house, &dial).await;
    let ping = forger.heard().await;
    assert_eq!((ping[4], &ping[8..12]), (48, &[0, 0, 0, 2][..]), "a PING, number 2");
    forger.send(&ping).await;
    assert_eq!(bye(&mut forger.stream).await, ByeReason::BadMac);
    house.ended("bad-mac", 2).await;
    assert_eq!(house.log(&["a camera's session ended", "reason=\"bad-mac\""]).len(), 2);
    assert_ne!(forger.challenge, challenge, "the hub never says the same again");

    assert_eq!(house.pictures(dial.camera).await, 1, "no frame came twice");
    house.end_undisturbed().await;
}
