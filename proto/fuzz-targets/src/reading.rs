//! Temperature datagrams.

use larder_proto::wire::{
    CameraId,
    reading::{DATAGRAM_LEN, Datagram, HIGHEST, LOWEST, MOST_PROBES, ReadingKey, SealedDatagram, Status},
};
use uuid::Uuid;

use crate::input::Input;

const KEY: [u8; 32] = [0x5a; 32];
/// Nothing is sealed with it: what a fuzzer sees of our own MACs is of no use.
const OTHER_KEY: [u8; 32] = [0xa5; 32];

/// A datagram is taken as it was sealed or not at all; sealed from fields that a probe can have, it comes back.
pub(crate) fn datagram(data: &[u8]) {
    if let Ok(sealed) = SealedDatagram::parse(data) {
        assert_eq!(data.len(), DATAGRAM_LEN);
        let key = ReadingKey::derive(&OTHER_KEY, sealed.camera());
        assert!(sealed.open(&key).is_err(), "a MAC that nobody made");
    }

    let mut input = Input::new(data);
    let camera = CameraId(Uuid::from_bytes(input.array()));
    let value = i32::from_be_bytes(input.array());
    let status = match input.byte() % 4 {
        0 => Status::Measured(larder_proto::wire::camera::MilliCelsius(value)),
        1 => Status::Silent,
        2 => Status::PowerOn,
        _ => Status::Garbled,
    };
    let probe = input.byte();
    let datagram = Datagram { camera, probe, status, boot: input.u32(), seq: input.u32(), t_us: input.u64() };
    let key = ReadingKey::derive(&KEY, camera);
    let sealed = datagram.seal(&key);
    let can_be =
        usize::from(probe) < MOST_PROBES && status.value().is_none_or(|value| (LOWEST..=HIGHEST).contains(&value));
    assert_eq!(open(&sealed, &key), can_be.then_some(datagram));

    let mut changed = sealed.to_vec();
    input.edit(&mut changed);
    if changed != sealed {
        assert_eq!(open(&changed, &key), None, "a changed datagram");
    }
}

fn open(bytes: &[u8], key: &ReadingKey) -> Option<Datagram> {
    SealedDatagram::parse(bytes).ok()?.open(key).ok()
}
