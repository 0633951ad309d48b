//! HELLO, CHALLENGE, AUTH, WELCOME: the hub proves itself first, then the camera, then both have fresh keys.
//!
//! T0 = HELLO, then CHALLENGE up to its proof, headers included. Hub's proof = HMAC(key, "S" || T0). T1 = T0 || hub's
//! proof. Camera's proof = HMAC(key, "C" || T1). Keys of the session: HMAC(key, "KC" || T1 || camera's proof) for what
//! the camera says, "KS" for what the hub says. HMAC is HMAC-SHA256.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use ring::hmac;
use thiserror::Error;

use super::{
    ByeReason, CHALLENGE_LEN, DecodeError, FrameMac, HEADER_LEN, Header, Hello, Incoming, KEY_LEN, Kind, Message,
    NONCE_LEN, Outgoing, PROOF_LEN, Packet, Received, Session, SessionError, VERSION, Welcome,
    keys::{self, DirectionKey},
    message,
};

const HUB_PROOF: &[u8] = b"S";
const CAMERA_PROOF: &[u8] = b"C";
const CAMERA_KEY: &[u8] = b"KC";
const HUB_KEY: &[u8] = b"KS";

/// Why a handshake fails.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum HandshakeError {
    /// Not the message that comes next.
    #[error("{found:?} number {seq} instead of {expected:?}")]
    OutOfOrder {
        /// What came.
        found: Kind,
        /// Its number.
        seq: u32,
        /// What comes next.
        expected: Kind,
    },
    /// Handshake messages are covered by the proofs and carry nothing else.
    #[error("{0:?} damaged, or with a MAC before there are keys")]
    Trailer(Kind),
    /// No version in common.
    #[error("no version in common: it speaks {min} to {max}, this side {VERSION}")]
    Version {
        /// Lowest of the other side.
        min: u8,
        /// Highest of the other side.
        max: u8,
    },
    /// The other side has another key, or none.
    #[error("the other side did not prove that it has the key")]
    Unproven,
    /// The other side said why it ends.
    #[error("the other side ended the session: {0}")]
    Bye(ByeReason),
    /// Not a message of a handshake.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A wrong first message under the new keys.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl HandshakeError {
    /// What to say in the BYE; `None` when the other side said it first.
    pub fn bye(&self) -> Option<ByeReason> {
        Some(match self {
            Self::OutOfOrder { .. } => ByeReason::Unexpected,
            Self::Trailer(_) => ByeReason::Malformed,
            Self::Version { .. } => ByeReason::Version,
            Self::Unproven => ByeReason::Unproven,
            Self::Decode(error) => error.bye(),
            Self::Session(error) => error.bye(),
            Self::Bye(_) => return None,
        })
    }
}

/// A message without MAC and CRC.
pub(super) fn bare(kind: Kind, seq: u32, t_us: u64, payload: &[u8], out: &mut BytesMut) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    Header { kind, flags: super::Flags::default(), seq, t_us, length }.put(out);
    out.put_slice(payload);
}

fn expect(packet: &Packet, expected: Kind, seq: u32) -> Result<(), HandshakeError> {
    let Header { kind: found, seq: number, flags, .. } = packet.header;
    if found == Kind::Bye {
        let [code] = message::exact(&packet.payload).unwrap_or([ByeReason::Malformed.code()]);
        return Err(HandshakeError::Bye(ByeReason::from_code(code)));
    }
    if let Kind::Other(code) = found {
        return Err(DecodeError::UnknownKind(code).into());
    }
    if found != expected || number != seq {
        return Err(HandshakeError::OutOfOrder { found, seq: number, expected });
    }
    if flags.mac || !packet.intact { Err(HandshakeError::Trailer(found)) } else { Ok(()) }
}

fn payload<const N: usize>(packet: &Packet) -> Result<[u8; N], HandshakeError> {
    message::exact(&packet.payload).map_err(|source| DecodeError::Payload { kind: packet.header.kind, source }.into())
}

