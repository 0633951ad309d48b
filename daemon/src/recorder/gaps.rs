//! A camera's open gap: since when nothing is recorded, and why. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::recordings::GapReason;

/// A camera that comes and goes must hold a state this long before it makes a gap of its own: a flapping one would
/// write a row every few seconds.
const HOLD: Duration = Duration::from_secs(30);

/// Since when nothing is recorded, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct OpenGap {
    pub(super) since: Timestamp,
    pub(super) reason: GapReason,
}

impl OpenGap {
    /// The gap with which a hub begins that was alive last at that moment: whatever the cause was until then, from then on
    /// it was that there was no hub. What a person decided stays the cause.
    pub(super) fn interrupted(self, last_alive_at: Option<Timestamp>) -> Self {
        match last_alive_at {
            Some(at) if at > self.since && self.reason != GapReason::NotScheduled => {
                let is_down = self.reason == GapReason::HubDown;
                Self { since: if is_down { self.since } else { at }, reason: GapReason::HubDown }
            }
            _ => self,
        }
    }
}

/// The open gap of one camera, if it is not being recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps {
    open: Option<OpenGap>,
    next: Option<OpenGap>,
}

impl Gaps {
    pub(super) fn open(&self) -> Option<OpenGap> {
        self.open
    }

    /// Starts with a gap that began before.
    pub(super) fn resume(&mut self, gap: OpenGap) {
        *self = Self { open: Some(gap), next: None };
    }

    /// Says why nothing is recorded at `now`. Gives the gap that begins by it.
    pub(super) fn judge(&mut self, now: Timestamp, reason: GapReason) -> Option<OpenGap> {
        let Some(open) = self.open else { return self.begin(OpenGap { since: now, reason }) };
        if open.reason == reason {
            self.next = None;
            return None;
        }
        // A clock that was set back starts the waiting anew.
        let next = match self.next {
            Some(next) if next.reason == reason && next.since <= now => next,
            _ => OpenGap { since: now.max(open.since), reason },
        };
        self.next = Some(next);
        let at_once = !matches!(reason, GapReason::CameraOffline | GapReason::Stalled);
        let held = now.duration_since(next.since) >= jiff::SignedDuration::try_from(HOLD).unwrap_or_default();
        if at_once || held { self.begin(next) } else { None }
    }

    /// Recording begins. Whether a gap was open.
    pub(super) fn close(&mut self) -> bool {
        self.next = None;
        self.open.take().is_some()
    }

    fn begin(&mut self, gap: OpenGap) -> Option<OpenGap> {
        // One that would take the place of another at the same moment is the same row: the first reason stands.
        if self.open.is_some_and(|open| open.since == gap.since) {
            self.open = Some(gap);
            self.next = None;
            return None;
        }
        *self = Self { open: Some(gap), next: None };
        Some(gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_us;

    fn at(seconds: i64) -> Timestamp {
        from_us(1_780_000_000_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn a_change_of_presence_makes_a_gap_of_its_own_only_when_it_lasts() {
        let mut gaps = Gaps::default();
        gaps.resume(OpenGap { since: at(0), reason: GapReason::HubDown });
        assert_eq!(gaps.judge(at(100), GapReason::CameraOffline), None);
        assert_eq!(gaps.judge(at(110), GapReason::Stalled), None);
        assert_eq!(gaps.judge(at(120), GapReason::CameraOffline), None);
        let expected = OpenGap { since: at(120), reason: GapReason::CameraOffline };
        assert_eq!(gaps.judge(at(150), GapReason::CameraOffline), Some(expected));
        assert_eq!(gaps.judge(at(900), GapReason::CameraOffline), None);
    }

    #[test]
    fn a_hub_that_was_killed_makes_a_gap_of_its_own_in_that_of_a_camera() {
        let gap = |seconds, reason| OpenGap { since: at(seconds), reason };
        let offline = gap(0, GapReason::CameraOffline);
        assert_eq!(offline.interrupted(Some(at(60))), gap(60, GapReason::HubDown));
        assert_eq!(offline.interrupted(None), offline);
        for stays in [gap(0, GapReason::NotScheduled), gap(0, GapReason::HubDown), gap(90, GapReason::CameraOffline)] {
            assert_eq!(stays.interrupted(Some(at(60))), stays);
        }
    }

    #[test]
    fn what_a_person_or_the_disk_decided_makes_a_gap_at_once() {
        let mut gaps = Gaps::default();
        assert!(gaps.judge(at(0), GapReason::CameraOffline).is_some());
        assert_eq!(gaps.judge(at(5), GapReason::DiskFull).map(|gap| gap.since), Some(at(5)));
        assert!(gaps.close());
        assert!(!gaps.close());
    }
}
