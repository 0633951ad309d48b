//! What a sensor may be; and rows, graphs and retention against a real PostgreSQL.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use futures_util::TryStreamExt as _;
use larder_proto::wire::camera::ReadingMark;

use super::{export, queue::Entry, series::Plan, store::Store, *};
use crate::{
    clock::{Clock, from_us},
    recordings::testing::Bench,
    tasks::Tasks,
};

/// A day's begin, 2026-01-31 00:00 UTC.
const BEGIN: i64 = 1_769_817_600;
const DAY: i64 = 86_400;

struct Stage {
    bench: Bench,
    store: Store,
    sensor: Arc<Sensor>,
}

impl Stage {
    async fn new() -> Self {
        let bench = Bench::start().await;
        let store = Store::new(bench.db.clone());
        let camera = bench.camera("fridge").await;
        let sensor = add(&store, "top", camera, 0).await;
        Self { bench, store, sensor }
    }

    async fn count(&self, sql: &str) -> i64 {
        self.bench.db.client().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
    }

    fn entries(&self, readings: &[(i64, i32)]) -> Vec<Entry> {
        let entry = |(second, milli): &(i64, i32)| entry(self.sensor.id, *second, *milli);
        readings.iter().map(entry).collect()
    }

    /// What an export of the range tells.
    async fn exported(&self, range: Range<Timestamp>) -> Vec<(i64, i32)> {
        let sensors = [Arc::clone(&self.sensor)];
        let batches: Vec<Vec<Reading>> =
            export::export(self.store.clone(), &sensors, range).try_collect().await.unwrap();
        let value = |reading: &Reading| (reading.captured_at.as_second(), reading.value.unwrap().0);
        batches.iter().flatten().map(value).collect()
    }
}

