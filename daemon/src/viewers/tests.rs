use super::*;

fn entry(client: &str) -> Entry {
    Entry {
        protocol: Protocol::Quic,
        address: "192.0.2.1:5".to_owned(),
        user: "tv".into(),
        client: client.to_owned(),
        camera: CameraId::random(),
    }
}

#[tokio::test(start_paused = true)]
async fn who_watches_is_listed_for_as_long_as_the_seat_is_held() {
    let viewers = Viewers::new(Clock::new());
    let first = viewers.enter(entry("first"));
    let second = viewers.enter(entry("second"));
    let clients = || viewers.all().into_iter().map(|one| one.entry.client).collect::<Vec<_>>();
    assert_eq!(clients(), ["first", "second"]);
    assert_ne!(first.id(), second.id());
    drop(first);
    assert_eq!(clients(), ["second"]);
    drop(second);
    assert!(viewers.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_view_counts_is_seen_by_all() {
    let viewers = Viewers::new(Clock::new());
    let seat = viewers.enter(entry("tv"));
    (0..5).for_each(|_| seat.sent(1000));
    seat.delivered(1000);
    seat.left(1000);
    seat.skipped(7);
    seat.round_trip(Duration::from_millis(20));
    seat.moved("192.0.2.9:9".to_owned());
    let limits = Limits { fps: Some(5.0), by_line: true, ..Limits::default() };
    seat.limited(Some(limits));
    let seen = viewers.all().remove(0);
    assert_eq!((seen.delivered, seen.skipped, seen.queued_bytes), (1, 7, 3000));
    assert_eq!(seen.round_trip, Some(Duration::from_millis(20)));
    assert_eq!((seen.entry.address.as_str(), seen.limits), ("192.0.2.9:9", Some(limits)));
    assert_eq!(seat.counts(), (1, 7));
}

#[tokio::test(start_paused = true)]
async fn rates_are_those_of_the_last_ten_seconds() {
    let viewers = Viewers::new(Clock::new());
    let seat = viewers.enter(entry("tv"));
    let measuring = viewers.clone().keep_rates();
    let watching = async {
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            seat.sent(100);
            seat.delivered(100);
        }
    };
    tokio::select! {
        () = measuring => {}
        () = watching => {}
    }
    let seen = viewers.all().remove(0);
    assert!((1.8..=2.2).contains(&seen.fps), "{}", seen.fps);
    assert!((180.0..=220.0).contains(&seen.bytes_per_second), "{}", seen.bytes_per_second);
}

#[tokio::test(start_paused = true)]
async fn one_view_is_disconnected_and_no_other() {
    let viewers = Viewers::new(Clock::new());
    let (first, second) = (viewers.enter(entry("first")), viewers.enter(entry("second")));
    assert!(viewers.disconnect(Uuid::new_v4()).is_none());
    assert_eq!(viewers.disconnect(first.id()).unwrap().client, "first");
    assert!(first.disconnected().is_cancelled() && !second.disconnected().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn what_a_program_says_of_itself_is_cut_and_cleaned() {
    let viewers = Viewers::new(Clock::new());
    let _seat = viewers.enter(entry(&("a\n\u{1b}[31mb".to_owned() + &"x".repeat(500))));
    let client = viewers.all().remove(0).entry.client;
    assert!(client.starts_with("a[31mbx") && client.chars().count() == MOST_CLIENT, "{client}");
}
