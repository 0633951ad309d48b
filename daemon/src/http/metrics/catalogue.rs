//! Every metric that the hub keeps: its name, what it means, and the labels it carries.
//!
//! Labels have few values: names of reasons, codes and protocols, cameras, which people add by hand, and those who watch
//! live at this moment. Nothing that a stranger chooses becomes one.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// What kind of number it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Only grows, from 0 at the hub's start.
    Counter,
    /// What is so at this moment.
    Gauge,
    /// How many lay at or below each bound, their sum and their count.
    Histogram,
}

impl Kind {
    /// As the text format names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, which ends in its base unit and, for a counter, in `_total`.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, labels, help }
}

/// All of them, in the order of the documentation (`docs/operations.md`).
pub const METRICS: &[Metric] = &[
    // The hub as a whole.
    gauge("larder_build_info", &["version"], "always 1; its label says which version runs"),
    gauge("larder_part_ready", &["part"], "1 while the part works, as in /readyz"),
    gauge("larder_part_warning", &["part"], "1 while the part works but somebody should look at it"),
    gauge("larder_tasks", &["group"], "asynchronous tasks that are alive"),
    counter("larder_clock_steps_total", &[], "times the wall clock stepped by more than a second"),
    gauge("larder_certificate_expiry_timestamp_seconds", &[], "when the certificate in use ends"),
    // Cameras.
    gauge("larder_camera_info", &["camera", "name"], "always 1; its labels give a camera's name"),
    gauge("larder_camera_online", &["camera"], "1 while the camera sends pictures"),
    gauge("larder_camera_frames_per_second", &["camera"], "frames a second over the last ten seconds"),
    gauge("larder_camera_bytes_per_second", &["camera"], "bytes of frames a second over the last ten seconds"),
    gauge("larder_camera_newest_frame_timestamp_seconds", &["camera"], "when the newest frame was captured"),
    gauge("larder_camera_round_trip_seconds", &["camera"], "round trip of the newest ping"),
    gauge("larder_camera_viewers", &["camera"], "who looks at the camera live"),
    gauge("larder_camera_recording", &["camera"], "1 while the camera is recorded"),
    gauge("larder_camera_recording_lag_seconds", &["camera"], "while recorded, age of the end of its newest fragment"),
    gauge("larder_camera_tap_queue_frames", &["camera"], "frames that wait for the recorder"),
    counter("larder_camera_frames_total", &["camera"], "frames taken in"),
    counter("larder_camera_frames_refused_total", &["camera", "reason"], "frames refused, by camera"),
    counter("larder_frames_refused_total", &["reason"], "frames refused, of all cameras"),
    // The camera link.
    counter("larder_camera_connections_total", &[], "connections to the camera link that were accepted"),
    counter("larder_camera_connections_refused_total", &["reason"], "connections to the camera link sent away"),
    counter("larder_camera_connections_full_total", &[], "times a camera had to wait because all places were taken"),
    counter("larder_camera_accept_failures_total", &[], "connections of cameras that could not be accepted"),
    counter("larder_camera_takeovers_total", &[], "sessions that ended another one of their camera"),
    counter("larder_camera_messages_passed_over_total", &[], "messages of an unknown optional type"),
    counter("larder_camera_reading_paused_total", &[], "times a camera that says too much was made to wait"),
    gauge("larder_camera_sessions", &[], "cameras that are connected and proven"),
    counter("larder_camera_sessions_ended_total", &["reason"], "sessions of cameras that ended"),
    counter("larder_board_pulls_failed_total", &["reason"], "times a board's pictures could not be fetched"),
    // Thermometers.
    counter("larder_reading_datagrams_total", &[], "datagrams with temperatures that came"),
    counter("larder_reading_datagrams_refused_total", &["reason"], "datagrams with temperatures that were refused"),
    counter("larder_readings_total", &["way", "outcome"], "readings of temperatures that were handed on"),
    // The recorder.
    counter("larder_tap_frames_missed_total", &[], "frames the recorder lost because its queue was full"),
    counter("larder_recorder_frames_dropped_total", &[], "frames not recorded for sharing a millisecond with others"),
    counter("larder_recorder_runs_ended_total", &["reason"], "runs of recording that ended"),
    counter("larder_recorder_encoder_restarts_total", &[], "times ffmpeg failed and was to be started again"),
    counter("larder_recorder_fragments_total", &[], "fragments that are safely on disk"),
    counter("larder_recorder_written_bytes_total", &[], "bytes of fragments that are safely on disk"),
    counter("larder_recorder_cut_bytes_total", &[], "bytes cut off interrupted recordings and kept beside them"),
    counter("larder_recorder_verified_bytes_total", &[], "bytes of recordings that were compared with their checksums"),
    counter("larder_recorder_damaged_fragments_total", &[], "fragments found that are not what was recorded"),
    counter("larder_recorder_gaps_total", &["reason"], "times without recording that began"),
    gauge("larder_recorder_rows_pending", &[], "rows that wait to be written to the database"),
    counter("larder_recorder_rows_missed_total", &[], "rows left to the sweep: the database was away or too slow"),
    gauge("larder_recordings_bytes", &[], "bytes of all recordings, counted once a minute"),
    gauge("larder_disk_free_bytes", &[], "bytes free on the recordings' file system"),
    gauge("larder_disk_size_bytes", &[], "bytes of the recordings' file system"),
    gauge("larder_disk_floor_bytes", &[], "bytes that are kept free; below, recording stops"),
    // Temperatures.
    gauge(
        "larder_sensor_info",
        &["sensor", "name", "camera"],
        "always 1; its labels give a sensor's name and its camera",
    ),
    gauge("larder_sensor_celsius", &["sensor"], "the newest reading, while it is fresh"),
    gauge("larder_sensor_fresh", &["sensor"], "1 while readings come and the probe works"),
    gauge("larder_sensor_newest_reading_timestamp_seconds", &["sensor"], "when the newest reading was captured"),
    counter("larder_readings_written_total", &[], "readings that became rows"),
    gauge("larder_readings_waiting", &[], "readings that wait to be written to the database"),
    counter(
        "larder_readings_dropped_total",
        &["reason"],
        "readings lost: the queue was full, the disk hung, or the clock was never set",
    ),
    // Alarms.
    gauge("larder_alarms_raised", &[], "alarms that are raised"),
    counter("larder_alarm_transitions_total", &["occasion"], "times an alarm was raised, repeated or cleared"),
    counter("larder_alarm_rows_lost_total", &[], "alarms not written down: the database was away for too long"),
    // Jobs.
    gauge("larder_jobs_waiting", &["kind"], "jobs that wait for their turn or their next attempt"),
    gauge("larder_jobs_running", &["kind"], "jobs that are being done"),
    counter(
        "larder_jobs_total",
        &["kind", "result"],
        "attempts and ends of jobs: succeeded, retried, failed, cancelled, dropped",
    ),
    // The broker.
    gauge("larder_moq_up", &[], "1 while the relay of moq.url is reached"),
    counter("larder_moq_connections_total", &[], "times the relay of moq.url was reached"),
    gauge("larder_mqtt_up", &[], "1 while the broker of mqtt.url is reached"),
    counter("larder_mqtt_connections_total", &[], "times the broker was reached"),
    // The database.
    gauge("larder_database_up", &[], "1 while the database answers"),
    counter("larder_database_reconnects_total", &[], "times the database came back"),
    gauge("larder_database_connections", &["state"], "connections of the pool, in use and idle"),
    gauge("larder_database_waiting", &[], "calls that wait for a connection of the pool"),
    // Backups.
    gauge("larder_backup_newest_timestamp_seconds", &[], "when the newest backup of the database was begun"),
    counter("larder_backup_failures_total", &[], "backups of the database that failed"),
    // Viewers and callers.
    gauge("larder_live_viewers", &["protocol"], "live viewers that are connected"),
    counter("larder_live_frames_sent_total", &["protocol"], "frames sent to live viewers"),
    counter("larder_live_frames_skipped_total", &["protocol"], "frames that slow live viewers skipped"),
    counter("larder_live_ended_total", &["protocol", "reason"], "live views that ended"),
    gauge(
        "larder_viewer_info",
        &["viewer", "camera", "protocol"],
        "always 1; its labels say what a live viewer watches and how",
    ),
    counter("larder_viewer_frames_delivered_total", &["viewer"], "frames that the viewer has whole"),
    counter("larder_viewer_frames_skipped_total", &["viewer"], "frames that the viewer was not sent"),
    gauge("larder_viewer_queued_bytes", &["viewer"], "bytes that are on their way to the viewer"),
    gauge("larder_viewer_round_trip_seconds", &["viewer"], "round trip to the viewer, where its protocol tells"),
    gauge("larder_viewer_frames_per_second", &["viewer"], "frames a second over the last ten seconds"),
    gauge("larder_viewer_bytes_per_second", &["viewer"], "bytes of frames a second over the last ten seconds"),
    counter("larder_relay_refused_total", &["reason"], "far viewers that were not let in"),
    counter("larder_relay_retries_total", &[], "far viewers that had to prove their address first"),
    counter("larder_relay_scaled_total", &[], "pictures made smaller for viewers who asked or whose line is thin"),
    counter("larder_relay_scale_failures_total", &[], "pictures that could not be made smaller: damaged"),
    gauge("larder_http_connections", &["listener"], "connections that are open"),
    counter("larder_http_connections_refused_total", &["listener", "reason"], "connections that came to no request"),
    counter("larder_http_connections_full_total", &["listener"], "times a peer had to wait: all places were taken"),
    counter("larder_http_connections_cut_total", &["listener", "reason"], "connections that the hub ended"),
    counter("larder_http_streams_cut_total", &["listener"], "HTTP/2 streams that their peer did not read for 30 s"),
    counter("larder_http_requests_total", &["status"], "HTTP requests by class of status; gRPC is counted below"),
    counter("larder_rpc_requests_total", &["code"], "gRPC calls by code; a stream by how it began"),
    histogram("larder_rpc_duration_seconds", &[], "time to a gRPC call's answer, of a stream to its first headers"),
    counter("larder_rpc_shed_total", &["kind"], "gRPC calls refused because too many ran"),
    counter("larder_denied_total", &["reason"], "requests refused for want of a permission"),
    counter("larder_sign_ins_refused_total", &[], "sign-ins with a wrong name or password"),
    // The process, as Prometheus' own libraries name it.
    counter("process_cpu_seconds_total", &[], "time on a processor, user and system, of larderd alone"),
    gauge("process_resident_memory_bytes", &[], "resident memory of larderd alone"),
    gauge("process_virtual_memory_bytes", &[], "virtual memory of larderd alone"),
    gauge("process_open_fds", &[], "file descriptors that are open"),
    gauge("process_max_fds", &[], "file descriptors that may be open"),
    gauge("process_threads", &[], "threads of larderd"),
    gauge("process_start_time_seconds", &[], "when larderd was started"),
];

