//! `X-Timestamp`: a board's own time of a picture, as far as it can be believed.

/// The most by which a board's clock may differ from the hub's between two pictures, in microseconds. One that learns
/// the time of day steps by decades; a slow line delays by seconds.
const MOST_STEP_US: u64 = 10_000_000;

/// The times of one stream.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    last: Option<(u64, u64)>,
    is_doubted: bool,
}

impl Stamps {
    /// The board's time of a picture that came at `received_us`. `None`, from the first doubtful one on: when it came
    /// is all that is known.
    pub(super) fn read(&mut self, t_us: Option<u64>, received_us: u64) -> Option<u64> {
        let believed = t_us.filter(|t_us| {
            self.last.is_none_or(|(last_t, last_received)| {
                let (by_board, by_hub) = (t_us.checked_sub(last_t), received_us.saturating_sub(last_received));
                by_board.is_some_and(|step| step > 0 && step.abs_diff(by_hub) <= MOST_STEP_US)
            })
        });
        self.is_doubted |= believed.is_none();
        self.last = believed.map(|t_us| (t_us, received_us));
        believed.filter(|_| !self.is_doubted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    #[test]
    fn times_that_go_on_are_believed() {
        let mut stamps = Stamps::default();
        for (t, received) in [(5 * S, 100 * S), (6 * S, 103 * S), (7 * S, 103 * S + 1)] {
            assert_eq!(stamps.read(Some(t), received), Some(t));
        }
    }

    #[test]
    fn one_doubtful_time_ends_the_belief() {
        for doubtful in [None, Some(5 * S), Some(4 * S), Some(6 * S + 11 * S), Some(1_700_000_000 * S)] {
            let mut stamps = Stamps::default();
            assert_eq!(stamps.read(Some(5 * S), 100 * S), Some(5 * S));
            assert_eq!(stamps.read(doubtful, 101 * S), None, "{doubtful:?}");
            assert_eq!(stamps.read(Some(6 * S), 102 * S), None);
            assert_eq!(stamps.read(Some(7 * S), 103 * S), None, "for the rest of the stream");
        }
    }
}
