//! Whether a camera's pictures come and do not reach the disk: judged by the age of what is surely on it.

use std::{path::Path, time::Duration};

use larder_proto::wire::CameraId;

use super::shared::Shared;
use crate::{hub::Presence, parts::Trouble};

/// The age that counts at any rate: a fragment is two seconds, and a run that ends is waited for for five.
const LEAST: Duration = Duration::from_secs(15);
/// The length of a fragment of a camera that sends several pictures a second.
const FRAGMENT: Duration = Duration::from_secs(2);
/// Fragments that may be missing.
const FRAGMENTS: u32 = 4;

/// For how long each has been so, of a camera that is to be recorded and sends pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    wanted: Duration,
    arriving: Duration,
    /// Since a fragment reached the disk; `None`: none has.
    committed: Option<Duration>,
    /// Between two pictures.
    interval: Duration,
}

impl Look {
    /// A camera that is behind; `None` when it is not, or sends nothing.
    pub(super) fn at(shared: &Shared, camera: CameraId, wanted: Duration) -> Option<Self> {
        let topic = shared.hub.topic(camera)?;
        let presence = *topic.presence().borrow();
        let arriving = shared.clock.now().duration_since(presence.since);
        let look = Self {
            wanted,
            arriving: arriving.try_into().unwrap_or_default(),
            committed: shared.committed_at(camera).map(|at| at.elapsed()),
            interval: topic.interval(),
        };
        (presence.presence == Presence::Online && look.age() > look.limit()).then_some(look)
    }

    /// How long nothing has reached the disk that should have.
    fn age(&self) -> Duration {
        let age = self.wanted.min(self.arriving);
        self.committed.map_or(age, |committed| age.min(committed))
    }

    fn limit(&self) -> Duration {
        LEAST.max(FRAGMENT.max(self.interval) * FRAGMENTS)
    }

    /// As the recorder's trouble. `failure`: why its last run failed, if one did.
    pub(super) fn trouble(&self, name: &str, folder: &Path, failure: Option<String>) -> Trouble {
        let (seconds, folder) = (self.age().as_secs(), folder.display());
        let why = failure.unwrap_or_else(|| {
            "the disk takes nothing or the encoder gives nothing; the part disk and the log say which".to_owned()
        });
        Trouble::new("behind", format!("pictures of {name} come, and none has reached {folder} for {seconds} s: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn is_behind(look: Look) -> bool {
        look.age() > look.limit()
    }

    #[test]
    fn a_camera_is_behind_when_it_is_wanted_and_heard_and_its_last_fragment_is_old() {
        let look = Look {
            wanted: seconds(500),
            arriving: seconds(400),
            committed: Some(seconds(16)),
            interval: Duration::from_millis(100),
        };
        assert!(is_behind(look));
        assert!(is_behind(Look { committed: None, ..look }), "also when nothing was ever recorded of it");
        for well in [
            Look { committed: Some(seconds(3)), ..look },
            Look { wanted: seconds(10), ..look },
            Look { arriving: seconds(10), ..look },
            Look { interval: seconds(10), ..look },
        ] {
            assert!(!is_behind(well), "{well:?}");
        }
    }

    #[test]
    fn its_trouble_names_the_camera_the_folder_and_the_last_failure() {
        let look = Look { wanted: seconds(40), arriving: seconds(30), committed: None, interval: seconds(1) };
        let trouble = look.trouble("fridge", Path::new("/disk/camera"), Some("no space left".to_owned()));
        assert_eq!(trouble.reason, "behind");
        assert_eq!(
            trouble.detail,
            "pictures of fridge come, and none has reached /disk/camera for 30 s: no space left"
        );
    }
}
