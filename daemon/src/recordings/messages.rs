//! Recordings, gaps and pins as messages: pure.

use std::ops::Range;

use jiff::Timestamp;
use larder_proto::pb;

use super::{EndReason, Gap, GapReason, Pin, RunSummary, Stretch};
use crate::pb_time::timestamp;

pub(super) fn recording(summary: &RunSummary) -> pb::Recording {
    let run = &summary.run;
    let (width, height) = run.size;
    pb::Recording {
        id: run.id.0.to_string(),
        camera_id: run.camera.to_string(),
        started_at: Some(timestamp(run.started_at)),
        ended_at: run.ended_at.map(timestamp),
        end_reason: run.end_reason.map(end_reason).unwrap_or_default().into(),
        size: Some(pb::FrameSize { width: width.into(), height: height.into() }),
        size_bytes: summary.size_bytes,
        segments: u32::try_from(summary.segments).unwrap_or(u32::MAX),
        fragments: u32::try_from(summary.fragments).unwrap_or(u32::MAX),
        codec: run.codec.clone(),
        pinned: summary.pinned,
        date_unknown: !run.dated.is_known,
    }
}

pub(super) fn gap(gap: &Gap) -> pb::Gap {
    pb::Gap {
        started_at: Some(timestamp(gap.started_at)),
        ended_at: gap.ended_at.map(timestamp),
        reason: gap_reason(gap.reason).into(),
    }
}

fn end_reason(reason: EndReason) -> pb::EndReason {
    match reason {
        EndReason::Stopped => pb::EndReason::Stopped,
        EndReason::CameraOffline => pb::EndReason::CameraOffline,
        EndReason::Stalled => pb::EndReason::Stalled,
        EndReason::SizeChanged => pb::EndReason::SizeChanged,
        EndReason::ClockStepped => pb::EndReason::ClockStepped,
        EndReason::Midnight => pb::EndReason::Midnight,
        EndReason::HubStopped => pb::EndReason::HubStopped,
        EndReason::HubDown => pb::EndReason::HubDown,
        EndReason::EncoderFailed => pb::EndReason::EncoderFailed,
        EndReason::DiskFull => pb::EndReason::DiskFull,
        EndReason::DiskFailed => pb::EndReason::DiskFailed,
    }
}

fn gap_reason(reason: GapReason) -> pb::GapReason {
    match reason {
        GapReason::CameraOffline => pb::GapReason::CameraOffline,
        GapReason::Stalled => pb::GapReason::Stalled,
        GapReason::DiskFull => pb::GapReason::DiskFull,
        GapReason::DiskFailed => pb::GapReason::DiskFailed,
        GapReason::EncoderFailed => pb::GapReason::EncoderFailed,
        GapReason::HubDown => pb::GapReason::HubDown,
        GapReason::NotScheduled => pb::GapReason::NotScheduled,
        GapReason::Deleted => pb::GapReason::Deleted,
        GapReason::ClockStepped => pb::GapReason::ClockStepped,
    }
}

pub(super) fn pin(pin: &Pin) -> pb::Pin {
    pb::Pin {
        id: pin.id.to_string(),
        camera_id: pin.camera.to_string(),
        range: Some(range(&pin.range)),
        note: pin.note.clone(),
        created_at: Some(timestamp(pin.created_at)),
    }
}

pub(super) fn span(stretch: &Stretch) -> pb::timeline::Span {
    pb::timeline::Span {
        recording_id: stretch.run.0.to_string(),
        started_at: Some(timestamp(stretch.range.start)),
        ended_at: Some(timestamp(stretch.range.end)),
        size_bytes: stretch.size_bytes,
        date_unknown: !stretch.is_date_known,
    }
}

pub(super) fn range(range: &Range<Timestamp>) -> pb::TimeRange {
    pb::TimeRange { from: Some(timestamp(range.start)), to: Some(timestamp(range.end)) }
}

#[cfg(test)]
mod tests {
    use larder_proto::Words as _;

    use super::*;

    #[test]
    fn reasons_are_called_in_messages_as_they_are_in_rows() {
        for reason in EndReason::ALL {
            assert_eq!(end_reason(reason).word(), reason.name());
        }
        for reason in GapReason::ALL {
            assert_eq!(gap_reason(reason).word(), reason.name());
        }
    }
}
