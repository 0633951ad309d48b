//! Many viewers, and many that come and go.

use std::{net::Ipv4Addr, time::Duration};

use tokio::task::JoinSet;

use super::{Scene, viewers};
use crate::support::{Dialer, FarViewer, Hub, get_with, hello, times, until};

/// Limits out of the way: all viewers come from this machine.
const ROOM: [&str; 2] = ["relay.max_connections_per_address=1000", "relay.handshakes_per_second_per_address=100000"];
const HEALTHY: usize = 90;
const STOPPED: usize = 10;

/// Reads until it has so many frames; how many of them came after a gap.
async fn read(viewer: FarViewer, most: usize) -> usize {
    let mut gaps = 0;
    for frame in 0..most {
        let (header, _) = FarViewer::frame_of(&viewer.connection).await.unwrap();
        gaps += usize::from(frame > 0 && header.skipped > 0);
    }
    gaps
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_that_stand_still_are_their_own_trouble_alone() {
    let scene = Scene::start_with(&ROOM, Some(5)).await;
    let (hub, token) = (&scene.hub, &scene.token);
    let lazy = Dialer::with(hub, Ipv4Addr::LOCALHOST, |transport| {
        transport.max_concurrent_uni_streams(1_u8.into()).stream_receive_window(4096_u16.into());
    });
    let mut stopped = Vec::new();
    for _ in 0..STOPPED {
        stopped.push(lazy.welcomed(token, "fridge").await.0);
    }
    let dialer = Dialer::new(hub);
    let mut healthy = JoinSet::new();
    for _ in 0..HEALTHY {
        let (viewer, _) = dialer.welcomed(token, "fridge").await;
        healthy.spawn(read(viewer, 20));
    }
    let gaps: usize = healthy.join_all().await.into_iter().sum();
    assert!(gaps < HEALTHY * 20 / 20, "the healthy ones lost pictures {gaps} times");
    let seen = until("skips", || async {
        let seen = viewers(hub).await;
        (seen.len() == STOPPED && seen.iter().all(|one| one.frames_skipped > 5)).then_some(seen)
    })
    .await;
    for one in seen {
        assert!(one.queued_bytes < 1 << 20, "{} bytes wait for one who does not read", one.queued_bytes);
        assert!(one.frames_delivered <= 2, "{} were delivered", one.frames_delivered);
    }
    drop(stopped);
    scene.stop().await;
}

/// Tasks that serve, by `/metrics`.
async fn tasks(hub: &Hub, bearer: &str) -> u64 {
    let page = get_with(hub.http(), "/metrics", &[("authorization", bearer)]).await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    let line = text.lines().find(|line| line.starts_with("larder_tasks{group=\"servers\"}")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Of this process, in bytes.
fn memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_that_come_and_go_leave_nothing_behind() {
    let cycles = times(300, 10_000);
    let scene = Scene::start_with(&ROOM, None).await;
    let (hub, token) = (&scene.hub, &scene.token);
    let bearer = format!("Bearer {token}");
    let dialer = Dialer::new(hub);
    let before = tasks(hub, &bearer).await;
    let mut settled = 0;
    for cycle in 0..cycles {
        match cycle % 4 {
            // Watches a picture and leaves.
            0 => {
                let (mut viewer, _) = dialer.welcomed(token, "fridge").await;
                viewer.frame().await;
                viewer.connection.close(0_u32.into(), b"");
            }
            // Leaves in the middle of everything.
            1 => drop(dialer.welcomed(token, "fridge").await),
            // Is not let in.
            2 => drop(dialer.with_hello(hello("wrong", "fridge")).await.ended().await),
            // Says nothing.
            _ => drop(dialer.dial().await.unwrap()),
        }
        if cycle == cycles / 3 {
            settled = memory();
        }
    }
    until("nobody to watch", || async { viewers(hub).await.is_empty().then_some(()) }).await;
    until("no task to be left", || async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        // The page's own connection is one more.
        (tasks(hub, &bearer).await <= before + 1).then_some(())
    })
    .await;
    let grown = memory().saturating_sub(settled);
    assert!(grown < 24 << 20, "{grown} bytes more after {cycles} cycles");
    scene.stop().await;
}
