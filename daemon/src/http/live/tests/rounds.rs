//! Views that one task serves, and their way into it and out of it. The clock stands still while there is work.

use super::*;

/// Frames a second.
const FPS: i64 = 10;

/// Viewers of one camera.
struct Crowd {
    fixture: Fixture,
    looks: Vec<Look>,
    /// Tasks of the hub without any view.
    base: usize,
    us: i64,
    large: bool,
}

impl Crowd {
    /// So many, all in the round.
    async fn new(many: usize) -> Self {
        let fixture = Fixture::new();
        tokio::task::yield_now().await;
        let base = fixture.tasks.count();
        let mut looks = Vec::new();
        for _ in 0..many {
            looks.push(fixture.look().await);
        }
        tokio::time::pause();
        let mut crowd = Self { fixture, looks, base, us: 0, large: false };
        crowd.keep_up(2).await;
        assert_eq!(crowd.tasks(), 1, "one task serves all");
        crowd
    }

    /// Tasks of views.
    fn tasks(&self) -> usize {
        self.fixture.tasks.count() - self.base
    }

    fn publish(&mut self) -> u64 {
        self.us += 1;
        let size = if self.large { 4 << 20 } else { 20_000 };
        self.fixture.publish(self.us, Bytes::from(vec![7; size]));
        self.us.unsigned_abs()
    }

    /// Frames come for so many seconds, and all viewers see each of them.
    async fn keep_up(&mut self, seconds: i64) {
        for _ in 0..seconds * FPS {
            let sequence = self.publish();
            for look in &mut self.looks {
                let shown = look.frame().await;
                assert_eq!((shown.sequence, shown.skipped), (sequence, 0));
                look.acknowledge(sequence).await;
            }
            tokio::time::sleep(Duration::from_secs(1) / u32::try_from(FPS).expect("small")).await;
        }
    }

    /// A viewer reads and acknowledges until it has the newest frame; none is lost without being counted.
    async fn catch_up(&self, look: &mut Look, mut seen: u64) {
        while seen < self.us.unsigned_abs() {
            let shown = look.frame().await;
            assert_eq!(shown.sequence, seen + u64::from(shown.skipped) + 1);
            seen = shown.sequence;
            look.acknowledge(seen).await;
        }
    }
}

#[tokio::test]
async fn a_full_window_does_not_delay_the_others_and_its_viewer_comes_back() {
    let mut crowd = Crowd::new(3).await;
    let mut stalled = crowd.looks.remove(1);
    let seen = crowd.us.unsigned_abs();
    crowd.keep_up(3).await;
    assert_eq!(crowd.tasks(), 2, "it waits in a task of its own");
    crowd.catch_up(&mut stalled, seen).await;
    let skipped: u64 = crowd.fixture.viewers.all().iter().map(|one| one.skipped).sum();
    assert_eq!(skipped, 3 * FPS.unsigned_abs() - 5, "four were on the way, and the newest came");
    crowd.looks.push(stalled);
    crowd.keep_up(4).await;
    assert_eq!(crowd.tasks(), 1, "it is back");
}

#[tokio::test]
async fn a_full_socket_does_not_delay_the_others_and_its_viewer_comes_back() {
    let mut crowd = Crowd::new(3).await;
    crowd.large = true;
    let mut stalled = crowd.looks.remove(1);
    let seen = crowd.us.unsigned_abs();
    crowd.keep_up(1).await;
    assert!(crowd.tasks() > 1, "a picture is more than a socket takes at once, even if its viewer reads");
    crowd.large = false;
    crowd.catch_up(&mut stalled, seen).await;
    crowd.looks.push(stalled);
    crowd.keep_up(4).await;
    assert_eq!(crowd.tasks(), 1, "it is back");
}

#[tokio::test]
async fn a_viewer_that_acknowledges_nothing_is_closed_and_the_others_go_on() {
    let mut crowd = Crowd::new(3).await;
    let mut stalled = crowd.looks.remove(0);
    crowd.keep_up(13).await;
    assert_eq!(stalled.closed().await, 4001);
    crowd.keep_up(1).await;
    assert_eq!(crowd.tasks(), 1);
}