fn sensor() -> Sensor {
    Sensor {
        id: SensorId::random(),
        key: 1,
        name: "fridge".to_owned(),
        title: String::new(),
        source: Source::Probe { camera: CameraId::random(), index: 0 },
        offset: MilliCelsius(0),
        unit: Unit::Celsius,
        camera: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

async fn add(store: &Store, name: &str, camera: CameraId, index: u8) -> Arc<Sensor> {
    let sensor = Sensor { name: name.to_owned(), source: Source::Probe { camera, index }, ..sensor() };
    Arc::new(store.insert(&sensor).await.unwrap())
}

fn at(second: i64) -> Timestamp {
    from_us(second * 1_000_000)
}

fn entry(sensor: SensorId, second: i64, milli: i32) -> Entry {
    Entry { sensor, captured_at: at(second), received_at: at(second + 1), value: MilliCelsius(milli) }
}

/// Numbers that look random and are the same each time.
struct Noise(u64);

impl Noise {
    fn below(&mut self, most: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % most
    }

    fn milli(&mut self) -> i32 {
        i32::try_from(self.below(180_000)).unwrap() - 55_000
    }
}

/// Rows of a roll-up that differ from what its readings say.
fn differing(table: &str, width: &str) -> String {
    let from_readings = format!(
        "SELECT sensor, date_bin('{width}', captured_at, 'epoch') AS began_at, min(milli) AS least, max(milli) AS most,
                sum(milli)::bigint AS total, count(*)::integer AS count FROM readings GROUP BY 1, 2"
    );
    format!(
        "SELECT (SELECT count(*) FROM ({from_readings} EXCEPT SELECT * FROM {table}) AS lost)
              + (SELECT count(*) FROM (SELECT * FROM {table} EXCEPT {from_readings}) AS invented)"
    )
}

#[test]
fn every_wrong_field_of_a_sensor_is_named() {
    assert_eq!(check(&sensor()), []);
    let address = IpAddr::from([192, 168, 1, 2]);
    let mut wrong = Sensor {
        name: "Fridge".to_owned(),
        title: "x".repeat(65),
        offset: MilliCelsius(-20_001),
        source: Source::Text { address, device: "a\nb".to_owned() },
        ..sensor()
    };
    let paths = |sensor: &Sensor| check(sensor).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(paths(&wrong), ["sensor.name", "sensor.title", "sensor.offset_celsius", "sensor.source.text.device"]);
    wrong = Sensor { source: Source::Probe { camera: CameraId::random(), index: 8 }, ..sensor() };
    assert_eq!(paths(&wrong), ["sensor.source.probe.index"]);
}

#[tokio::test]
async fn roll_ups_equal_what_the_readings_say_however_they_came() {
    let stage = Stage::new().await;
    let mut noise = Noise(7);
    let mut known = BTreeSet::new();
    let mut last = Vec::new();
    for _ in 0..40 {
        // Three days in any order, with repetitions in a batch and of whole batches.
        let readings: Vec<(i64, i32)> =
            (0..noise.below(300)).map(|_| (BEGIN - 40 + noise.below(3 * DAY), noise.milli())).collect();
        let new = readings.iter().filter(|(second, _)| known.insert(*second)).count();
        let written = stage.store.write(&stage.entries(&readings)).await.unwrap();
        assert_eq!(written, u64::try_from(new).unwrap());
        assert_eq!(stage.store.write(&stage.entries(&last)).await.unwrap(), 0);
        last = readings;
    }
    assert_eq!(stage.count("SELECT count(*) FROM readings").await, i64::try_from(known.len()).unwrap());
    for (table, width) in [("reading_minutes", "1 minute"), ("reading_hours", "1 hour"), ("reading_days", "1 day")] {
        assert_eq!(stage.count(&differing(table, width)).await, 0, "{table}");
    }
    stage.bench.stop().await;
}

#[tokio::test]
async fn roll_ups_are_of_utc_whatever_zone_the_session_has() {
    let stage = Stage::new().await;
    let client = stage.bench.db.client().await.unwrap();
    // Half an hour beside UTC, and a clock that is changed: 2026-03-29 01:00 UTC in Berlin, but not here.
    client.batch_execute("ALTER DATABASE postgres SET timezone = 'Australia/Lord_Howe'").await.ok();
    client.batch_execute("SET timezone = 'Australia/Lord_Howe'").await.unwrap();
    drop(client);
    let change: i64 = 1_774_746_000;
    let readings: Vec<_> = (0..240).map(|index| (change - 3600 + index * 30, 4000)).collect();
    stage.store.write(&stage.entries(&readings)).await.unwrap();
    let range = at(change - 3600)..at(change + 3600);
    assert_eq!(stage.count("SELECT count(*) FROM reading_hours WHERE count = 120").await, 2);
    let (points, _) = stage.store.points(stage.sensor.key, &range, 500).await.unwrap();
    assert!(points.windows(2).all(|pair| pair[1].at.as_second() - pair[0].at.as_second() == 30), "no hour twice");
    stage.bench.stop().await;
}

#[tokio::test]
async fn a_graph_holds_every_value_between_its_least_and_most() {
    let stage = Stage::new().await;
    let mut noise = Noise(11);
    let mut readings = Vec::new();
    let mut second = BEGIN;
    while second < BEGIN + 20 * DAY {
        readings.push((second, noise.milli()));
        // Now and then hours are missing.
        second += if noise.below(500) == 0 { noise.below(DAY) + 1 } else { 30 + noise.below(120) };
    }
    for some in readings.chunks(1000) {
        stage.store.write(&stage.entries(some)).await.unwrap();
    }
    for round in 0..60 {
        let length = 60 + noise.below(if round % 2 == 0 { 7200 } else { 20 * DAY });
        let start = BEGIN - 3600 + noise.below(20 * DAY);
        let (range, wanted) = (at(start)..at(start + length), u32::try_from(2 + noise.below(300)).unwrap());
        let (points, step) = stage.store.points(stage.sensor.key, &range, wanted).await.unwrap();
        assert!(points.len() <= usize::try_from(wanted).unwrap(), "{} of {wanted}", points.len());
        let half = step.as_micros() / 2;
        let us = |time: Timestamp| i128::from(time.as_microsecond());
        let mut counted = 0;
        for (second, milli) in readings.iter().filter(|(second, _)| range.contains(&at(*second))) {
            let holds = points.iter().find(|point| {
                let middle = us(point.at);
                middle - half <= us(at(*second))
                    && (us(at(*second)) < middle + half || half == 0 && middle == us(at(*second)))
            });
            let point = holds.unwrap_or_else(|| panic!("{second} is in no point of {range:?} at {wanted}"));
            assert!(point.least.0 <= *milli && *milli <= point.most.0);
            assert!(point.least <= point.mean && point.mean <= point.most);
            counted += 1;
        }
        assert!(points.iter().map(|point| u64::from(point.count)).sum::<u64>() >= counted);
        assert!(points.iter().all(|point| point.count > 0), "no point without a reading");
    }
    stage.bench.stop().await;
}

#[tokio::test]
async fn what_is_no_longer_kept_in_full_lives_on_in_minutes_and_hours() {
    let stage = Stage::new().await;
    let readings: Vec<(i64, i32)> = (0..10 * 24 * 12).map(|index| (BEGIN + index * 300, 4000)).collect();
    for some in readings.chunks(1000) {
        stage.store.write(&stage.entries(some)).await.unwrap();
    }
    let key = stage.sensor.key;
    // In the middle of an hour: the whole hour stays.
    while stage.store.forget_readings(key, at(BEGIN + 8 * DAY + 1234)).await.unwrap() {}
    while stage.store.forget_minutes(key, at(BEGIN + 5 * DAY + 1234)).await.unwrap() {}
    assert_eq!(stage.count("SELECT count(*) FROM readings").await, 2 * 24 * 12);
    assert_eq!(stage.count("SELECT count(*) FROM reading_minutes").await, 5 * 24 * 12);
    assert_eq!(stage.count("SELECT count(*) FROM reading_hours").await, 240);

    let all = stage.exported(at(BEGIN - 40 * 365 * DAY)..at(BEGIN + 4000 * DAY)).await;
    let times: Vec<i64> = all.iter().map(|(second, _)| *second).collect();
    let hours = (0..5 * 24).map(|hour| BEGIN + hour * 3600 + 1800);
    let minutes = (5 * 288..8 * 288).map(|index| BEGIN + index * 300 + 30);
    let singles = (8 * 288..10 * 288).map(|index| BEGIN + index * 300);
    assert_eq!(times, hours.chain(minutes).chain(singles).collect::<Vec<_>>());
    assert!(all.iter().all(|(_, milli)| *milli == 4000));

    let points = async |day: i64| {
        stage.store.points(key, &(at(BEGIN + day * DAY)..at(BEGIN + day * DAY + 3600)), 500).await.unwrap()
    };
    assert_eq!(points(9).await.1, jiff::SignedDuration::ZERO);
    assert_eq!(points(6).await.1.as_secs(), 60);
    assert_eq!(points(2).await.1.as_secs(), 3600);
    // One a minute, in full and as a mean.
    let a_minute =
        stage.store.one_a_minute(key, &(at(BEGIN + 8 * DAY - 600)..at(BEGIN + 8 * DAY + 600))).await.unwrap();
    assert_eq!(a_minute.len(), 4);
    stage.bench.stop().await;
}

#[tokio::test]
async fn a_removed_sensor_is_gone_at_once_and_its_rows_soon_after() {
    let stage = Stage::new().await;
    let other = add(&stage.store, "door", stage.bench.camera("door").await, 0).await;
    let readings: Vec<(i64, i32)> = (0..3000).map(|index| (BEGIN + index * 300, 4000)).collect();
    for some in readings.chunks(1000) {
        stage.store.write(&stage.entries(some)).await.unwrap();
    }
    stage.store.write(&[entry(other.id, BEGIN, 5000)]).await.unwrap();
    stage.store.delete(stage.sensor.id).await.unwrap();
    assert_eq!(stage.store.write(&stage.entries(&[(BEGIN - 5, 1)])).await.unwrap(), 0, "nobody's reading is no row");
    assert_eq!(stage.store.keys().await.unwrap(), (vec![other.key], vec![stage.sensor.key]));
    let mut steps = 0;
    while stage.store.forget_gone(stage.sensor.key).await.unwrap() {
        steps += 1;
    }
    assert!(steps > 10, "{steps} small steps");
    for table in ["readings", "reading_minutes", "reading_hours", "reading_days"] {
        assert_eq!(stage.count(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
    assert_eq!(stage.store.keys().await.unwrap(), (vec![other.key], vec![]));
    stage.bench.stop().await;
}

#[tokio::test]
async fn what_is_heard_becomes_the_latest_at_once_and_a_row_soon() {
    let stage = Stage::new().await;
    let tasks = Tasks::new();
    let deps = Deps {
        db: stage.bench.db.clone(),
        clock: Clock::new(),
        tasks: tasks.clone(),
        state: stage.bench.root().to_owned(),
        cache: stage.bench.cache(),
    };
    let temperatures = Temperatures::start(&Config::default(), deps.clone()).await.unwrap();
    let mut told = temperatures.watch();
    let heard = |second: i64, value: Option<i32>| Heard {
        source: stage.sensor.source.clone(),
        captured_at: at(second),
        received_at: at(second),
        value: value.map(MilliCelsius),
    };
    assert_eq!(temperatures.offer(heard(BEGIN, Some(4000))), Taken::Kept);
    assert_eq!(temperatures.offer(heard(BEGIN, Some(4000))), Taken::OutOfOrder);
    assert_eq!(temperatures.offer(heard(BEGIN + 30, None)), Taken::Kept, "a probe that failed is told, and no row");
    assert_eq!(temperatures.offer(heard(BEGIN + 60, Some(4500))), Taken::Kept);
    let stranger = Heard { source: Source::Probe { camera: CameraId::random(), index: 0 }, ..heard(BEGIN, Some(1)) };
    assert_eq!(temperatures.offer(stranger), Taken::Unknown);
    assert_eq!(temperatures.discovered().len(), 1);
    let values = [told.recv().await, told.recv().await, told.recv().await].map(|told| told.unwrap().value);
    assert_eq!(values, [Some(MilliCelsius(4000)), None, Some(MilliCelsius(4500))]);
    assert_eq!(temperatures.state(stage.sensor.id), State::Fresh);

    // What is told to stop has written what it took.
    assert!(tasks.stop(std::time::Duration::from_secs(10)).await);
    assert_eq!(stage.count("SELECT count(*) FROM readings").await, 2);
    let again = Temperatures::start(&Config::default(), Deps { tasks: Tasks::new(), ..deps }).await.unwrap();
    assert_eq!(again.latest(stage.sensor.id).unwrap().captured_at, at(BEGIN + 60));
    assert_eq!(again.interval(stage.sensor.id).as_secs(), 60);
    let nearest = again.nearest(&stage.sensor, at(BEGIN + 31)).await.unwrap().unwrap();
    assert_eq!(nearest.captured_at, at(BEGIN + 60));
    stage.bench.stop().await;
}

#[tokio::test]
async fn marks_go_up_and_down_and_those_of_strangers_are_left_out() {
    let stage = Stage::new().await;
    let camera = stage.bench.camera("cellar").await;
    let mark = |boot, seq| ReadingMark { boot, seq };
    stage.store.save_marks(&[(camera, mark(7, u32::MAX)), (CameraId::random(), mark(1, 1))]).await.unwrap();
    assert_eq!(stage.store.marks().await.unwrap(), [(camera, mark(7, u32::MAX))]);
    stage.store.save_marks(&[(camera, mark(1, 2))]).await.unwrap();
    assert_eq!(stage.store.marks().await.unwrap(), [(camera, mark(1, 2))]);
    stage.bench.stop().await;
}

#[tokio::test]
async fn names_and_sources_are_taken_once() {
    let stage = Stage::new().await;
    let again = Sensor { id: SensorId::random(), name: "other".to_owned(), ..(*stage.sensor).clone() };
    assert!(matches!(stage.store.insert(&again).await, Err(Error::SourceTaken)));
    let source = Source::Text { address: IpAddr::from([10, 0, 0, 7]), device: "cam_one_temp".to_owned() };
    let same_name = Sensor { name: "top".to_owned(), source: source.clone(), ..again.clone() };
    assert!(matches!(stage.store.insert(&same_name).await, Err(Error::NameTaken(name)) if name == "top"));
    let text = stage.store.insert(&Sensor { source, unit: Unit::Fahrenheit, ..again }).await.unwrap();
    assert_eq!(stage.store.all().await.unwrap().iter().find(|sensor| sensor.name == "other"), Some(&text));
    stage.bench.stop().await;
}

#[tokio::test]
async fn a_plan_covers_what_is_asked_when_nothing_is_kept() {
    let range = at(BEGIN)..at(BEGIN + 60);
    let plan = Plan::new(&range, 2, super::series::Begins::default());
    assert!(plan.widened(&range).start <= range.start);
    let stage = Stage::new().await;
    assert_eq!(stage.store.points(stage.sensor.key, &range, 500).await.unwrap().0, []);
    assert_eq!(stage.exported(range).await, []);
    stage.bench.stop().await;
}