/// T1 and the camera's proof, from which both sides make the session's keys.
struct Keys {
    camera: DirectionKey,
    hub: DirectionKey,
}

impl Keys {
    fn derive(key: &hmac::Key, transcript: &[u8], camera_proof: &[u8; PROOF_LEN]) -> Self {
        let whole = [transcript, camera_proof].concat();
        Self { camera: DirectionKey::derive(key, CAMERA_KEY, &whole), hub: DirectionKey::derive(key, HUB_KEY, &whole) }
    }
}

/// The camera's side, waiting for the CHALLENGE.
pub struct CameraHandshake {
    key: hmac::Key,
    transcript: Vec<u8>,
    min: u8,
    max: u8,
}

/// The camera's side, proven and waiting for the WELCOME.
pub struct CameraProven {
    incoming: Incoming,
    outgoing_key: DirectionKey,
    hub: HubProof,
}

/// What a proven hub said in its CHALLENGE.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HubProof {
    /// The version of the session.
    pub version: u8,
    /// The hub's wall clock, microseconds since 1970.
    pub unix_us: u64,
}

impl CameraHandshake {
    /// Appends the HELLO. Its nonce must be fresh.
    pub fn start(key: &[u8; KEY_LEN], hello: &Hello, t_us: u64, out: &mut BytesMut) -> Self {
        let mut body = BytesMut::new();
        hello.put(&mut body);
        let mut bytes = BytesMut::new();
        bare(Kind::Hello, 0, t_us, &body, &mut bytes);
        out.put_slice(&bytes);
        let (min, max) = (hello.version_min, hello.version_max);
        Self { key: keys::camera_key(key), transcript: bytes.to_vec(), min, max }
    }

    /// Takes the CHALLENGE: checks that the hub has the key, then appends the AUTH.
    ///
    /// # Errors
    /// [`HandshakeError::Unproven`] when the hub has another key: dial again only after a minute.
    pub fn challenge(mut self, packet: &Packet, t_us: u64, out: &mut BytesMut) -> Result<CameraProven, HandshakeError> {
        expect(packet, Kind::Challenge, 0)?;
        let whole: [u8; CHALLENGE_LEN] = payload(packet)?;
        let (said, proof) = whole.split_at(CHALLENGE_LEN - PROOF_LEN);
        self.transcript.extend(packet.header.to_bytes());
        self.transcript.extend(said);
        if !keys::is_equal(&keys::prove(&self.key, HUB_PROOF, &self.transcript), proof) {
            return Err(HandshakeError::Unproven);
        }
        self.transcript.extend(proof);
        let version = said[0];
        if !(self.min..=self.max).contains(&version) {
            return Err(HandshakeError::Version { min: version, max: version });
        }
        let hub = HubProof { version, unix_us: (&said[1 + NONCE_LEN..]).get_u64() };
        let camera_proof = keys::prove(&self.key, CAMERA_PROOF, &self.transcript);
        bare(Kind::Auth, 1, t_us, &camera_proof, out);
        let keys = Keys::derive(&self.key, &self.transcript, &camera_proof);
        let incoming = Incoming::new(keys.hub, 1, FrameMac::OFF);
        Ok(CameraProven { incoming, outgoing_key: keys.camera, hub })
    }
}

impl CameraProven {
    /// What the hub said when it proved itself.
    pub fn hub(&self) -> HubProof {
        self.hub
    }

    /// Takes the WELCOME.
    ///
    /// # Errors
    /// When it is something else, or a BYE: the hub refused the camera's proof.
    pub fn welcome(mut self, packet: &Packet) -> Result<(Session, Welcome), HandshakeError> {
        if packet.header.kind == Kind::Bye && packet.mac.is_none() {
            expect(packet, Kind::Welcome, 1)?;
        }
        match self.incoming.receive(packet)? {
            Received::Message(Message::Welcome(welcome)) => {
                let outgoing = Outgoing::new(self.outgoing_key, 2, welcome.frame_mac);
                Ok((Session { incoming: self.incoming, outgoing }, welcome))
            }
            Received::Message(Message::Bye(reason)) => Err(HandshakeError::Bye(reason)),
            _ => Err(HandshakeError::OutOfOrder {
                found: packet.header.kind,
                seq: packet.header.seq,
                expected: Kind::Welcome,
            }),
        }
    }
}

