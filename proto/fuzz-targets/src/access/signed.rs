//! Signed play URLs.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::LazyLock};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use uuid::Uuid;

use super::grant_of_url::{Grant, Signer};
use crate::{input::Input, secrets::HubKey};

static SIGNER: LazyLock<Signer> = LazyLock::new(|| signer(0x5a));
/// Signs nothing: what a fuzzer sees of our own MACs is of no use.
static OTHER: LazyLock<Signer> = LazyLock::new(|| signer(0xa5));

/// With a key that is the same each time, so that what was found can be found again.
fn signer(key_byte: u8) -> Signer {
    let state = std::env::temp_dir().join(format!("larder-fuzz-{}-{key_byte}", std::process::id()));
    let (folder, file) = (state.join("secrets"), state.join("secrets/hub.key"));
    let key = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&file, [key_byte; 32]))
        .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o600)))
        .map(|()| HubKey::load_or_create(&state));
    fs::remove_dir_all(&state).expect("the temporary folder can be removed");
    Signer::new(&key.expect("a temporary folder can be written").expect("a key that was just written"), "play grant")
}

/// A grant is what was signed, as long as it lasts; one character changed, and it is none.
pub(crate) fn grant(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(OTHER.read(text, Timestamp::MIN), None, "a grant that nobody signed");
    }

    let mut input = Input::new(data);
    let camera = CameraId(Uuid::from_bytes(input.array()));
    let [from, to, expires_at, now] = [(); 4].map(|()| moment(input.i64()));
    let grant = Grant { camera, from, to, expires_at };
    let text = SIGNER.sign(&grant);
    assert_eq!(SIGNER.read(&text, now), (now < expires_at).then_some(grant));

    let mut changed = text.clone().into_bytes();
    input.edit(&mut changed);
    if let Ok(changed) = std::str::from_utf8(&changed)
        && changed != text
    {
        assert_eq!(SIGNER.read(changed, Timestamp::MIN), None, "a changed grant");
    }
}

/// The last microsecond stands for the end of time, which has nanoseconds; what is beyond either end, for that end.
fn moment(us: i64) -> Timestamp {
    let end = if us < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(us).ok().filter(|_| us < Timestamp::MAX.as_microsecond()).unwrap_or(end)
}
