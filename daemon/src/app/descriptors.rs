//! How many files the process may have open at once. A connection is one of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Beside connections and the recordings that are read for them: the database's, ffmpeg's pipes, what is written.
const OTHERS: u64 = 512;

/// Raises the limit so far that all `connections` fit. Most systems begin with 1024 and allow more: with that, strangers
/// who only connect would keep the recorder from opening its own files.
pub(super) fn raise(connections: usize) {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(OTHERS);
    let limit = getrlimit(Resource::Nofile);
    if let Some(raised) = raised(limit, needed)
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    if let Some(most) = limit.maximum.filter(|most| *most < needed) {
        tracing::warn!(
            files.most = most,
            files.needed = needed,
            "the system allows too few open files: raise LimitNOFILE, or lower http.max_connections"
        );
    }
}

/// The limit to set; `None` when it is high enough already, or can't be higher.
fn raised(limit: Rlimit, needed: u64) -> Option<Rlimit> {
    let wanted = limit.maximum.map_or(needed, |most| most.min(needed));
    let current = limit.current?;
    (current < wanted).then_some(Rlimit { current: Some(wanted), maximum: limit.maximum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_what_is_needed_as_far_as_the_system_allows() {
        let limit = |current, maximum| Rlimit { current, maximum };
        assert_eq!(raised(limit(Some(1024), Some(524_288)), 5000), Some(limit(Some(5000), Some(524_288))));
        assert_eq!(raised(limit(Some(1024), Some(4096)), 5000), Some(limit(Some(4096), Some(4096))));
        assert_eq!(raised(limit(Some(1024), None), 5000), Some(limit(Some(5000), None)));
        assert_eq!(raised(limit(Some(8192), Some(524_288)), 5000), None);
        assert_eq!(raised(limit(None, None), 5000), None);
    }

    #[test]
    fn a_crowd_of_connections_fits() {
        raise(1000);
        let limit = getrlimit(Resource::Nofile);
        let most = limit.maximum.unwrap_or(u64::MAX);
        assert!(limit.current.unwrap_or(u64::MAX) >= most.min(2000 + OTHERS), "{limit:?}");
    }
}
