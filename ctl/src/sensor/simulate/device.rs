//! Who a simulated thermometer is, and so how it says a reading.

use std::time::Duration;

use larder_proto::wire::{
    CameraId,
    camera::MilliCelsius,
    reading::{Datagram, ReadingKey, Status},
};

use super::Said;

/// Who sends.
#[derive(Clone)]
pub enum Device {
    /// A camera's probe.
    Probe {
        /// Whose.
        camera: CameraId,
        /// What it signs with.
        key: ReadingKey,
        /// Which of its probes.
        index: u8,
        /// Counts its starts.
        boot: u32,
    },
    /// A board that sends text.
    Text {
        /// What it calls itself.
        name: String,
    },
}

impl Device {
    /// A reading as a datagram. What is silent is not asked for.
    pub(super) fn datagram(&self, seq: u32, elapsed: Duration, said: Said, value: MilliCelsius) -> Vec<u8> {
        match self {
            Self::Probe { camera, key, index, boot } => {
                let status = match said {
                    Said::Measured => Status::Measured(value),
                    Said::PowerOn => Status::PowerOn,
                    Said::NoAnswer | Said::Silent => Status::Silent,
                };
                let t_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
                let datagram = Datagram { camera: *camera, probe: *index, status, boot: *boot, seq, t_us };
                datagram.seal(key).to_vec()
            }
            Self::Text { name } => {
                let celsius = match said {
                    Said::Measured => value.celsius(),
                    Said::PowerOn => 85.0,
                    Said::NoAnswer | Said::Silent => -127.0,
                };
                format!("{name}={celsius:.4}").into_bytes()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use larder_proto::wire::reading::{SealedDatagram, TextReading};

    use super::*;

    #[test]
    fn the_hub_understands_both_and_what_is_wrong_with_them() {
        let camera = CameraId::random();
        let key = ReadingKey::derive(&[7; 32], camera);
        let probe = Device::Probe { camera, key: key.clone(), index: 2, boot: 5 };
        let text = Device::Text { name: "cellar".to_owned() };
        for (said, status) in [
            (Said::Measured, Status::Measured(MilliCelsius(-18_062))),
            (Said::PowerOn, Status::PowerOn),
            (Said::NoAnswer, Status::Silent),
        ] {
            let bytes = probe.datagram(9, Duration::from_secs(3), said, MilliCelsius(-18_062));
            let datagram = SealedDatagram::parse(&bytes).unwrap().open(&key).unwrap();
            assert_eq!((datagram.status, datagram.seq, datagram.t_us), (status, 9, 3_000_000));
            let reading = TextReading::parse(&text.datagram(9, Duration::ZERO, said, MilliCelsius(-18_062))).unwrap();
            assert_eq!(reading.device, "cellar");
            let value = match said {
                Said::Measured => Some(MilliCelsius(-18_062)),
                Said::PowerOn => Some(MilliCelsius(85_000)),
                Said::NoAnswer | Said::Silent => None,
            };
            assert_eq!(reading.value, value);
            assert_eq!(reading.is_power_on_value(), said == Said::PowerOn);
        }
    }
}
