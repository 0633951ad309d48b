//! Who is not let in, and who has to go for what it says.

use std::net::Ipv4Addr;

use larder_proto::{
    pb,
    wire::relay::{ALPN, CloseCode, Hello, HubMessage, MOST_PAYLOAD, ViewerMessage},
};
use quinn::{ConnectionError, TransportErrorCode};

use super::viewers;
use crate::support::{Dialer, Hub, get_with, hello, tls};

async fn hub() -> (Hub, String) {
    hub_with(&[]).await
}

async fn hub_with(settings: &[&str]) -> (Hub, String) {
    let hub = Hub::start_with(settings).await;
    hub.add_named("fridge").await;
    let token = hub.token("far", pb::Role::Viewer).await;
    (hub, token)
}

/// The value of a counter, over all labels.
async fn counted(hub: &Hub, token: &str, metric: &str) -> f64 {
    let page = get_with(hub.http(), "/metrics", &[("authorization", &format!("Bearer {token}"))]).await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    text.lines()
        .filter(|line| line.starts_with(metric))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

fn is_refused(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::ConnectionClosed(close) if close.error_code == TransportErrorCode::CONNECTION_REFUSED)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_right_is_told_why_and_sees_nothing() {
    let (hub, token) = hub().await;
    let dialer = Dialer::new(&hub);
    let versions = |min, max| Hello { version_min: min, version_max: max, ..hello(&token, "fridge") };
    for (said, code) in [
        (hello("", "fridge"), CloseCode::Unauthenticated),
        (hello("lrd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "fridge"), CloseCode::Unauthenticated),
        // Whoever is not known does not learn which cameras there are.
        (hello("lrp_AAAA", "nothing"), CloseCode::Unauthenticated),
        (hello(&token, "nothing"), CloseCode::UnknownCamera),
        (versions(2, 9), CloseCode::Version),
        (versions(0, 0), CloseCode::Version),
        (versions(2, 1), CloseCode::Version),
    ] {
        let viewer = dialer.with_hello(said).await;
        assert_eq!(viewer.ended().await, code);
    }
    let (_viewer, _) = dialer.welcomed(&token, "fridge").await;
    assert_eq!(viewers(&hub).await.len(), 1);
    assert!(counted(&hub, &token, "larder_relay_refused_total").await >= 7.0);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_viewer_says_ends_its_connection_and_no_other() {
    let (hub, token) = hub().await;
    let dialer = Dialer::new(&hub);
    let (well, _) = dialer.welcomed(&token, "fridge").await;
    let too_long = u16::try_from(MOST_PAYLOAD + 1).unwrap().to_be_bytes();
    for nonsense in [
        // Of an unknown type; over the limit; cut short; a second hello; text of another protocol.
        vec![9, 0, 0],
        [&[1][..], &too_long].concat(),
        vec![2, 0, 1, 0],
        vec![1, 0, 9, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        b"GET / HTTP/1.1\r\nhost: larder\r\n\r\n".to_vec(),
    ] {
        let (mut viewer, _) = dialer.welcomed(&token, "fridge").await;
        viewer.say_bytes(&nonsense).await;
        assert_eq!(viewer.ended().await, CloseCode::Malformed, "{nonsense:?}");
    }
    let (viewer, _) = dialer.welcomed(&token, "fridge").await;
    let mut uninvited = viewer.connection.open_uni().await.unwrap();
    uninvited.write_all(b"x").await.unwrap();
    assert_eq!(viewer.ended().await, CloseCode::Malformed);

    let (mut viewer, _) = dialer.welcomed(&token, "fridge").await;
    for _ in 0..80 {
        viewer.say(&ViewerMessage::Ping([7; 8])).await;
    }
    assert_eq!(viewer.ended().await, CloseCode::TooMany);

    let first = dialer.dial().await.unwrap();
    let (mut sender, _receiver) = first.open_bi().await.unwrap();
    sender.write_all(&[4, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]).await.unwrap();
    let end = first.closed().await;
    let malformed = u64::from(CloseCode::Malformed.code());
    assert!(
        matches!(&end, ConnectionError::ApplicationClosed(end) if end.error_code.into_inner() == malformed),
        "{end}"
    );
    assert!(well.connection.close_reason().is_none(), "others go on");
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_message_of_tomorrow_is_passed_over() {
    let (hub, token) = hub().await;
    let (mut viewer, _) = Dialer::new(&hub).welcomed(&token, "fridge").await;
    viewer.say_bytes(&[0xC0, 0, 3, 1, 2, 3]).await;
    viewer.say(&ViewerMessage::Ping(*b"stillhere"[..8].first_chunk().unwrap())).await;
    while !matches!(viewer.hear().await, HubMessage::Pong { .. }) {}
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_or_says_it_slowly_has_to_go() {
    let (hub, token) = hub().await;
    let dialer = Dialer::new(&hub);
    let slow = dialer.dial().await.unwrap();
    let (mut sender, _receiver) = slow.open_bi().await.unwrap();
    let silent = dialer.dial().await.unwrap();
    let dripping = async {
        // A byte at a time, for as long as it takes.
        while sender.write_all(&[0x80, 0, 0]).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
    };
    let too_slow = u64::from(CloseCode::HelloTooSlow.code());
    let ended = async {
        for connection in [&slow, &silent] {
            let end = connection.closed().await;
            assert!(
                matches!(&end, ConnectionError::ApplicationClosed(end) if end.error_code.into_inner() == too_slow),
                "{end}"
            );
        }
    };
    tokio::join!(dripping, ended);
    let (_viewer, _) = dialer.welcomed(&token, "fridge").await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_and_early_data_are_not_taken() {
    let (hub, token) = hub().await;
    let other = Dialer::speaking(&hub, Ipv4Addr::LOCALHOST, tls(&hub, b"larder/2"), |_| {});
    assert!(other.dial().await.is_err());

    let mut early = tls(&hub, ALPN);
    early.enable_early_data = true;
    let dialer = Dialer::speaking(&hub, Ipv4Addr::LOCALHOST, early, |_| {});
    // The first brings a ticket home, with which the second could begin early if it were let.
    let (first, _) = dialer.welcomed(&token, "fridge").await;
    first.connection.close(0_u32.into(), b"");
    let second = dialer.begin().into_0rtt();
    assert!(second.is_err(), "early data can be sent again by whoever heard it");
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_full_says_so_and_has_room_again() {
    let (hub, token) = hub_with(&["relay.max_connections=2"]).await;
    let dialer = Dialer::new(&hub);
    let (first, _) = dialer.welcomed(&token, "fridge").await;
    let (_second, _) = dialer.welcomed(&token, "fridge").await;
    let third = dialer.dial().await.unwrap();
    let busy = u64::from(CloseCode::Busy.code());
    let end = third.closed().await;
    assert!(matches!(&end, ConnectionError::ApplicationClosed(end) if end.error_code.into_inner() == busy), "{end}");
    first.connection.close(0_u32.into(), b"");
    crate::support::until("room", || async {
        let connection = dialer.dial().await.unwrap();
        let is_busy = tokio::time::timeout(std::time::Duration::from_millis(300), connection.closed()).await;
        is_busy.is_err().then_some(())
    })
    .await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_so_many_connections_and_others_have_theirs() {
    let (hub, token) = hub_with(&["relay.max_connections_per_address=2"]).await;
    let dialer = Dialer::new(&hub);
    let (_first, _) = dialer.welcomed(&token, "fridge").await;
    let (_second, _) = dialer.welcomed(&token, "fridge").await;
    let error = dialer.dial().await.unwrap_err();
    assert!(is_refused(&error), "{error}");
    let other = Dialer::with(&hub, Ipv4Addr::new(127, 0, 0, 2), |_| {});
    let (_third, _) = other.welcomed(&token, "fridge").await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_begins_often_has_to_prove_its_address_and_then_to_wait() {
    let (hub, token) = hub_with(&["relay.handshakes_per_second_per_address=1"]).await;
    let dialer = Dialer::new(&hub);
    let mut refused = None;
    for _ in 0..30 {
        match dialer.dial().await {
            Ok(connection) => connection.close(0_u32.into(), b""),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    assert!(is_refused(&refused.expect("an end of patience")));
    let other = Dialer::with(&hub, Ipv4Addr::new(127, 0, 0, 2), |_| {});
    let (_other, _) = other.welcomed(&token, "fridge").await;
    assert!(counted(&hub, &token, "larder_relay_retries_total").await >= 1.0);
    hub.stop().await;
}
