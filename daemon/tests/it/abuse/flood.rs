//! Sheer numbers.

use std::time::Duration;

use larder_proto::wire::camera::ByeReason;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use super::{House, bye, hello};
use crate::support::until;

const FLOOD: u64 = 600;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_connections_is_turned_away_in_a_line_or_two_and_leaves_nothing_behind() {
    let house = House::start(&["camera_link.max_unproven_per_address=4"]).await;
    let dial = house.add("late").await;
    let before = house.descriptors();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(house.stranger().await);
    }
    // The last of those held is accepted before the first of the flood.
    let mut flood = JoinSet::new();
    let said = hello(dial.camera);
    for number in 0..FLOOD {
        let (link, said) = (house.link.clone(), said.clone());
        flood.spawn(async move {
            let mut stream = TcpStream::connect(link).await.unwrap();
            // Some say something first, as cameras do.
            if number % 2 == 0 {
                let _ = stream.write_all(&said).await;
            }
            stream
        });
        if number % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let streams = flood.join_all().await;
    house.refused("busy", FLOOD).await;
    house.goes_on().await;
    let lines = house.log(&["a camera was refused", "reason=\"busy\""]);
    assert!((1..=2).contains(&lines.len()), "{lines:#?}");
    drop((held, streams));

    // Once the crowd is gone, who is turned away hears why, although it has said something already.
    let reason = until("somebody to be told", || async {
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(house.stranger().await);
        }
        let mut late = house.stranger().await;
        late.write_all(&said).await.unwrap();
        // Without a word, it is cut off: too many are being told.
        let told = late.readable().await.is_ok() && late.peek(&mut [0; 24]).await.ok()? == 24;
        if told { Some(bye(&mut late).await) } else { None }
    })
    .await;
    assert_eq!(reason, ByeReason::Busy);
    let link = until("room for a camera", || async { house.dial(&dial).await.ok() }).await;
    drop(link);
    // A few of them are of the questions that this test asks itself.
    until("the hub to close all of it", || async { (house.descriptors() <= before + 4).then_some(()) }).await;
    house.end_undisturbed().await;
}
