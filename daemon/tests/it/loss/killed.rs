//! kill -9 of the hub, of its encoders and of its database, at any moment.

use std::time::Duration;

use jiff::Timestamp;
use larder_proto::pb::GapReason;
use rustix::process::Signal;

use super::{Chance, LOSS, NEAR, Watched, check_run};
use crate::support::{Habits, Home, postmaster, processes_of, signal, times, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_killed_at_any_moment_loses_the_open_fragment_and_one_more_at_most() {
    let given = std::env::var("LARDER_KILL_ROUNDS").ok().map(|rounds| rounds.parse().expect("a number of rounds"));
    let rounds = given.unwrap_or_else(|| times(16, 300));
    let mut chance = Chance::new();
    let (one, other) = (Chance(chance.below(u64::MAX) | 1), Chance(chance.below(u64::MAX) | 1));
    // Two hubs at once: most of a round is waiting for fragments.
    let (one, other) =
        tokio::join!(kill_again_and_again(rounds / 2, one), kill_again_and_again(rounds - rounds / 2, other));
    tell(rounds, [one, other].concat());
}

/// For `docs/durability.md`: what was lost of a camera by a kill.
#[expect(clippy::print_stdout, reason = "whoever measures reads it")]
fn tell(rounds: u32, mut lost: Vec<Duration>) {
    lost.sort_unstable();
    let at = |hundredth: usize| lost.get((lost.len() * hundredth / 100).min(lost.len().saturating_sub(1)));
    println!(
        "{rounds} rounds, {} losses: median {:?}, 90 of 100 below {:?}, 99 of 100 below {:?}, most {:?}",
        lost.len(),
        at(50),
        at(90),
        at(99),
        lost.last()
    );
}

/// What each kill cost each camera.
async fn kill_again_and_again(rounds: u32, mut chance: Chance) -> Vec<Duration> {
    let mut lost = Vec::new();
    let home = Home::new(&[]);
    let mut daemon = home.start();
    let clients = home.clients().await;
    let mut watched = Vec::new();
    for name in ["fridge", "freezer"] {
        watched.push(Watched::add(&home, &clients, name, Habits::default()).await);
    }
    for _ in 0..rounds {
        tokio::time::sleep(chance.millis(5_000)).await;
        let killed_at = Timestamp::now();
        if chance.below(3) == 0
            && let Some(pid) = postmaster(home.state())
        {
            signal(pid, Signal::KILL);
        }
        daemon.kill().await;
        // Half of them die once more on their way up.
        if chance.below(2) == 0 {
            daemon = home.start();
            tokio::time::sleep(chance.millis(1_200)).await;
            daemon.kill().await;
        }
        let open: Vec<_> = watched.iter().flat_map(|watched| watched.open_runs(&home)).collect();
        daemon = home.start();
        home.clients().await;
        for watched in &mut watched {
            until("what was open to be ended", || {
                let still = watched.open_runs(&home).into_iter().any(|run| open.contains(&run));
                std::future::ready((!still).then_some(()))
            })
            .await;
            lost.extend(watched.check_loss(&home, killed_at));
            watched.check(&home);
        }
    }
    for watched in &watched {
        until("recording to go on", || {
            let runs = watched.runs(&home);
            let newest = runs.last().filter(|run| run.end_reason().is_none() && !run.segments.is_empty());
            std::future::ready(newest.map(|_| ()))
        })
        .await;
    }
    for watched in &mut watched {
        watched.witness.stop().await;
    }
    daemon.stop().await;
    assert_eq!(processes_of(home.state()), Vec::<String>::new());
    let daemon = home.start();
    let clients = home.clients().await;
    for mut watched in watched {
        watched.check(&home);
        watched.check_rows(&home, &clients).await;
    }
    daemon.stop().await;
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_killed_at_any_moment_costs_its_camera_a_few_seconds_and_the_others_nothing() {
    let mut chance = Chance::new();
    let home = Home::new(&[]);
    // The encoder is tried again after 1, 2, 4... seconds: a hub that was started again counts from the beginning.
    for _ in 0..times(6, 300).div_ceil(6) {
        let daemon = home.start();
        let clients = home.clients().await;
        let mut watched = Vec::new();
        for name in ["one", "two", "three"] {
            let name = format!("{name}-{}", watched.len() + usize::try_from(chance.below(1 << 30)).unwrap());
            watched.push(Watched::add(&home, &clients, &name, Habits::default()).await);
        }
        let mut killed = Vec::new();
        for _ in 0..6 {
            tokio::time::sleep(chance.millis(3_000)).await;
            let encoders = until("an encoder", || {
                let encoders = daemon.encoders();
                std::future::ready((!encoders.is_empty()).then_some(encoders))
            })
            .await;
            let one = usize::try_from(chance.below(3)).unwrap() % encoders.len();
            killed.push(Timestamp::now());
            signal(encoders[one], Signal::KILL);
        }
        until("all to be recorded again", || std::future::ready((daemon.encoders().len() == 3).then_some(()))).await;
        let mut failed = 0;
        for watched in &mut watched {
            watched.check(&home);
            let gaps = clients.gaps_of(watched.camera).await;
            for run in watched.runs(&home).iter().filter(|run| run.end_reason() == Some("encoder_failed")) {
                failed += 1;
                let (_, end) = run.bounds();
                let after = killed
                    .iter()
                    .filter(|at| **at > run.bounds().0)
                    .min_by_key(|at| at.duration_since(end.unwrap()).abs());
                assert!(after.unwrap().duration_since(end.unwrap()) < LOSS, "{run:?}");
                assert!(gaps.iter().any(|gap| gap.reason() == GapReason::EncoderFailed), "{gaps:?}");
            }
        }
        // One that is killed before its first fragment leaves no run.
        assert!((1..=killed.len()).contains(&failed), "{failed} runs were ended by {} kills", killed.len());
        daemon.stop().await;
        for mut watched in watched {
            watched.check(&home);
            watched.witness.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_killed_again_and_again_does_not_touch_what_is_recorded_and_hears_of_all_of_it() {
    let mut chance = Chance::new();
    let home = Home::new(&[]);
    let daemon = home.start();
    let clients = home.clients().await;
    let mut watched = Watched::add(&home, &clients, "fridge", Habits::default()).await;
    until("recording", || std::future::ready((!daemon.encoders().is_empty()).then_some(()))).await;
    for _ in 0..times(4, 300) {
        tokio::time::sleep(chance.millis(2_500)).await;
        let pid = until("a server", || std::future::ready(postmaster(home.state()))).await;
        signal(pid, Signal::KILL);
        until("another server", || std::future::ready(postmaster(home.state()).filter(|other| *other != pid))).await;
    }
    until("the rows of everything that is on disk", || async {
        let runs = watched.runs(&home);
        let request = larder_proto::pb::ListRecordingsRequest::default();
        let rows = clients.recordings.clone().list_recordings(request).await.ok()?.into_inner().recordings;
        (!rows.is_empty() && rows.len() == runs.len() && rows[0].fragments >= 2).then_some(())
    })
    .await;
    daemon.stop().await;
    let runs = watched.runs(&home);
    assert_eq!(runs.len(), 1, "recording was not interrupted: {}", home.log());
    let held = check_run(&runs[0], &watched.witness.stop().await, NEAR);
    assert!(held > 20, "{held} pictures");
    let daemon = home.start();
    watched.check_rows(&home, &home.clients().await).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_stands_still_for_two_seconds_loses_no_picture_and_no_time() {
    let home = Home::new(&[]);
    let daemon = home.start();
    let clients = home.clients().await;
    // 20 pictures a second.
    let habits = Habits { interval_ms: (35, 65), ..Habits::default() };
    let mut watched = Watched::add(&home, &clients, "fridge", habits).await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(2_700)).await;
        let encoders = daemon.encoders();
        assert_eq!(encoders.len(), 1);
        signal(encoders[0], Signal::STOP);
        tokio::time::sleep(Duration::from_secs(2)).await;
        signal(encoders[0], Signal::CONT);
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    daemon.stop().await;
    let runs = watched.runs(&home);
    assert_eq!(runs.len(), 1, "{}", home.log());
    let sent = watched.witness.stop().await;
    let held = check_run(&runs[0], &sent, Duration::from_millis(5));
    assert!(held + 5 > sent.len(), "{held} of {} pictures", sent.len());
}
