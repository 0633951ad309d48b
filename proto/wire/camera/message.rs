//! Messages of a session.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{
    Ack, ByeReason, Control, DecodeError, Hello, Kind, Packet, PayloadError, ReceivedFrame, Telemetry, UpdateBegin,
    UpdateData, UpdateEnd, UpdateStatus, Welcome, fields,
};

/// What one side says to the other once both are proven.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// What the hub wants.
    Welcome(Welcome),
    /// One picture. Sent by [`Outgoing::frame`](super::Outgoing::frame), not by `Outgoing::message`.
    Frame(ReceivedFrame),
    /// How the camera is doing.
    Telemetry(Telemetry),
    /// A command.
    Control(Control),
    /// What became of a command.
    Ack(Ack),
    /// New firmware follows.
    UpdateBegin(UpdateBegin),
    /// A piece of it.
    UpdateData(UpdateData),
    /// That was all of it.
    UpdateEnd(UpdateEnd),
    /// How the update stands.
    UpdateStatus(UpdateStatus),
    /// Answer with the same bytes.
    Ping([u8; 8]),
    /// The bytes of a PING.
    Pong([u8; 8]),
    /// The session ends.
    Bye(ByeReason),
}

impl Message {
    /// What it is on the wire.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Welcome(_) => Kind::Welcome,
            Self::Frame(_) => Kind::Frame,
            Self::Telemetry(_) => Kind::Telemetry,
            Self::Control(_) => Kind::Control,
            Self::Ack(_) => Kind::Ack,
            Self::UpdateBegin(_) => Kind::UpdateBegin,
            Self::UpdateData(_) => Kind::UpdateData,
            Self::UpdateEnd(_) => Kind::UpdateEnd,
            Self::UpdateStatus(_) => Kind::UpdateStatus,
            Self::Ping(_) => Kind::Ping,
            Self::Pong(_) => Kind::Pong,
            Self::Bye(_) => Kind::Bye,
        }
    }

    /// Reads a packet's payload. `None` for an unknown kind that may be passed over.
    ///
    /// # Errors
    /// When the payload is not what its kind has, or the kind has no place here.
    pub fn parse(packet: &Packet) -> Result<Option<Self>, DecodeError> {
        let kind = packet.header.kind;
        let parsed = Self::parse_payload(kind, packet.header.t_us, &packet.payload);
        match parsed {
            Some(message) => message.map(Some).map_err(|source| DecodeError::Payload { kind, source }),
            None if kind.is_optional() => Ok(None),
            None if matches!(kind, Kind::Other(_)) => Err(DecodeError::UnknownKind(kind.code())),
            None => Err(DecodeError::Unexpected(kind)),
        }
    }

    fn parse_payload(kind: Kind, t_us: u64, payload: &Bytes) -> Option<Result<Self, PayloadError>> {
        Some(match kind {
            Kind::Welcome => Welcome::parse(payload).map(Self::Welcome),
            Kind::Frame => ReceivedFrame::parse(t_us, payload.clone()).map(Self::Frame),
            Kind::Telemetry => Telemetry::parse(payload).map(Self::Telemetry),
            Kind::Control => Control::parse(payload).map(Self::Control),
            Kind::Ack => Ack::parse(payload).map(Self::Ack),
            Kind::UpdateBegin => UpdateBegin::parse(payload).map(Self::UpdateBegin),
            Kind::UpdateData => UpdateData::parse(payload.clone()).map(Self::UpdateData),
            Kind::UpdateEnd => UpdateEnd::parse(payload).map(Self::UpdateEnd),
            Kind::UpdateStatus => UpdateStatus::parse(payload).map(Self::UpdateStatus),
            Kind::Ping => exact(payload).map(Self::Ping),
            Kind::Pong => exact(payload).map(Self::Pong),
            Kind::Bye => exact(payload).map(|[code]| Self::Bye(ByeReason::from_code(code))),
            Kind::Hello | Kind::Challenge | Kind::Auth | Kind::Other(_) => return None,
        })
    }

    /// Appends the payload.
    pub(super) fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Welcome(welcome) => welcome.put(out),
            Self::Frame(frame) => {
                frame.info.put(out);
                out.put_slice(&frame.jpeg);
            }
            Self::Telemetry(telemetry) => telemetry.put(out),
            Self::Control(control) => control.put(out),
            Self::Ack(ack) => ack.put(out),
            Self::UpdateBegin(begin) => begin.put(out),
            Self::UpdateData(data) => data.put(out),
            Self::UpdateEnd(end) => end.put(out),
            Self::UpdateStatus(status) => status.put(out),
            Self::Ping(bytes) | Self::Pong(bytes) => out.put_slice(bytes),
            Self::Bye(reason) => out.put_u8(reason.code()),
        }
    }
}

/// The payload of a HELLO.
pub(super) fn hello(packet: &Packet) -> Result<Hello, DecodeError> {
    Hello::parse(&packet.payload).map_err(|source| DecodeError::Payload { kind: Kind::Hello, source })
}

/// A payload of exactly these many bytes.
pub(super) fn exact<const N: usize>(mut payload: &[u8]) -> Result<[u8; N], PayloadError> {
    let array = fields::array(&mut payload)?;
    fields::end(payload)?;
    Ok(array)
}