/// The hub's side, having read a HELLO.
pub struct HubHandshake {
    hello: Hello,
    transcript: Vec<u8>,
}

/// The hub's side, having sent the CHALLENGE.
pub struct HubChallenged {
    key: hmac::Key,
    transcript: Vec<u8>,
}

impl HubHandshake {
    /// Takes the HELLO.
    ///
    /// # Errors
    /// When it is something else, or there is no version in common.
    pub fn open(packet: &Packet) -> Result<Self, HandshakeError> {
        expect(packet, Kind::Hello, 0)?;
        let hello = message::hello(packet)?;
        if !(hello.version_min..=hello.version_max).contains(&VERSION) {
            return Err(HandshakeError::Version { min: hello.version_min, max: hello.version_max });
        }
        let transcript = [&packet.header.to_bytes()[..], &packet.payload].concat();
        Ok(Self { hello, transcript })
    }

    /// What the camera says of itself, not proven yet.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Appends the CHALLENGE. `nonce` must be fresh; `unix_us` is the hub's wall clock.
    pub fn challenge(
        mut self,
        key: &[u8; KEY_LEN],
        nonce: [u8; NONCE_LEN],
        unix_us: u64,
        out: &mut BytesMut,
    ) -> HubChallenged {
        let key = keys::camera_key(key);
        let mut said = BytesMut::with_capacity(CHALLENGE_LEN);
        said.put_u8(VERSION);
        said.put_slice(&nonce);
        said.put_u64(unix_us);
        let mut bytes = BytesMut::with_capacity(HEADER_LEN + CHALLENGE_LEN);
        let length = u32::try_from(CHALLENGE_LEN).unwrap_or(u32::MAX);
        // The hub's clock of the link is its wall clock until the session stands.
        let header = Header { kind: Kind::Challenge, flags: super::Flags::default(), seq: 0, t_us: unix_us, length };
        header.put(&mut bytes);
        bytes.put_slice(&said);
        self.transcript.extend_from_slice(&bytes);
        let proof = keys::prove(&key, HUB_PROOF, &self.transcript);
        bytes.put_slice(&proof);
        self.transcript.extend(proof);
        out.put_slice(&bytes);
        HubChallenged { key, transcript: self.transcript }
    }
}

impl HubChallenged {
    /// Takes the AUTH. The session's first message must be the WELCOME with the same `frame_mac`.
    ///
    /// # Errors
    /// [`HandshakeError::Unproven`] when the camera has another key.
    pub fn auth(self, packet: &Packet, frame_mac: FrameMac) -> Result<Session, HandshakeError> {
        expect(packet, Kind::Auth, 1)?;
        let proof: [u8; PROOF_LEN] = payload(packet)?;
        let ours = keys::prove(&self.key, CAMERA_PROOF, &self.transcript);
        if !keys::is_equal(&ours, &proof) {
            return Err(HandshakeError::Unproven);
        }
        let keys = Keys::derive(&self.key, &self.transcript, &ours);
        Ok(Session {
            incoming: Incoming::new(keys.camera, 2, frame_mac),
            outgoing: Outgoing::new(keys.hub, 1, FrameMac::OFF),
        })
    }
}

/// A BYE for a session that has no keys yet: it carries no MAC. `seq`: how many messages this side sent before.
pub fn early_bye(reason: ByeReason, seq: u32, t_us: u64) -> Bytes {
    let mut out = BytesMut::new();
    bare(Kind::Bye, seq, t_us, &[reason.code()], &mut out);
    out.freeze()
}
