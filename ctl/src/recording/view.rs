//! How recordings look to people and to programs.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use larder_proto::{
    Words as _,
    pb::{EndReason, GapReason, Pin, Recording, Timeline},
};
use serde::Serialize;

use crate::{
    Failure, Out, job,
    units::{show_bytes, show_count, show_duration},
    when,
};

/// Of what was recorded before the clock was set, by a machine that was started again since.
const UNKNOWN: &str = "date unknown";

/// A recording, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in recordings.proto, with units")]
pub struct RecordingView {
    pub id: String,
    pub camera_id: String,
    pub camera: Option<String>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: String,
    pub width: u32,
    pub height: u32,
    pub size_bytes: u64,
    pub segments: u32,
    pub fragments: u32,
    pub codec: String,
    pub pinned: bool,
    pub date_unknown: bool,
}

/// A range of time and what is recorded in it, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in recordings.proto, with units")]
pub struct TimelineView {
    pub camera_id: String,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub spans: Vec<SpanView>,
    pub gaps: Vec<GapView>,
    pub pins: Vec<PinView>,
}

/// A recorded stretch, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in recordings.proto, with units")]
pub struct SpanView {
    pub recording_id: String,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub size_bytes: u64,
    pub date_unknown: bool,
}

/// A time without recording, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in recordings.proto, with units")]
pub struct GapView {
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub reason: String,
}

/// A pin, for programs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in recordings.proto, with units")]
pub struct PinView {
    pub id: String,
    pub camera_id: String,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub note: String,
    pub created_at: Option<Timestamp>,
}

/// A URL that plays, for programs.
#[derive(Serialize)]
pub(super) struct PlayUrlView {
    pub(super) path: String,
    pub(super) urls: Vec<String>,
    pub(super) expires_at: Option<Timestamp>,
}

/// What was deleted, for programs.
#[derive(Serialize)]
pub(super) struct DeletedView {
    pub(super) segments: u64,
    pub(super) bytes: u64,
    /// Absent when there was nothing to delete.
    pub(super) job: Option<job::View>,
}

/// Says what was deleted, or is being deleted.
pub(super) fn deleted(view: &DeletedView, out: &mut Out) -> Result<(), Failure> {
    let finished = view.job.as_ref().filter(|job| job.finished_at.is_some());
    finished.map_or(Ok(()), job::check)?;
    out.one(view, |out| {
        let what = format!("{}, {}", show_count(view.segments, "segment"), show_bytes(view.bytes));
        match &view.job {
            None => out.line("there is nothing to delete"),
            Some(_) if finished.is_some() => out.line(&format!("deleted {what}")),
            Some(job) => out.line(&format!("deleting {what}: larderctl job watch {}", job.id)),
        }
    })
}

impl RecordingView {
    /// With the camera's name, if it is among `names` (by id).
    pub fn of(recording: Recording, names: &BTreeMap<String, String>) -> Self {
        let size = recording.size.unwrap_or_default();
        Self {
            camera: names.get(&recording.camera_id).cloned(),
            id: recording.id,
            camera_id: recording.camera_id,
            started_at: when::from_wire(recording.started_at.as_ref()),
            ended_at: when::from_wire(recording.ended_at.as_ref()),
            end_reason: EndReason::word_of(recording.end_reason),
            width: size.width,
            height: size.height,
            size_bytes: recording.size_bytes,
            segments: recording.segments,
            fragments: recording.fragments,
            codec: recording.codec,
            pinned: recording.pinned,
            date_unknown: recording.date_unknown,
        }
    }
}

impl From<Timeline> for TimelineView {
    fn from(timeline: Timeline) -> Self {
        let range = timeline.range.unwrap_or_default();
        let spans = timeline.spans.into_iter().map(|span| SpanView {
            recording_id: span.recording_id,
            started_at: when::from_wire(span.started_at.as_ref()),
            ended_at: when::from_wire(span.ended_at.as_ref()),
            size_bytes: span.size_bytes,
            date_unknown: span.date_unknown,
        });
        let gaps = timeline.gaps.into_iter().map(|gap| GapView {
            started_at: when::from_wire(gap.started_at.as_ref()),
            ended_at: when::from_wire(gap.ended_at.as_ref()),
            reason: GapReason::word_of(gap.reason),
        });
        Self {
            camera_id: timeline.camera_id,
            from: when::from_wire(range.from.as_ref()),
            to: when::from_wire(range.to.as_ref()),
            spans: spans.collect(),
            gaps: gaps.collect(),
            pins: timeline.pins.into_iter().map(PinView::from).collect(),
        }
    }
}