#[tokio::test]
async fn without_frames_each_viewer_is_heard_at_once() {
    let mut crowd = Crowd::new(2).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(crowd.tasks(), 2, "nobody is in the round");
    tokio::time::resume();
    let look = &mut crowd.looks[0];
    look.0.send(Message::Ping("quiet".into())).await.expect("sent");
    assert_eq!(look.0.next().await.expect("a message").expect("no error"), Message::Pong("quiet".into()));
    tokio::time::pause();
    crowd.keep_up(3).await;
    assert_eq!(crowd.tasks(), 1);
}

#[tokio::test]
async fn what_a_viewer_in_the_round_asks_is_answered() {
    let mut crowd = Crowd::new(2).await;
    crowd.looks[0].0.send(Message::Ping("busy".into())).await.expect("sent");
    let sequence = crowd.publish();
    assert_eq!(crowd.looks[1].frame().await.sequence, sequence);
    let mut answers = Vec::new();
    while answers.len() < 2 {
        answers.push(crowd.looks[0].0.next().await.expect("a message").expect("no error"));
    }
    assert!(answers.contains(&Message::Pong("busy".into())) && answers.iter().any(Message::is_binary));
    crowd.looks[0].acknowledge(sequence).await;
    crowd.keep_up(3).await;

    let goodbye = tungstenite::protocol::CloseFrame { code: 4321.into(), reason: "bye".into() };
    crowd.looks[0].0.send(Message::Close(Some(goodbye.clone()))).await.expect("sent");
    assert_eq!(crowd.looks[0].next().await, Message::Close(Some(goodbye)));
    let mut text = crowd.looks.remove(1);
    text.0.send(Message::text("hello")).await.expect("sent");
    assert_eq!(text.closed().await, 1003);
}

#[tokio::test]
async fn a_message_in_very_many_pieces_holds_nobody_up() {
    let mut crowd = Crowd::new(3).await;
    let mask = [0; 4];
    let first = [&[0x02, 0x80][..], &mask].concat();
    let more = [&[0x00, 0x80][..], &mask].concat().repeat(5_000);
    let last = [&[0x80, 0x88][..], &mask, &crowd.us.to_be_bytes()].concat();
    crowd.looks[0].0.get_mut().write_all(&[first, more, last].concat()).await.expect("written");
    crowd.keep_up(4).await;
    assert_eq!(crowd.tasks(), 1);
}

#[tokio::test]
async fn viewers_in_the_round_are_pinged_and_kept() {
    let mut crowd = Crowd::new(2).await;
    let mut pings = 0;
    for _ in 0..50 * FPS {
        let sequence = crowd.publish();
        for look in &mut crowd.looks {
            while !look.0.next().await.expect("a message").expect("no error").is_binary() {
                pings += 1;
            }
            look.acknowledge(sequence).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!((pings, crowd.tasks()), (6, 1), "three each, every fifteen seconds");
}

#[tokio::test]
async fn who_must_end_is_told_at_once_and_others_go_on() {
    let mut crowd = Crowd::new(3).await;
    let first = &crowd.fixture.viewers.all()[0];
    assert!(crowd.fixture.viewers.disconnect(first.id).is_some());
    assert_eq!(crowd.looks.remove(0).closed().await, 4005);
    crowd.keep_up(1).await;
    assert_eq!(crowd.tasks(), 1);
    let start = tokio::time::Instant::now();
    crowd.fixture.revoked.cancel();
    for look in &mut crowd.looks {
        assert_eq!(look.closed().await, 4003);
    }
    assert!(start.elapsed() < Duration::from_millis(500), "no tick and no frame was waited for");
}

#[tokio::test]
async fn the_end_of_camera_and_hub_ends_a_round() {
    let mut crowd = Crowd::new(2).await;
    crowd.fixture.known.store(false, Ordering::Relaxed);
    crowd.fixture.hub.remove(crowd.fixture.camera);
    for look in &mut crowd.looks {
        assert_eq!(look.closed().await, 4004);
    }

    tokio::time::resume();
    let mut crowd = Crowd::new(2).await;
    let (first, second) = crowd.looks.split_at_mut(1);
    let (stopped, codes) =
        tokio::join!(crowd.fixture.tasks.stop(GRACE), async { [first[0].closed().await, second[0].closed().await] });
    assert_eq!((stopped, codes), (true, [1001, 1001]));
}
