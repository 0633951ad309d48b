//! What people ask for: graphs with their gaps, across a change of the clocks, and everything `larderctl` shows.

use std::{fs, path::Path, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use larder_proto::pb;

use super::{probe::Probe, rows, seconds, sensor, series};
use crate::{
    ctl::larderctl,
    support::{Home, Hub, until},
};

const ZONE: &str = "Europe/Berlin";
const HOUR: i64 = 3600;
/// Between two readings, in seconds.
const INTERVAL: i64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_that_is_there_twice_or_not_at_all_is_one_of_many_and_a_gap_stays_one() {
    // The hub and its cluster have a zone whose clocks are changed twice a year.
    let home = Home::new(&[]).with_variable("TZ", Path::new(ZONE));
    let daemon = home.start();
    let clients = home.clients().await;
    let (camera, key) = clients.add(pb::Camera { name: "fridge".to_owned(), ..Default::default() }).await;
    sensor(&clients, "top", camera).await;
    let mut probe = Probe::new(camera, key, home.thermometers()).await;
    let _session = probe.compare_clocks(&home.link()).await;

    let zone = TimeZone::get(ZONE).unwrap();
    let changes = zone.preceding(Timestamp::now()).take(2).map(|change| change.timestamp().as_second());
    let mut changes: Vec<i64> = changes.collect();
    changes.reverse();
    for (sent, change) in (1..).zip(&changes) {
        // Two hours before and after, the middle of a second each; one is far off, and five of the last hour are lost.
        for at in (change - 2 * HOUR..change + 2 * HOUR).step_by(300) {
            if (change + HOUR..change + HOUR + 5 * INTERVAL).contains(&at) {
                continue;
            }
            let ago = Timestamp::now().duration_since(Timestamp::from_second(at).unwrap()).unsigned_abs();
            let milli = if at == change - HOUR { -18_000 } else { 4_000 };
            probe.read(ago.saturating_sub(Duration::from_millis(500)), milli).await;
        }
        rows(&clients, 43 * sent).await;
    }
    for change in changes {
        let range = seconds(change - 2 * HOUR, change + 2 * HOUR);
        let single = series(&clients, range, 500).await.unwrap();
        let apart: Vec<i64> = single.at_us.windows(2).map(|pair| (pair[1] - pair[0] + 500_000) / 1_000_000).collect();
        let uneven: Vec<&i64> = apart.iter().filter(|apart| **apart != INTERVAL).collect();
        assert_eq!(uneven, [&(6 * INTERVAL)], "what was lost, and no hour of a zone");
        let gap_after = single.gap_after.unwrap().seconds;
        assert!((2 * INTERVAL..4 * INTERVAL).contains(&gap_after), "{gap_after}");
        // By the hour the far value shows, and every hour of UTC has its readings, whatever the clocks say.
        let hours = series(&clients, range, 5).await.unwrap();
        assert_eq!(hours.step.unwrap().seconds, HOUR);
        assert_eq!(hours.count, [12, 12, 12, 7]);
        assert_eq!(hours.min_milli_celsius, [4_000, -18_000, 4_000, 4_000]);
        assert_eq!(hours.max_milli_celsius, [4_000; 4]);
    }
    let state = home.state().to_str().unwrap();
    let (ended, text) = larderctl(state, &["temperature", "export", "top", "--from", "-366d"]).await;
    ended.unwrap();
    let times: Vec<Timestamp> =
        text.lines().skip(1).map(|row| row.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(times.len(), 86);
    assert!(times.is_sorted(), "in UTC no hour is there twice");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_adopts_a_thermometer_and_reads_it() {
    let hub = Hub::start().await;
    let state = hub.state().to_str().unwrap().to_owned();
    let done = async |words: &[&str]| {
        let (ended, text) = larderctl(&state, words).await;
        ended.unwrap_or_else(|failure| panic!("{words:?}: {failure}"));
        text
    };
    let (camera, key) = hub.add_named("fridge").await;
    let mut probe = Probe::new(camera, key, hub.addresses().thermometers).await;
    probe.send(1).await;
    until("it to be heard", || async {
        done(&["sensor", "discovered"]).await.contains("probe 0 of fridge").then_some(())
    })
    .await;
    assert!(larderctl(&state, &["sensor", "adopt", "attic"]).await.0.is_err());
    done(&["sensor", "adopt", "fridge", "--name", "top", "--title", "Top shelf", "--unit", "fahrenheit"]).await;
    probe.send(20).await;
    until("its newest value", || async { done(&["sensor", "list"]).await.contains("32.0 °F").then_some(()) }).await;
    until("its rows", || async {
        let shown = done(&["temperature", "show", "top", "--unit", "celsius"]).await;
        shown.contains("20 readings").then_some(())
    })
    .await;

    let file = hub.state().join("out.csv");
    done(&["temperature", "export", "top", "--from", "-1h", "--output", file.to_str().unwrap()]).await;
    let rows = fs::read_to_string(&file).unwrap();
    assert_eq!(rows.lines().count(), 21, "{rows}");
    assert!(rows.lines().nth(1).unwrap().ends_with(",top,0.002,32.00"), "{rows}");
    let graph = done(&["temperature", "graph", "--from", "-1h"]).await;
    assert!(graph.contains("top") && graph.contains('┤'), "{graph}");
    let points = done(&["temperature", "graph", "top", "--from", "-1h", "--json"]).await;
    let points: serde_json::Value = serde_json::from_str(&points).unwrap();
    assert_eq!(points[0]["points"].as_array().unwrap().len(), 20);

    done(&["sensor", "update", "top", "--offset", "-1.5", "--camera", "none"]).await;
    probe.send(1).await;
    until("the offset to count", || async {
        done(&["temperature", "list", "--unit", "celsius"]).await.contains("-1.5 °C").then_some(())
    })
    .await;
    done(&["sensor", "remove", "top", "--yes"]).await;
    assert!(done(&["sensor", "list"]).await.contains("no sensors yet"));
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_thermometers_are_heard_and_what_is_wrong_with_them_is_told() {
    let hub = Hub::start().await;
    let state = hub.state().to_str().unwrap().to_owned();
    let to = hub.addresses().thermometers.to_string();
    let done = async |words: &[&str]| {
        let (ended, text) = larderctl(&state, words).await;
        ended.unwrap_or_else(|failure| panic!("{words:?}: {failure}"));
        text
    };
    let key = hub.state().join("fridge.key");
    let key = key.to_str().unwrap();
    done(&["camera", "add", "fridge", "--key-file", key]).await;
    done(&["sensor", "add", "top", "--probe", "fridge:1"]).await;
    done(&["sensor", "add", "freezer", "--text", "127.0.0.1=board"]).await;

    let probe = ["sensor", "simulate", "--probe", "fridge:1", "--key-file", key, "--to", &to];
    let said = done(&[&probe[..], &["--every", "1s", "--count", "3", "--replay", "0s:1h"]].concat()).await;
    assert!(said.ends_with("and 2 old datagrams again\n"), "{said}");
    let text = ["sensor", "simulate", "--text", "board", "--to", &to, "--mean", "-18", "--every", "1s"];
    let said = done(&[&text[..], &["--count", "1", "--power-on", "0s:1h", "--json"]].concat()).await;
    assert!(said.contains("power_on"), "{said}");
    let sensor_is = async |name: &str, state: &str| {
        until(&format!("{name} to be {state}"), || async {
            let shown = done(&["sensor", "show", name, "--json"]).await;
            (serde_json::from_str::<serde_json::Value>(&shown).unwrap()["state"] == state).then_some(())
        })
        .await;
    };
    sensor_is("freezer", "failed").await;
    // A board's next reading comes no sooner than its probe can measure.
    tokio::time::sleep(Duration::from_millis(800)).await;
    done(&[&text[..], &["--count", "2"]].concat()).await;
    sensor_is("freezer", "fresh").await;
    until("the rows", || async {
        let shown = [done(&["temperature", "show", "top"]).await, done(&["temperature", "show", "freezer"]).await];
        (shown[0].contains("3 readings") && shown[1].contains("2 readings")).then_some(())
    })
    .await;
    let shown = done(&["temperature", "list", "--json"]).await;
    let sensors: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let celsius = |number: usize| sensors[number]["latest"]["celsius"].as_f64().unwrap();
    assert!((-19.5..-16.5).contains(&celsius(0)) && (3.0..6.5).contains(&celsius(1)), "{shown}");
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_benchmark_asks_for_graphs_of_every_length() {
    let nowhere = tempfile::tempdir().unwrap();
    let state = nowhere.path().to_str().unwrap();
    let words = ["bench", "temperatures", "--days", "3", "--sensors", "2", "--requests", "10", "--json", "--larderd"];
    let (ended, text) = larderctl(state, &[&words[..], &[env!("CARGO_BIN_EXE_larderd")]].concat()).await;
    ended.unwrap();
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Readings, minutes, hours and days of two sensors.
    assert_eq!(rows[0]["rows"], 2 * 3 * (2880 + 1440 + 24 + 1), "{text}");
    let ranges: Vec<_> = rows[1..].iter().map(|row| row["range"].as_str().unwrap()).collect();
    assert_eq!(ranges, ["hour", "day", "week", "month", "year", "all"]);
    assert!(rows[1..].iter().all(|row| row["p99_ms"].as_f64().unwrap() > 0.0 && row["requests"] == 10), "{text}");
}