/// Tells the recorder what each means, and begins those without labels at 0: a rate that begins with its first event
/// would miss it.
pub(super) fn describe() {
    for Metric { name, kind, labels, help } in METRICS {
        match kind {
            Kind::Counter => describe_counter!(*name, *help),
            Kind::Gauge => describe_gauge!(*name, *help),
            Kind::Histogram => describe_histogram!(*name, Unit::Seconds, *help),
        }
        // The process's are read from the kernel when somebody looks.
        if labels.is_empty() && *kind == Kind::Counter && !name.starts_with("process_") {
            metrics::counter!(*name).absolute(0);
        }
    }
}

/// HELP and TYPE of those that have no value yet, so that a page names all there are.
pub(super) fn declarations(page: &str) -> String {
    let declared = |name: &str| page.contains(&format!("# TYPE {name} "));
    let missing = METRICS.iter().filter(|metric| !declared(metric.name));
    missing.map(|metric| declaration(metric.name)).collect()
}

/// The lines before a metric's values.
pub(super) fn declaration(name: &str) -> String {
    let known = METRICS.iter().find(|metric| metric.name == name);
    let lines = |metric: &Metric| format!("# HELP {name} {}\n# TYPE {name} {}\n", metric.help, metric.kind.name());
    known.map(lines).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn names_end_in_base_units_and_counters_in_total() {
        for Metric { name, kind, help, .. } in METRICS {
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(name.starts_with("larder_") || name.starts_with("process_"), "{name}");
            for other in ["_ms", "_us", "_minutes", "_kb", "_mb", "_percent"] {
                assert!(!name.contains(other), "{name} is not in a base unit");
            }
            assert!(!help.ends_with('.') && !help.contains(['\\', '\n']), "{name}: {help}");
        }
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len(), "each once");
    }

    #[test]
    fn every_metric_that_is_counted_anywhere_is_in_the_catalogue() {
        let mut found = 0;
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap();
                for (kind, word) in [(Kind::Counter, "counter"), (Kind::Gauge, "gauge"), (Kind::Histogram, "histogram")]
                {
                    for rest in text.split(&format!("metrics::{word}!(")).skip(1) {
                        let Some(name) = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next())
                        else {
                            continue;
                        };
                        let known = METRICS.iter().find(|metric| metric.name == name);
                        assert!(known.is_some_and(|known| known.kind == kind), "{name} in {}", path.display());
                        found += 1;
                    }
                }
            }
        }
        assert!(found > 20, "only {found} were found");
    }

    #[test]
    fn the_documentation_has_a_row_for_each_metric_and_no_other() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
        let docs = fs::read_to_string(docs).unwrap();
        let rows: Vec<String> = METRICS
            .iter()
            .map(|Metric { name, kind, labels, help }| {
                let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
                format!("| `{name}` | {} | {} | {help} |", kind.name(), labels.join(", "))
            })
            .collect();
        let is_metric = |line: &&str| line.starts_with("| `larder_") || line.starts_with("| `process_");
        let documented: Vec<&str> = docs.lines().filter(is_metric).collect();
        assert_eq!(documented, rows, "the rows to write down:\n{}", rows.join("\n"));
    }
}
