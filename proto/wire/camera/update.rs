//! New firmware for a camera that says it takes some ([`Capabilities::UPDATE`](super::Capabilities::UPDATE)); no other
//! is sent any of this.
//!
//! BEGIN, answered by a STATUS; DATA in order from its `next_offset`, each answered by a STATUS; END, answered by the
//! last one. A session that ends in between ends the update.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use subtle::ConstantTimeEq as _;

use super::{KEY_LEN, PROOF_LEN, PayloadError, fields, keys};
use crate::wire::CameraId;

/// Bytes of a SHA-256.
pub const DIGEST_LEN: usize = 32;
/// Most bytes of an image in one UPDATE_DATA.
pub const MOST_CHUNK: usize = 4096 - 4;
const MOST_VERSION: usize = 32;
const MOST_REMARK: usize = 64;
const LABEL: &[u8] = b"UP";
const FORCED: u8 = 1;

/// An image as the hub describes it before it sends it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image {
    /// Its bytes.
    pub length: u32,
    /// Of the whole image.
    pub sha256: [u8; DIGEST_LEN],
    /// At most 32 bytes, numbers with dots between.
    pub version: String,
    /// Taken even when the camera runs a newer one.
    pub forced: bool,
}

impl Image {
    fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.length);
        out.put_slice(&self.sha256);
        out.put_u8(if self.forced { FORCED } else { 0 });
        fields::put_text(out, &self.version, MOST_VERSION);
    }

    fn prove(&self, key: &[u8; KEY_LEN], camera: CameraId) -> [u8; PROOF_LEN] {
        let mut said = BytesMut::from(&camera.0.as_bytes()[..]);
        self.put(&mut said);
        keys::prove(&keys::camera_key(key), LABEL, &said)
    }
}

/// The start of an update.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpdateBegin {
    /// What follows.
    pub image: Image,
    proof: [u8; PROOF_LEN],
}

impl UpdateBegin {
    /// Signs an image for one camera with that camera's key.
    pub fn sign(image: Image, key: &[u8; KEY_LEN], camera: CameraId) -> Self {
        let proof = image.prove(key, camera);
        Self { image, proof }
    }

    /// Whether it was signed for this camera with its key.
    pub fn is_signed(&self, key: &[u8; KEY_LEN], camera: CameraId) -> bool {
        self.image.prove(key, camera).ct_eq(&self.proof).into()
    }

    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        let length = bytes.try_get_u32()?;
        let sha256 = fields::array(bytes)?;
        let flags = bytes.try_get_u8()?;
        if flags & !FORCED != 0 {
            return Err(PayloadError::Value { field: "flags", value: flags.into() });
        }
        let version = fields::text(bytes, "version", MOST_VERSION)?;
        let proof = fields::array(bytes)?;
        fields::end(bytes)?;
        Ok(Self { image: Image { length, sha256, version, forced: flags == FORCED }, proof })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        self.image.put(out);
        out.put_slice(&self.proof);
    }
}

/// A piece of the image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpdateData {
    /// Where in the image it begins.
    pub offset: u32,
    /// 1 to [`MOST_CHUNK`] bytes.
    pub chunk: Bytes,
}

impl UpdateData {
    pub(super) fn parse(mut payload: Bytes) -> Result<Self, PayloadError> {
        let offset = payload.try_get_u32()?;
        if payload.is_empty() { Err(PayloadError::Short { missing: 1 }) } else { Ok(Self { offset, chunk: payload }) }
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.offset);
        out.put_slice(&self.chunk);
    }
}

/// What becomes of the image. The codes are a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UpdateEnd {
    /// It is whole: check it, keep it and start it.
    Install,
    /// Forget it.
    Abandon,
}

impl UpdateEnd {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        let action = match bytes.try_get_u8()? {
            1 => Self::Install,
            2 => Self::Abandon,
            code => return Err(PayloadError::Value { field: "action", value: code.into() }),
        };
        fields::end(bytes)?;
        Ok(action)
    }

    pub(super) fn put(self, out: &mut BytesMut) {
        out.put_u8(match self {
            Self::Install => 1,
            Self::Abandon => 2,
        });
    }
}

