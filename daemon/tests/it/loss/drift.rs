//! Cameras whose clocks are wrong.

use std::time::Duration;

use super::{Watched, check_run};
use crate::support::{Habits, Home, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_drifts_or_jumps_moves_no_picture() {
    let home = Home::new(&[]);
    let daemon = home.start();
    let clients = home.clients().await;
    // A bad crystal both ways; a clock that is set ahead by an hour, and one that is set back by a minute.
    let hour = Some((Duration::from_secs(6), 3_600_000_000));
    let minute = Some((Duration::from_secs(6), -60_000_000));
    let habits = [(50, None), (-50, None), (0, hour), (0, minute)];
    let mut watched = Vec::new();
    for (n, (drift_ppm, step)) in habits.into_iter().enumerate() {
        let habits = Habits { drift_ppm, step, ..Habits::default() };
        watched.push(Watched::add(&home, &clients, &format!("camera-{n}"), habits).await);
    }
    until("14 seconds of pictures", || {
        std::future::ready(watched.iter().all(|watched| watched.witness.sent().len() > 100).then_some(()))
    })
    .await;
    daemon.stop().await;
    for (n, mut watched) in watched.into_iter().enumerate() {
        let runs = watched.runs(&home);
        assert_eq!(runs.len(), 1, "camera-{n}: {}", home.log());
        let sent = watched.witness.stop().await;
        // Behind a jump the map begins anew, and a delay of the line counts until a shorter one is seen.
        let near = if habits[n].1.is_some() { 20 } else { 5 };
        let held = check_run(&runs[0], &sent, Duration::from_millis(near));
        assert!(held + 5 > sent.len(), "{held} of {}", sent.len());
    }
}
