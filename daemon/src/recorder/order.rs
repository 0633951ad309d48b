//! Which of several cameras' recordings is the oldest, when some have no date that can be believed. Pure.

use jiff::Timestamp;

/// Puts several cameras' recordings into one list, the oldest first. Each camera's are given in the order of their
/// making, which stays whatever their dates are. One without a date counts as old as the one before it, at the beginning
/// as the one behind it; a camera that has no date at all comes last.
pub(super) fn merged<T>(cameras: impl IntoIterator<Item = Vec<(Option<Timestamp>, T)>>) -> Vec<T> {
    let mut all = Vec::new();
    for camera in cameras {
        let first = camera.iter().find_map(|(date, _)| *date);
        let mut newest = first.unwrap_or(Timestamp::MAX);
        for (date, recording) in camera {
            newest = newest.max(date.unwrap_or(newest));
            all.push((newest, recording));
        }
    }
    all.sort_by_key(|(newest, _)| *newest);
    all.into_iter().map(|(_, recording)| recording).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::from_us;

    #[test]
    fn what_has_no_date_keeps_its_place() {
        let fridge = vec![(None, "f0"), (Some(from_us(10)), "f1"), (None, "f2"), (Some(from_us(30)), "f3")];
        let cellar = vec![(Some(from_us(5)), "c0"), (Some(from_us(20)), "c1")];
        let dark = vec![(None, "d0")];
        assert_eq!(merged([fridge, cellar, dark]), ["c0", "f0", "f1", "f2", "c1", "f3", "d0"]);
    }

    proptest! {
        #[test]
        fn a_cameras_own_order_stays_whatever_a_clock_said(
            cameras in proptest::collection::vec(proptest::collection::vec(proptest::option::of(0i64..100), 0..20), 0..4),
        ) {
            let numbered = cameras.iter().enumerate().map(|(camera, dates)| {
                let dates = dates.iter().enumerate();
                dates.map(|(number, date)| (date.map(from_us), (camera, number))).collect()
            });
            let all = merged(numbered);
            for (camera, dates) in cameras.iter().enumerate() {
                let numbers: Vec<_> = all.iter().filter(|(of, _)| *of == camera).map(|(_, number)| *number).collect();
                prop_assert_eq!(numbers, (0..dates.len()).collect::<Vec<_>>());
            }
        }
    }
}
