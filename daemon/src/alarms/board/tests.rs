use std::collections::HashMap;

use super::{super::rule::tests::above, *};
use crate::temperatures::Unit;

/// What a test says is the case.
#[derive(Default)]
struct Said {
    latest: HashMap<SensorId, (Timestamp, MilliCelsius)>,
    offline: Option<bool>,
}

impl Facts for Said {
    fn latest(&self, sensor: SensorId) -> Option<(Timestamp, MilliCelsius)> {
        self.latest.get(&sensor).copied()
    }

    fn is_offline(&self, _: CameraId) -> Option<bool> {
        self.offline
    }

    fn is_stalled(&self, _: CameraId) -> Option<bool> {
        None
    }

    fn is_disk_low(&self) -> Option<bool> {
        None
    }

    fn about(&self, condition: &Condition) -> About {
        let value = condition.sensor().and_then(|sensor| self.latest(sensor)).map(|(_, value)| value);
        About { name: "fridge".to_owned(), unit: Unit::Celsius, value }
    }
}

/// A board, what it is told, and the time.
struct Scene {
    board: Board,
    facts: Said,
    second: i64,
    /// How far the wall clock is from the monotonic one.
    wall: i64,
}

const NOON: i64 = 1_795_000_000;

impl Scene {
    fn new(board: Board) -> Self {
        Self { board, facts: Said::default(), second: 0, wall: NOON }
    }

    fn empty() -> Self {
        Self::new(Board::new(Vec::new(), Vec::new(), TimeZone::UTC))
    }

    fn now(&self) -> Now {
        let wall = Timestamp::from_second(self.wall + self.second).unwrap();
        Now { moment: Moment(SignedDuration::from_secs(self.second)), wall }
    }

    fn apply(&mut self, rules: &[&Rule]) -> Vec<Change> {
        let rules: Vec<_> = rules.iter().map(|rule| Arc::new((*rule).clone())).collect();
        self.board.apply(&rules, self.now(), &self.facts)
    }

    fn hear(&mut self, second: i64, sensor: SensorId, milli: i32) -> Vec<Change> {
        self.second = second;
        let now = self.now();
        self.facts.latest.insert(sensor, (now.wall, MilliCelsius(milli)));
        self.board.hear(sensor, MilliCelsius(milli), now, &self.facts)
    }

    fn tick(&mut self, second: i64) -> Vec<Change> {
        self.second = second;
        self.board.tick(self.now(), &self.facts)
    }
}

fn occasions(changes: &[Change]) -> Vec<Option<Occasion>> {
    changes.iter().map(|change| change.occasion).collect()
}

const RAISED: &[Option<Occasion>] = &[Some(Occasion::Raised)];
const REPEATED: &[Option<Occasion>] = &[Some(Occasion::Repeated)];
const CLEARED: &[Option<Occasion>] = &[Some(Occasion::Cleared)];
const OTHERWISE: &[Option<Occasion>] = &[None];

fn wall(second: i64) -> Timestamp {
    Timestamp::from_second(NOON + second).unwrap()
}

fn above_for(seconds: u64) -> Rule {
    let rule = above(SensorId::random(), 5, Duration::from_secs(seconds));
    Rule { hold: Duration::from_secs(60), channels: vec![ChannelId::random()], ..rule }
}

#[test]
fn an_alarm_tells_since_when_how_bad_and_to_whom() {
    let rule = above_for(120);
    let sensor = rule.condition.sensor().unwrap();
    let mut scene = Scene::empty();
    assert_eq!(scene.apply(&[&rule]), []);
    assert_eq!(scene.hear(10, sensor, 6_000), []);
    assert_eq!(scene.board.state(rule.id), State::Pending);
    assert_eq!(scene.hear(40, sensor, 8_000), []);
    assert_eq!(scene.hear(70, sensor, 7_000), []);
    assert_eq!(scene.tick(129), []);
    let raised = scene.tick(130);
    assert_eq!(occasions(&raised), RAISED);
    assert_eq!(raised[0].channels, rule.channels);
    let alarm = &raised[0].alarm;
    assert_eq!((alarm.since, alarm.raised_at, alarm.cleared_at), (wall(10), wall(130), None));
    assert_eq!((alarm.extreme, alarm.sensor), (Some(MilliCelsius(7_000)), Some(sensor)));
    assert!(alarm.message.starts_with("fridge is above 5.0 °C since "), "{}", alarm.message);
    let worse = scene.hear(140, sensor, 9_000);
    assert_eq!((occasions(&worse).as_slice(), worse[0].alarm.extreme), (OTHERWISE, Some(MilliCelsius(9_000))));
    assert_eq!(scene.hear(150, sensor, 8_500), []);
    assert_eq!(scene.hear(160, sensor, 4_000), []);
    assert_eq!(scene.board.state(rule.id), State::Holding);
    let cleared = scene.tick(220);
    assert_eq!(occasions(&cleared), CLEARED);
    assert_eq!(cleared[0].alarm.cleared_at, Some(wall(220)));
    assert_eq!(scene.board.raised(), []);
}