impl From<Pin> for PinView {
    fn from(pin: Pin) -> Self {
        let range = pin.range.unwrap_or_default();
        Self {
            id: pin.id,
            camera_id: pin.camera_id,
            from: when::from_wire(range.from.as_ref()),
            to: when::from_wire(range.to.as_ref()),
            note: pin.note,
            created_at: when::from_wire(pin.created_at.as_ref()),
        }
    }
}

pub(super) fn list(views: &[RecordingView], out: &mut Out) -> Result<(), Failure> {
    let (now, zone) = (out.now(), out.zone().clone());
    let stamp = |at: Option<Timestamp>| at.map(|at| when::show(at, &zone)).unwrap_or_default();
    out.list(views, &["CAMERA", "STARTED", "LENGTH", "SIZE", "PICTURE", "ENDED BY", "PINNED", "ID"], |view| {
        vec![
            view.camera.clone().unwrap_or_else(|| view.camera_id.clone()),
            if view.date_unknown { UNKNOWN.to_owned() } else { stamp(view.started_at) },
            length(view.started_at, view.ended_at.or(Some(now))),
            show_bytes(view.size_bytes),
            format!("{}×{}", view.width, view.height),
            end(view),
            if view.pinned { "yes" } else { "" }.to_owned(),
            view.id.clone(),
        ]
    })
}

pub(super) fn show(view: &RecordingView, out: &mut Out) -> Result<(), Failure> {
    let (now, zone) = (out.now(), out.zone().clone());
    let stamp = |at: Option<Timestamp>| {
        let shown = at.map(|at| when::show(at, &zone)).unwrap_or_default();
        if view.date_unknown && at.is_some() { format!("{UNKNOWN} ({shown} by its clock)") } else { shown }
    };
    out.one(view, |out| {
        out.fields(&[
            ("Id", view.id.clone()),
            ("Camera", view.camera.clone().unwrap_or_else(|| view.camera_id.clone())),
            ("Started", stamp(view.started_at)),
            ("Ended", stamp(view.ended_at)),
            ("Ended by", end(view)),
            ("Length", length(view.started_at, view.ended_at.or(Some(now)))),
            ("Picture", format!("{}×{}, {}", view.width, view.height, view.codec)),
            (
                "On disk",
                format!(
                    "{} in {}, {}",
                    show_bytes(view.size_bytes),
                    show_count(view.segments, "segment"),
                    show_count(view.fragments, "fragment")
                ),
            ),
            ("Pinned", if view.pinned { "yes" } else { "no" }.to_owned()),
        ])
    })
}

/// One row of a timeline: spans, gaps and pins sorted into one order of time.
struct Row {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    what: String,
    detail: String,
}

pub(super) fn timeline(view: &TimelineView, out: &mut Out) -> Result<(), Failure> {
    let (now, zone) = (out.now(), out.zone().clone());
    let rows = rows(view);
    out.one(view, |out| {
        if rows.is_empty() {
            return out.line("nothing is known of this time");
        }
        let text = crate::output::table(
            &["FROM", "TO", "LENGTH", "WHAT", "DETAIL"],
            rows.iter().map(|row| {
                vec![
                    row.from.map(|at| when::show(at, &zone)).unwrap_or_default(),
                    row.to.map_or("going on".to_owned(), |at| when::show(at, &zone)),
                    length(row.from, row.to.or(Some(now))),
                    row.what.clone(),
                    row.detail.clone(),
                ]
            }),
        );
        out.line(&text)
    })
}

fn rows(view: &TimelineView) -> Vec<Row> {
    let spans = view.spans.iter().map(|span| Row {
        from: span.started_at,
        to: span.ended_at,
        what: "recorded".to_owned(),
        detail: {
            let unknown = if span.date_unknown { format!(", {UNKNOWN}") } else { String::new() };
            format!("{}, {}{unknown}", show_bytes(span.size_bytes), span.recording_id)
        },
    });
    let gaps = view.gaps.iter().map(|gap| Row {
        from: gap.started_at,
        to: gap.ended_at,
        what: "gap".to_owned(),
        detail: gap.reason.replace('_', " "),
    });
    let pins = view.pins.iter().map(|pin| Row {
        from: pin.from,
        to: pin.to,
        what: "pinned".to_owned(),
        detail: if pin.note.is_empty() { pin.id.clone() } else { format!("{}, {}", pin.note, pin.id) },
    });
    let mut rows: Vec<_> = spans.chain(gaps).chain(pins).collect();
    rows.sort_by_key(|row| row.from);
    rows
}

