//! A short storm: cameras that fail, viewers that come and go, encoders and the database killed. What is in use comes
//! back to where it was.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use clap::Parser as _;
use larder_ctl::{Cli, Out, run};
use tokio_util::sync::CancellationToken;

/// What the command wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_grows_in_a_storm_and_all_comes_back_after_it() {
    let words =
        ["larderctl", "--json", "bench", "soak", "--duration", "30s", "--every", "1s", "--seed", "7", "--larderd"];
    let cli = Cli::try_parse_from(words.iter().chain(&[env!("CARGO_BIN_EXE_larderd")])).unwrap();
    let written = Written::default();
    let mut out = Out::fixed(written.clone(), true, jiff::Timestamp::now());
    let ended = run(cli, &mut out, CancellationToken::new()).await;
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    ended.unwrap_or_else(|failure| panic!("{}: {text}", failure.explain()));
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number =
        |path: &str| report.pointer(path).and_then(serde_json::Value::as_f64).unwrap_or_else(|| panic!("{path}"));
    assert_eq!(report["flat"], true, "{text}");
    assert!(number("/faults/encoders_killed") >= 1.0, "{text}");
    assert!(number("/faults/databases_killed") + number("/faults/databases_restarted") >= 1.0, "{text}");
    assert!(number("/visits/visits") >= 10.0 && number("/visits/bytes") > 100_000.0, "{text}");
    // Counts are back, within what pools and threads for blocking work take by themselves.
    for count in ["open_fds", "threads", "tasks"] {
        let (before, after) = (number(&format!("/before/{count}")), number(&format!("/after/{count}")));
        assert!(after <= before + (before * 0.15).max(16.0), "{count}: {before}, then {after}");
    }
    assert_eq!((number("/after/viewers"), number("/after/parts_not_ready")), (0.0, 0.0), "{text}");
    assert!(number("/rows_after_deleting_all") <= 16.0, "two for each camera that is recorded, and some: {text}");
    // A debug build with four cameras, ten viewers and a pool of connections.
    assert!(number("/after/memory_bytes") < 150e6, "{text}");
}
