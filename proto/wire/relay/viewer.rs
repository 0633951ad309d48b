//! What a viewer says.

use std::{fmt, time::Duration};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::{ControlError, Wish, control};
use crate::wire::fields::{self, PayloadError};

const HELLO: u8 = 1;
const WISH: u8 = 2;
const REPORT: u8 = 3;
const PING: u8 = 4;
const MOST_SECRET: usize = 200;
const MOST_CAMERA: usize = 128;
const MOST_CLIENT: usize = 64;
/// Stands for an age that is not known.
const NO_AGE: u32 = u32::MAX;

/// The first message, and the only one before WELCOME.
#[derive(Clone, Eq, PartialEq)]
pub struct Hello {
    /// The oldest version it speaks.
    pub version_min: u8,
    /// The newest version it speaks.
    pub version_max: u8,
    /// An access token or a pass; at most 200 bytes. Empty where the session brought a pass in its address.
    pub secret: String,
    /// The camera's id or name; at most 128 bytes.
    pub camera: String,
    /// The most it wants.
    pub wish: Wish,
    /// What program it is, for people; at most 64 bytes, a longer one is cut.
    pub client: String,
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("version_min", &self.version_min)
            .field("version_max", &self.version_max)
            .field("camera", &self.camera)
            .field("wish", &self.wish)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Hello {
    fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        // What follows the last field is of a later version.
        let bytes = &mut bytes;
        Ok(Self {
            version_min: bytes.try_get_u8()?,
            version_max: bytes.try_get_u8()?,
            wish: Wish::read(bytes)?,
            camera: fields::text(bytes, "camera", MOST_CAMERA)?,
            client: fields::text(bytes, "client", MOST_CLIENT)?,
            secret: fields::text(bytes, "secret", MOST_SECRET)?,
        })
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_slice(&[self.version_min, self.version_max]);
        self.wish.put(out);
        fields::put_text(out, &self.camera, MOST_CAMERA);
        fields::put_text(out, &self.client, MOST_CLIENT);
        fields::put_text(out, &self.secret, MOST_SECRET);
    }
}

/// How the view looks at the viewer's end, counted from WELCOME.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Report {
    /// Frames shown.
    pub shown: u64,
    /// Whole frames that came and were not shown, a newer one being there.
    pub passed_over: u64,
    /// From the capture of the newest frame to its arrival, if the clocks are known; to the millisecond.
    pub age: Option<Duration>,
}

impl Report {
    fn parse(mut bytes: &[u8]) -> Result<Self, PayloadError> {
        let bytes = &mut bytes;
        let (shown, passed_over) = (bytes.try_get_u64()?, bytes.try_get_u64()?);
        let age_ms = bytes.try_get_u32()?;
        let age = (age_ms != NO_AGE).then(|| Duration::from_millis(age_ms.into()));
        Ok(Self { shown, passed_over, age })
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_u64(self.shown);
        out.put_u64(self.passed_over);
        let age_ms = self.age.map(|age| u32::try_from(age.as_millis()).unwrap_or(NO_AGE));
        out.put_u32(age_ms.unwrap_or(NO_AGE));
    }
}

/// What a viewer says on the control stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ViewerMessage {
    /// Who it is and what it wants.
    Hello(Hello),
    /// It wants something else from now on.
    Wish(Wish),
    /// How the view looks at its end.
    Report(Report),
    /// To be answered by [`Pong`](super::HubMessage::Pong) with the same bytes.
    Ping([u8; 8]),
}

impl ViewerMessage {
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
            Self::Hello(hello) => (HELLO, &|out| hello.put(out)),
            Self::Wish(wish) => (WISH, &|out| wish.put(out)),
            Self::Report(report) => (REPORT, &|out| report.put(out)),
            Self::Ping(bytes) => (PING, &|out| out.put_slice(bytes)),
        };
        control::encode(out, kind, put);
    }

    fn parse(kind: u8, payload: Bytes) -> Option<Result<Self, PayloadError>> {
        let mut bytes = &payload[..];
        Some(match kind {
            HELLO => Hello::parse(bytes).map(Self::Hello),
            WISH => Wish::read(&mut bytes).map(Self::Wish),
            REPORT => Report::parse(bytes).map(Self::Report),
            PING => fields::array(&mut bytes).map(Self::Ping),
            _ => return None,
        })
    }
}
