//! Signed play URLs: what [`Grant`] allows, in 98 characters that nobody else can make.
//!
//! Bytes, big-endian, then base64url without padding: version 1, camera 16, from i64, to i64, expires i64
//! (microseconds since 1970), HMAC-SHA256 over all before it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::{Buf as _, BufMut as _};
use jiff::Timestamp;
use larder_proto::wire::CameraId;
use ring::hmac;
use uuid::Uuid;

use crate::secrets::HubKey;

const VERSION: u8 = 1;
const PAYLOAD_LEN: usize = 1 + 16 + 8 + 8 + 8;
const MAC_LEN: usize = 32;
const TEXT_LEN: usize = (PAYLOAD_LEN + MAC_LEN).div_ceil(3) * 4 - 2;

/// What a signed play URL allows: one camera, one range of time, until it expires.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Grant {
    /// Which camera.
    pub camera: CameraId,
    /// From, included.
    pub from: Timestamp,
    /// To, excluded; [`Timestamp::MAX`] for live.
    pub to: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Signs and reads grants.
pub(super) struct Signer(hmac::Key);

impl Signer {
    /// With a key of its own, derived from the hub's for a purpose.
    pub(super) fn new(hub: &HubKey, purpose: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &hub.derive(purpose)))
    }

    /// The text for a URL's query.
    pub(super) fn sign(&self, grant: &Grant) -> String {
        let mut bytes = Vec::with_capacity(PAYLOAD_LEN + MAC_LEN);
        bytes.put_u8(VERSION);
        bytes.put_slice(grant.camera.0.as_bytes());
        for time in [grant.from, grant.to, grant.expires_at] {
            bytes.put_i64(time.as_microsecond());
        }
        let mac = hmac::sign(&self.0, &bytes);
        bytes.put_slice(mac.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The grant of a text that this hub signed and that has not expired.
    pub(super) fn read(&self, text: &str, now: Timestamp) -> Option<Grant> {
        if text.len() != TEXT_LEN {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (payload, mac) = bytes.split_at_checked(PAYLOAD_LEN)?;
        // Compares in constant time.
        hmac::verify(&self.0, payload, mac).ok()?;
        let mut payload = payload;
        if payload.get_u8() != VERSION {
            return None;
        }
        let mut camera = [0; 16];
        payload.copy_to_slice(&mut camera);
        // The end of time has nanoseconds, which microseconds lose.
        let mut time = || match payload.get_i64() {
            us if us == Timestamp::MAX.as_microsecond() => Some(Timestamp::MAX),
            us => Timestamp::from_microsecond(us).ok(),
        };
        let grant =
            Grant { camera: CameraId(Uuid::from_bytes(camera)), from: time()?, to: time()?, expires_at: time()? };
        (now < grant.expires_at).then_some(grant)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from_us(us: i64) -> Timestamp {
        Timestamp::from_microsecond(us).unwrap()
    }

    fn signer() -> Signer {
        let state = tempfile::tempdir().unwrap();
        Signer::new(&HubKey::load_or_create(state.path()).unwrap(), "play grant")
    }

    fn grant() -> Grant {
        Grant { camera: CameraId::random(), from: from_us(-5), to: from_us(1_000_000), expires_at: from_us(2_000_000) }
    }

    #[test]
    fn a_grant_is_read_back_until_it_expires() {
        let (signer, grant) = (signer(), grant());
        let text = signer.sign(&grant);
        assert_eq!(text.len(), 98);
        assert_eq!(signer.read(&text, from_us(1_999_999)), Some(grant));
        assert_eq!(signer.read(&text, from_us(2_000_000)), None);
    }

    #[test]
    fn the_end_of_time_stays_open() {
        let signer = signer();
        let live = Grant { to: Timestamp::MAX, ..grant() };
        let read = signer.read(&signer.sign(&live), from_us(0)).unwrap();
        assert_eq!(read.to, Timestamp::MAX);
    }

    #[test]
    fn another_hubs_grant_is_nothing() {
        let text = signer().sign(&grant());
        assert_eq!(signer().read(&text, from_us(0)), None);
    }

    proptest! {
        #[test]
        fn no_changed_byte_gets_through(at in 0..PAYLOAD_LEN + MAC_LEN, flip in 1..=255_u8) {
            let signer = signer();
            let mut bytes = URL_SAFE_NO_PAD.decode(signer.sign(&grant())).unwrap();
            bytes[at] ^= flip;
            prop_assert_eq!(signer.read(&URL_SAFE_NO_PAD.encode(bytes), from_us(0)), None);
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            prop_assert_eq!(signer().read(&text, from_us(0)), None);
        }
    }
}