#[test]
fn a_step_of_the_wall_clock_raises_and_clears_nothing() {
    let rule = above_for(120);
    let sensor = rule.condition.sensor().unwrap();
    let mut scene = Scene::empty();
    scene.apply(&[&rule]);
    scene.hear(0, sensor, 6_000);
    scene.wall += 86_400;
    assert_eq!(scene.tick(60), []);
    scene.wall -= 3 * 86_400;
    assert_eq!(scene.tick(119), []);
    let raised = scene.tick(120);
    assert_eq!(occasions(&raised), RAISED);
    let alarm = &raised[0].alarm;
    assert_eq!(alarm.raised_at.duration_since(alarm.since), SignedDuration::from_secs(120));
    scene.wall -= 86_400;
    scene.hear(130, sensor, 0);
    let cleared = scene.tick(190);
    assert_eq!(cleared[0].alarm.cleared_at, Some(alarm.raised_at), "never before it began");
}

#[test]
fn acknowledgement_is_by_id_or_by_the_rules_name_and_the_first_one_stands() {
    let rule = Rule { repeat: Some(Duration::from_secs(60)), ..above_for(0) };
    let sensor = rule.condition.sensor().unwrap();
    let mut scene = Scene::empty();
    scene.apply(&[&rule]);
    let now = scene.now();
    assert_eq!(scene.board.acknowledge("warm", "ann", now), None);
    let raised = scene.hear(0, sensor, 6_000);
    assert_eq!(occasions(&raised), RAISED);
    assert_eq!(occasions(&scene.tick(60)), REPEATED);
    let (alarm, change) = scene.board.acknowledge("warm", "ann", scene.now()).unwrap();
    assert_eq!(alarm.acknowledged, Some(Acknowledged { at: wall(60), by: "ann".to_owned() }));
    assert_eq!(occasions(change.as_slice()), OTHERWISE);
    let (again, change) = scene.board.acknowledge(&alarm.id.to_string(), "bob", scene.now()).unwrap();
    assert_eq!((again.acknowledged, change), (alarm.acknowledged, None));
    assert_eq!(scene.tick(600), []);
    scene.hear(601, sensor, 0);
    assert_eq!(occasions(&scene.tick(700)), CLEARED, "the end is told all the same");
}

#[test]
fn a_rule_that_goes_or_is_switched_off_or_is_about_something_else_clears_its_alarm() {
    let rule = above_for(0);
    let sensor = rule.condition.sensor().unwrap();
    let silent = Condition::SensorSilent { sensor, after: Duration::from_secs(60) };
    let other = above(SensorId::random(), 5, Duration::ZERO).condition;
    let edits: [Option<Rule>; 4] = [
        None,
        Some(Rule { enabled: false, ..rule.clone() }),
        Some(Rule { condition: silent, channels: Vec::new(), ..rule.clone() }),
        Some(Rule { condition: other, ..rule.clone() }),
    ];
    for edit in edits {
        let mut scene = Scene::empty();
        scene.apply(&[&rule]);
        scene.hear(0, sensor, 6_000);
        scene.second = 10;
        let changes = scene.apply(&edit.iter().collect::<Vec<_>>());
        assert_eq!(occasions(&changes), CLEARED, "{edit:?}");
        assert_eq!(changes[0].channels, rule.channels, "those who were told that it began");
        assert_eq!(scene.board.raised(), []);
    }
}

