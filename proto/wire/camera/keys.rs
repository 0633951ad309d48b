//! What is proven with a camera's key, and the keys of a session.

use ring::hmac;
use subtle::ConstantTimeEq as _;

use super::{MAC_LEN, PROOF_LEN};

/// Bytes of a camera's key.
pub const KEY_LEN: usize = 32;

/// HMAC-SHA256 under a camera's key over a label and a transcript. The label says who speaks and what for, so that
/// nothing said in one direction can be played back in the other.
pub(super) fn prove(key: &hmac::Key, label: &[u8], transcript: &[u8]) -> [u8; PROOF_LEN] {
    let mut context = hmac::Context::with_key(key);
    context.update(label);
    context.update(transcript);
    let mut proof = [0; PROOF_LEN];
    proof.copy_from_slice(context.sign().as_ref());
    proof
}

/// Compares in constant time.
pub(super) fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

pub(super) fn camera_key(key: &[u8; KEY_LEN]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

/// The key of one direction of a session.
#[derive(Clone)]
pub(super) struct DirectionKey(hmac::Key);

impl DirectionKey {
    pub(super) fn derive(key: &hmac::Key, label: &[u8], transcript: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &prove(key, label, transcript)))
    }

    /// The MAC of a message given in parts.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> [u8; MAC_LEN] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut mac = [0; MAC_LEN];
        mac.copy_from_slice(&context.sign().as_ref()[..MAC_LEN]);
        mac
    }
}