fn end(view: &RecordingView) -> String {
    if view.end_reason.is_empty() { "going on".to_owned() } else { view.end_reason.replace('_', " ") }
}

fn length(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let (Some(from), Some(to)) = (from, to) else { return String::new() };
    show_duration(Duration::try_from(to.duration_since(from)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use larder_proto::pb::{FrameSize, Gap, TimeRange, timeline::Span};

    use super::*;
    use crate::output::tests::Written;

    fn at(minute: i64) -> Option<prost_types::Timestamp> {
        let noon: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        Some(prost_types::Timestamp { seconds: noon.as_second() + 60 * minute, nanos: 0 })
    }

    fn recording(ended: bool) -> RecordingView {
        let recording = Recording {
            id: "0193-run".into(),
            camera_id: "6f8a".into(),
            started_at: at(0),
            ended_at: ended.then(|| at(90)).flatten(),
            end_reason: if ended { EndReason::CameraOffline } else { EndReason::Unspecified }.into(),
            size: Some(FrameSize { width: 640, height: 480 }),
            size_bytes: 123_456_789,
            segments: 90,
            fragments: 1_350,
            codec: "avc1.42C01E".into(),
            pinned: ended,
            date_unknown: false,
        };
        RecordingView::of(recording, &[("6f8a".to_owned(), "fridge".to_owned())].into())
    }

    fn day() -> TimelineView {
        TimelineView::from(Timeline {
            camera_id: "6f8a".into(),
            range: Some(TimeRange { from: at(-60), to: at(180) }),
            spans: vec![
                Span {
                    recording_id: "run-1".into(),
                    started_at: at(-60),
                    ended_at: at(0),
                    size_bytes: 50_000_000,
                    date_unknown: false,
                },
                Span {
                    recording_id: "run-2".into(),
                    started_at: at(10),
                    ended_at: at(120),
                    size_bytes: 90_000_000,
                    date_unknown: false,
                },
            ],
            gaps: vec![
                Gap { started_at: at(0), ended_at: at(10), reason: GapReason::CameraOffline.into() },
                Gap { started_at: at(120), ended_at: None, reason: GapReason::HubDown.into() },
            ],
            pins: vec![Pin {
                id: "pin-1".into(),
                range: Some(TimeRange { from: at(15), to: at(20) }),
                note: "who took the milk".into(),
                ..Default::default()
            }],
        })
    }

    #[test]
    fn the_list_says_why_each_ended() {
        let written = Written::default();
        list(&[recording(false), recording(true)], &mut written.out(false)).expect("written");
        insta::assert_snapshot!(written.text());
    }

    #[test]
    fn a_recording_without_a_date_says_so() {
        let undated = RecordingView { date_unknown: true, ..recording(true) };
        let written = Written::default();
        list(std::slice::from_ref(&undated), &mut written.out(false)).expect("written");
        assert!(written.text().contains("date unknown"), "{}", written.text());
        assert!(!written.text().contains("2026"), "{}", written.text());
        let written = Written::default();
        show(&undated, &mut written.out(false)).expect("written");
        assert!(written.text().contains("date unknown (2026-"), "{}", written.text());
    }

    #[test]
    fn one_recording_is_shown_with_all_that_is_known() {
        let written = Written::default();
        show(&recording(true), &mut written.out(false)).expect("written");
        insta::assert_snapshot!(written.text());
    }

    #[test]
    fn a_timeline_is_in_the_order_of_time() {
        let written = Written::default();
        timeline(&day(), &mut written.out(false)).expect("written");
        insta::assert_snapshot!(written.text());
    }

    #[test]
    fn a_timeline_for_programs_keeps_its_three_lists() {
        let written = Written::default();
        timeline(&day(), &mut written.out(true)).expect("written");
        insta::assert_snapshot!(written.text());
    }
}