#[test]
fn a_raised_alarm_goes_on_over_an_edit_when_the_rule_still_says_so() {
    let rule = above_for(600);
    let sensor = rule.condition.sensor().unwrap();
    let with = |celsius, seconds| {
        let edited = above(sensor, celsius, Duration::from_secs(seconds)).condition;
        Rule { condition: edited, ..rule.clone() }
    };
    let mut scene = Scene::empty();
    scene.apply(&[&rule]);
    scene.hear(0, sensor, 6_000);
    scene.hear(300, sensor, 6_000);
    scene.second = 310;
    assert_eq!(occasions(&scene.apply(&[&with(5, 300)])), RAISED, "a shorter time is over already");
    assert_eq!(scene.apply(&[&with(4, 9_999)]), [], "it is above the new limit too");
    assert_eq!(scene.board.state(rule.id), State::Raised);
    assert_eq!(occasions(&scene.apply(&[&with(7, 0)])), CLEARED, "it is not above the new limit");
    assert_eq!(scene.board.state(rule.id), State::Ok);
}

#[test]
fn a_restart_raises_nothing_twice_and_loses_no_time() {
    let rule = Rule { repeat: Some(Duration::from_secs(1_000)), ..above_for(120) };
    let sensor = rule.condition.sensor().unwrap();
    let mut scene = Scene::empty();
    scene.apply(&[&rule]);
    scene.hear(0, sensor, 6_000);
    scene.hear(50, sensor, 6_000);
    let now = scene.now();
    let pending: Vec<_> = scene.board.pending(now).into_iter().collect();
    assert_eq!(pending, [(rule.id, Pending { since: wall(0), seen_at: wall(50) })]);
    let latest = scene.facts.latest.clone();

    // Down for a minute: its monotonic time begins anew.
    let restarted = |board: Board, second: i64| {
        let mut scene = Scene::new(board);
        scene.wall = NOON + second;
        scene.facts.latest.clone_from(&latest);
        scene
    };
    let mut scene = restarted(Board::new(Vec::new(), pending.clone(), TimeZone::UTC), 110);
    assert_eq!(scene.apply(&[&rule]), []);
    assert_eq!(scene.board.state(rule.id), State::Pending);
    assert_eq!(scene.tick(9), []);
    let raised = scene.tick(10);
    assert_eq!((occasions(&raised).as_slice(), raised[0].alarm.since), (RAISED, wall(0)));

    // Down for longer than what is missing counts: it begins anew.
    let mut late = restarted(Board::new(Vec::new(), pending, TimeZone::UTC), 50 + 601);
    assert_eq!(late.apply(&[&rule]), []);
    assert_eq!(late.board.state(rule.id), State::Idle);

    // Raised before: not raised again, repeated on its beat, cleared when it is over.
    let alarm = raised[0].alarm.clone();
    let mut scene = restarted(Board::new(vec![alarm.clone()], Vec::new(), TimeZone::UTC), 120 + 400);
    assert_eq!(scene.apply(&[&rule]), []);
    assert_eq!(scene.board.raised(), [alarm]);
    assert_eq!(scene.tick(599), []);
    assert_eq!(occasions(&scene.tick(600)), REPEATED);
    scene.hear(610, sensor, 1_000);
    assert_eq!(occasions(&scene.tick(670)), CLEARED);
}

#[test]
fn a_restart_without_the_rule_ends_its_alarm_and_tells_nobody() {
    let rule = above_for(0);
    let mut scene = Scene::empty();
    scene.apply(&[&rule]);
    let alarm = scene.hear(0, rule.condition.sensor().unwrap(), 6_000).remove(0).alarm;
    let mut scene = Scene::new(Board::new(vec![alarm], Vec::new(), TimeZone::UTC));
    let changes = scene.apply(&[]);
    assert_eq!(occasions(&changes), OTHERWISE);
    assert!(changes[0].alarm.cleared_at.is_some());
}

#[test]
fn a_blip_of_a_camera_is_no_alarm() {
    let camera = CameraId::random();
    let after = Duration::from_secs(60);
    let rule = Rule { condition: Condition::CameraOffline { camera, after }, ..above_for(0) };
    let mut scene = Scene::empty();
    scene.apply(&[&rule]);
    assert_eq!(scene.board.state(rule.id), State::Idle, "nobody knows at the start");
    for (second, offline, expected) in [
        (1, Some(false), State::Ok),
        (10, Some(true), State::Pending),
        (69, Some(true), State::Pending),
        (70, Some(false), State::Ok),
        (100, Some(true), State::Pending),
        (160, Some(true), State::Raised),
        (170, Some(false), State::Holding),
        (200, Some(true), State::Raised),
        (230, Some(false), State::Holding),
        (290, Some(false), State::Ok),
    ] {
        scene.facts.offline = offline;
        scene.tick(second);
        assert_eq!(scene.board.state(rule.id), expected, "at {second} s");
    }
}
