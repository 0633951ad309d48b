//! Lines that stall and viewers that move.

use std::{
    cell::RefCell,
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use larder_ctl::bench::impair::{Conditions, DatagramProxy, Link};
use larder_proto::{
    pb,
    wire::relay::{Hello, HubMessage, LimitedBy, Rate, ViewerMessage, Wish},
};

use super::{Scene, viewers};
use crate::support::{Dialer, Hub, hello, until};

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stall_comes_the_newest_picture_and_what_was_missed_is_told() {
    let scene = Scene::at(20).await;
    let (hub, token) = (&scene.hub, &scene.token);
    // Takes two pictures that it does not read, and no more.
    let dialer = Dialer::with(hub, Ipv4Addr::LOCALHOST, |transport| {
        transport.max_concurrent_uni_streams(2_u8.into());
    });
    let (mut viewer, _) = dialer.welcomed(token, "fridge").await;
    let first = viewer.frame().await.0;
    let seen = until("a stall", || async {
        let seen = viewers(hub).await.remove(0);
        (seen.frames_skipped > 40).then_some(seen)
    })
    .await;
    let most = 16 * 200_000;
    assert!(seen.queued_bytes < most, "what waits for one who does not read is bounded: {}", seen.queued_bytes);

    let newest = u64::try_from(hub_frames(hub).await).unwrap();
    let mut frames = vec![(first.sequence, first.skipped)];
    while frames.len() < 20 {
        let header = viewer.frame().await.0;
        frames.push((header.sequence, header.skipped));
    }
    frames.sort_unstable();
    let told: u64 = frames[1..].iter().map(|(_, skipped)| 1 + u64::from(*skipped)).sum();
    assert_eq!(frames[0].0 + told, frames[19].0, "what is missing was told: {frames:?}");
    let stale = frames.iter().filter(|(sequence, _)| *sequence < newest).count();
    assert!(stale <= 6, "what was on its way, and then the newest: {frames:?}, {newest}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_stands_still_is_sent_fewer_pictures_then_smaller_ones_and_more_when_it_is_back() {
    let scene = Scene::at(20).await;
    let (hub, token) = (&scene.hub, &scene.token);
    let dialer = Dialer::with(hub, Ipv4Addr::LOCALHOST, |transport| {
        transport.max_concurrent_uni_streams(2_u8.into());
    });
    let (mut viewer, _) = dialer.welcomed(token, "fridge").await;
    // Long enough for the hub to know what the line carried.
    let mut whole = viewer.frame().await.0;
    for _ in 0..60 {
        whole = viewer.frame().await.0;
    }
    let steps = RefCell::new(Vec::new());
    until("smaller pictures", || async {
        let limits = viewers(hub).await.remove(0).limits?;
        assert!(limits.by_line);
        let step = (limits.fps.unwrap(), limits.width);
        let mut steps = steps.borrow_mut();
        if steps.last() != Some(&step) {
            steps.push(step);
        }
        step.1
    })
    .await;
    let half = Some(u32::from(whole.width) / 2);
    // Where nothing gets through, lower rates are passed over.
    assert_eq!(*steps.borrow(), [(10.0, None), (2.0, half)], "the rate first, and then the size");

    while !viewer.frame().await.0.is_scaled {}
    let back = loop {
        let header = viewer.frame().await.0;
        if !header.is_scaled {
            break header;
        }
    };
    assert_eq!((back.width, back.height), (whole.width, whole.height));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_too_thin_for_whole_pictures_carries_small_ones() {
    let scene = Scene::start().await;
    let (hub, token) = (&scene.hub, &scene.token);
    let (mut near, _) = Dialer::new(hub).welcomed(token, "fridge").await;
    let (whole, jpeg) = near.frame().await;

    // A picture takes three seconds, of which it has half.
    let rate_bits = u64::try_from(jpeg.len()).unwrap() * 8 / 3;
    let conditions =
        Conditions { queue_bytes: jpeg.len() / 2, ..Conditions::new(rate_bits, Duration::from_millis(20)) };
    let proxy = DatagramProxy::start(&Link::new(conditions, 1), hub.addresses().relay).await.unwrap();
    let dialer = Dialer::new(hub).through(proxy.address());
    let (mut far, _) = dialer.welcomed(token, "fridge").await;
    let small = far.frame().await.0;
    assert!(small.is_scaled && small.width <= whole.width / 2, "{small:?}");
    assert!(!near.frame().await.0.is_scaled, "another viewer's line is no matter");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_was_cut_carries_whole_pictures_again() {
    let scene = Scene::at(20).await;
    let (hub, token) = (&scene.hub, &scene.token);
    let link = Link::new(Conditions::PERFECT, 1);
    let proxy = DatagramProxy::start(&link, hub.addresses().relay).await.unwrap();
    let dialer = Dialer::new(hub).through(proxy.address());
    let (mut far, _) = dialer.welcomed(token, "fridge").await;
    for _ in 0..60 {
        far.frame().await;
    }
    link.cut();
    let at_cut = viewers(hub).await.remove(0).frames_skipped;
    until("five seconds of pictures to be skipped", || async {
        (viewers(hub).await.remove(0).frames_skipped > at_cut + 100).then_some(())
    })
    .await;
    link.mend();
    for _ in 0..20 {
        assert!(!far.frame().await.0.is_scaled);
    }
    scene.stop().await;
}

/// Frames that the hub has of its only camera.
async fn hub_frames(hub: &Hub) -> i64 {
    let request = pb::GetCameraRequest { camera: "fridge".to_owned() };
    let camera = hub.clients.cameras.clone().get_camera(request).await.unwrap().into_inner();
    i64::try_from(camera.status.unwrap().frames_received).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_moves_to_another_address_keeps_its_view() {
    let scene = Scene::start().await;
    let (hub, token) = (&scene.hub, &scene.token);
    let dialer = Dialer::new(hub);
    let (mut viewer, welcome) = dialer.welcomed(token, "fridge").await;
    viewer.frame().await;
    for (round, from) in [Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 3)].into_iter().enumerate() {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        dialer.endpoint.rebind(socket).unwrap();
        // The hub learns of it when the viewer says something.
        viewer.say(&ViewerMessage::Ping([round.try_into().unwrap(); 8])).await;
        for _ in 0..10 {
            viewer.frame().await;
        }
        until("the new address", || async {
            let seen = viewers(hub).await;
            assert_eq!((seen.len(), seen[0].id.as_str()), (1, welcome.viewer.to_string().as_str()));
            (seen[0].address == address).then_some(())
        })
        .await;
    }
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_gets_no_more_pictures_than_it_wished_and_may_wish_again() {
    let scene = Scene::at(20).await;
    let (hub, token) = (&scene.hub, &scene.token);
    let slow = Wish { rate: Rate::from_tenths(20), ..Wish::default() };
    let mut viewer = Dialer::new(hub).with_hello(Hello { wish: slow, ..hello(token, "fridge") }).await;
    let status = loop {
        if let HubMessage::Status(status) = viewer.hear().await {
            break status;
        }
    };
    assert_eq!((status.limits, status.limited_by), (slow, LimitedBy::Wish));
    let mut sent_at = Vec::new();
    for _ in 0..4 {
        sent_at.push(viewer.frame().await.0.sent_at_us);
    }
    for pair in sent_at[1..].windows(2) {
        assert!(pair[1] - pair[0] > 400_000, "{sent_at:?}");
    }
    viewer.say(&ViewerMessage::Wish(Wish::default())).await;
    let mut close = 0;
    while close < 5 {
        let next = viewer.frame().await.0.sent_at_us;
        close += u32::from(next - sent_at.last().unwrap() < 300_000);
        sent_at.push(next);
    }
    scene.stop().await;
}

/// A frame that is not wanted is stopped, and the next ones come all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_stops_streams_still_gets_the_next_picture() {
    let scene = Scene::start().await;
    let (hub, token) = (&scene.hub, &scene.token);
    let dialer = Dialer::with(hub, Ipv4Addr::LOCALHOST, |transport| {
        // A picture does not fit, so that it is on its way when it is stopped.
        transport.stream_receive_window(2048_u16.into());
    });
    let (mut viewer, _) = dialer.welcomed(token, "fridge").await;
    for _ in 0..5 {
        let mut stream = viewer.connection.accept_uni().await.unwrap();
        stream.stop(1_u8.into()).unwrap();
    }
    let header = viewer.frame().await.0;
    assert!(header.skipped >= 1, "those that were stopped count as skipped");
    tokio::time::timeout(Duration::from_secs(10), viewer.frame()).await.unwrap();
    scene.stop().await;
}