macro_rules! results {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal $name:literal,)+) => {
        /// How an update stands. Codes and names are a contract.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum UpdateResult { $($(#[doc = $doc])+ $variant,)+ }

        impl UpdateResult {
            /// Every result, at the index of its code.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code on the wire.
            pub fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// A name for people.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

results! {
    /// The camera waits for the piece at `next_offset`.
    Receiving = 0 "receiving",
    /// It is kept; the camera restarts with it.
    Installed = 1 "installed",
    /// It does not fit into the camera's slot, or is empty.
    WrongSize = 2 "wrong-size",
    /// The camera runs a newer one, or one of the two versions is none, and it was not forced.
    Older = 3 "older",
    /// It was not signed with this camera's key.
    Unproven = 4 "unproven",
    /// What came has another SHA-256, or is shorter.
    Corrupt = 5 "corrupt",
    /// The flash could not be written, or the bootloader refuses the image.
    Failed = 6 "failed",
    /// No update is under way.
    NotBegun = 7 "not-begun",
    /// Forgotten, as asked.
    Abandoned = 8 "abandoned",
}

/// A camera's answer to each of the others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpdateStatus {
    /// How it stands. All but `Receiving` end the update.
    pub result: UpdateResult,
    /// Bytes it has; a piece that begins elsewhere was not taken.
    pub next_offset: u32,
    /// A few words, at most 64 bytes; mostly empty.
    pub remark: String,
}

impl UpdateStatus {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        let code = bytes.try_get_u8()?;
        let unknown = PayloadError::Value { field: "result", value: code.into() };
        let result = UpdateResult::ALL.get(usize::from(code)).copied().ok_or(unknown)?;
        let next_offset = bytes.try_get_u32()?;
        let remark = fields::text(bytes, "remark", MOST_REMARK)?;
        fields::end(bytes)?;
        Ok(Self { result, next_offset, remark })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.result.code());
        out.put_u32(self.next_offset);
        fields::put_text(out, &self.remark, MOST_REMARK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_are_a_contract() {
        for (index, result) in UpdateResult::ALL.iter().enumerate() {
            assert_eq!(usize::from(result.code()), index);
        }
        let names: Vec<_> = UpdateResult::ALL.iter().map(|result| result.name()).collect();
        assert_eq!(
            names.join(", "),
            "receiving, installed, wrong-size, older, unproven, corrupt, failed, not-begun, abandoned"
        );
    }

    #[test]
    fn an_image_is_signed_for_one_camera_and_as_it_is() {
        let (camera, other) = (CameraId::random(), CameraId::random());
        let image = Image { length: 5, sha256: [3; DIGEST_LEN], version: "1.2".to_owned(), forced: false };
        let begin = UpdateBegin::sign(image, &[1; KEY_LEN], camera);
        assert!(begin.is_signed(&[1; KEY_LEN], camera));
        assert!(!begin.is_signed(&[2; KEY_LEN], camera) && !begin.is_signed(&[1; KEY_LEN], other));
        let mut forced = begin.clone();
        forced.image.forced = true;
        let mut longer = begin;
        longer.image.length += 1;
        assert!(!forced.is_signed(&[1; KEY_LEN], camera) && !longer.is_signed(&[1; KEY_LEN], camera));
    }

    #[test]
    fn a_payload_that_is_none_says_why() {
        assert_eq!(UpdateEnd::parse(&[3]), Err(PayloadError::Value { field: "action", value: 3 }));
        assert_eq!(UpdateEnd::parse(&[1, 1]), Err(PayloadError::Long(1)));
        assert_eq!(UpdateData::parse(Bytes::from_static(&[0; 4])), Err(PayloadError::Short { missing: 1 }));
        assert_eq!(UpdateStatus::parse(&[9, 0, 0, 0, 0, 0]), Err(PayloadError::Value { field: "result", value: 9 }));
        let mut begin = BytesMut::zeroed(4 + DIGEST_LEN);
        begin.extend_from_slice(&[2, 0]);
        begin.extend_from_slice(&[0; PROOF_LEN]);
        assert_eq!(UpdateBegin::parse(&begin), Err(PayloadError::Value { field: "flags", value: 2 }));
    }
}
