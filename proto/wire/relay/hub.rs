//! What the hub says.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use uuid::Uuid;

use super::{ControlError, Wish, control};
use crate::wire::{
    CameraId,
    fields::{self, PayloadError},
};

const WELCOME: u8 = 32;
const STATUS: u8 = 33;
const PONG: u8 = 34;
const MOST_NAME: usize = 128;

/// The viewer is let in; frames follow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Welcome {
    /// The version that both speak from now on.
    pub version: u8,
    /// This connection among the hub's viewers.
    pub viewer: Uuid,
    /// Which camera it is.
    pub camera: CameraId,
    /// Its name; at most 128 bytes.
    pub name: String,
}

impl Welcome {
    fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        let version = bytes.try_get_u8()?;
        let viewer = Uuid::from_u128(bytes.try_get_u128()?);
        let camera = CameraId(Uuid::from_u128(bytes.try_get_u128()?));
        Ok(Self { version, viewer, camera, name: fields::text(bytes, "name", MOST_NAME)? })
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.version);
        out.put_u128(self.viewer.as_u128());
        out.put_u128(self.camera.0.as_u128());
        fields::put_text(out, &self.name, MOST_NAME);
    }
}

/// Whether the camera's pictures come. The codes are a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// It is not connected.
    Offline,
    /// It is connected and sends.
    Online,
    /// It is connected and sends nothing.
    Stalled,
}

/// What holds the rate or the size down. The codes are a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LimitedBy {
    /// Nothing does.
    Nothing,
    /// The viewer's own wish.
    Wish,
    /// The line: the hub sends less than was wished, since more does not get through.
    Line,
}

/// How the view stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// Of the camera.
    pub presence: Presence,
    /// Frames that the viewer has whole, counted from WELCOME.
    pub delivered: u64,
    /// Frames that came from the camera and were not sent, or given up, counted from WELCOME.
    pub skipped: u64,
    /// How many frames may be on their way at once.
    pub window: u8,
    /// The present limits.
    pub limits: Wish,
    /// What they come from.
    pub limited_by: LimitedBy,
}

impl Status {
    fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        let presence = match bytes.try_get_u8()? {
            0 => Presence::Offline,
            1 => Presence::Online,
            2 => Presence::Stalled,
            code => return Err(PayloadError::Value { field: "presence", value: code.into() }),
        };
        let limited_by = match bytes.try_get_u8()? {
            0 => LimitedBy::Nothing,
            1 => LimitedBy::Wish,
            2 => LimitedBy::Line,
            code => return Err(PayloadError::Value { field: "limited_by", value: code.into() }),
        };
        let window = bytes.try_get_u8()?;
        let limits = Wish::read(bytes)?;
        let (delivered, skipped) = (bytes.try_get_u64()?, bytes.try_get_u64()?);
        Ok(Self { presence, delivered, skipped, window, limits, limited_by })
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_u8(match self.presence {
            Presence::Offline => 0,
            Presence::Online => 1,
            Presence::Stalled => 2,
        });
        out.put_u8(match self.limited_by {
            LimitedBy::Nothing => 0,
            LimitedBy::Wish => 1,
            LimitedBy::Line => 2,
        });
        out.put_u8(self.window);
        self.limits.put(out);
        out.put_u64(self.delivered);
        out.put_u64(self.skipped);
    }
}

/// What the hub says on the control stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HubMessage {
    /// The first message, which answers HELLO.
    Welcome(Welcome),
    /// How the view stands; at most once a second, and only when something changed.
    Status(Status),
    /// Answers PING.
    Pong {
        /// The bytes of the ping.
        echo: [u8; 8],
        /// The hub's clock when it answered, microseconds since 1970: what frames' times are on.
        now_us: i64,
    },
}

impl HubMessage {
    /// The next message; `None` when more bytes are needed, for which there is room then.
    ///
    /// # Errors
    /// When the stream can't be read on; the limit is checked from the length alone.
    pub fn decode(buffer: &mut BytesMut) -> Result<Option<Self>, ControlError> {
        control::decode(buffer, Self::parse)
    }

    /// Appends it to what is sent.
    pub fn encode(&self, out: &mut BytesMut) {
        let (kind, put): (_, &dyn Fn(&mut BytesMut)) = match self {
            Self::Welcome(welcome) => (WELCOME, &|out| welcome.put(out)),
            Self::Status(status) => (STATUS, &|out| status.put(out)),
            Self::Pong { echo, now_us } => (PONG, &|out| {
                out.put_slice(echo);
                out.put_i64(*now_us);
            }),
        };
        control::encode(out, kind, put);
    }

    fn parse(kind: u8, payload: Bytes) -> Option<Result<Self, PayloadError>> {
        let mut bytes = &payload[..];
        let pong = |bytes: &mut &[u8]| {
            let echo = fields::array(bytes)?;
            Ok(Self::Pong { echo, now_us: bytes.try_get_i64()? })
        };
        Some(match kind {
            WELCOME => Welcome::parse(bytes).map(Self::Welcome),
            STATUS => Status::parse(bytes).map(Self::Status),
            PONG => pong(&mut bytes),
            _ => return None,
        })
    }
}
