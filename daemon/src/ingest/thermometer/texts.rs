//! Text readings: from whom, how often, and what they mean.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use larder_proto::wire::{
    camera::MilliCelsius,
    reading::{TextError, TextReading},
};
use tokio::time::Instant;

use super::{Thermometers, probes::offer};
use crate::{
    bucket::Bucket,
    clock::Clock,
    temperatures::{Heard, Source},
};

/// Datagrams of a listed address that may come at once, and how often one more: a board with many probes.
const LISTED: (u32, Duration) = (32, Duration::from_millis(100));
/// The same for all other addresses together. They are only shown as discovered, and anybody can make them up.
const STRANGERS: (u32, Duration) = (8, Duration::from_millis(250));
/// A device's next reading sooner than this is the same one again, or nonsense: a conversion takes 750 ms.
const SOONEST: Duration = Duration::from_millis(700);
/// Devices that are remembered; beyond that the one that was silent longest is forgotten.
const MOST_DEVICES: usize = 256;

/// What is known of the devices that send text.
pub(super) struct Texts {
    thermometers: Arc<dyn Thermometers>,
    clock: Clock,
    listed: HashMap<IpAddr, Bucket>,
    strangers: Bucket,
    devices: HashMap<Source, Instant>,
}

impl Texts {
    pub(super) fn new(thermometers: Arc<dyn Thermometers>, clock: Clock) -> Self {
        let (most, refill) = STRANGERS;
        let strangers = Bucket::new(most, refill);
        Self { thermometers, clock, listed: HashMap::new(), strangers, devices: HashMap::new() }
    }

    /// Takes a datagram. The reason's name when it is refused.
    pub(super) fn take(&mut self, bytes: &[u8], from: IpAddr) -> Result<(), &'static str> {
        let address = from.to_canonical();
        let is_listed = self.thermometers.text_addresses().contains(&address);
        if !is_listed {
            self.strangers.take().map_err(|_until| "unknown-address")?;
        } else if !self.listed_may(address) {
            return Err("too-often");
        }
        let reading = TextReading::parse(bytes).map_err(TextError::name)?;
        let is_power_on = reading.is_power_on_value();
        let source = Source::Text { address, device: reading.device };
        let is_first = self.may_come(&source)?;
        let value: Option<MilliCelsius> = reading.value.filter(|_| !(is_first && is_power_on));
        let now = self.clock.now();
        offer(&*self.thermometers, "text", Heard { source, captured_at: now, received_at: now, value });
        if is_listed { Ok(()) } else { Err("unknown-address") }
    }

    fn listed_may(&mut self, address: IpAddr) -> bool {
        let (most, refill) = LISTED;
        self.listed.retain(|known, bucket| *known == address || !bucket.is_full());
        self.listed.entry(address).or_insert_with(|| Bucket::new(most, refill)).take().is_ok()
    }

    /// Whether it is the device's first reading, if it may have one now.
    fn may_come(&mut self, source: &Source) -> Result<bool, &'static str> {
        let now = Instant::now();
        if let Some(last) = self.devices.get_mut(source) {
            if now.duration_since(*last) < SOONEST {
                return Err("repeated");
            }
            *last = now;
            return Ok(false);
        }
        if self.devices.len() >= MOST_DEVICES {
            let silent = self.devices.iter().min_by_key(|(_, last)| **last).map(|(source, _)| source.clone());
            silent.map(|source| self.devices.remove(&source));
        }
        self.devices.insert(source.clone(), now);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Heap, *};

    const BOARD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));

    fn texts() -> (Texts, Arc<Heap>) {
        let heap = Arc::new(Heap::listing([BOARD]));
        (Texts::new(heap.clone(), Clock::new()), heap)
    }

    fn values(heap: &Heap) -> Vec<Option<i32>> {
        heap.take().into_iter().map(|heard| heard.value.map(|value| value.0)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_listed_address_is_heard_and_its_repetitions_are_not() {
        let (mut texts, heap) = texts();
        let mapped = "::ffff:10.0.0.9".parse().unwrap();
        assert_eq!(texts.take(b"cam_one_temp_41", mapped), Ok(()), "IPv4 in IPv6's clothes");
        assert_eq!(texts.take(b"cam_one_temp_41", BOARD), Err("repeated"));
        assert_eq!(texts.take(b"cam_one_temp_int_5", BOARD), Ok(()), "another device");
        tokio::time::advance(SOONEST).await;
        assert_eq!(texts.take(b"cam_one_temp_42", BOARD), Ok(()));
        assert_eq!(values(&heap), [Some(5_000), Some(5_000), Some(5_556)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_85_and_every_minus_127_are_a_failed_probe() {
        let (mut texts, heap) = texts();
        for text in ["a 85.0", "a 84.9", "a 85.0", "a -127", "a 5"] {
            texts.take(text.as_bytes(), BOARD).unwrap();
            tokio::time::advance(SOONEST).await;
        }
        assert_eq!(values(&heap), [None, Some(84_900), Some(85_000), None, Some(5_000)]);
        assert_eq!(texts.take(b"a 126", BOARD), Err("value"));
        assert_eq!(texts.take(b"hello", BOARD), Err("form"));
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_are_shown_a_few_at_a_time_and_drive_out_nobody() {
        let (mut texts, heap) = texts();
        for stranger in 0..10_000_u32 {
            let from = IpAddr::from((0x0b00_0000 + stranger).to_be_bytes());
            assert_eq!(texts.take(b"fridge 5", from), Err("unknown-address"));
        }
        assert_eq!(heap.take().len(), 8);
        assert_eq!(texts.take(b"fridge 5", BOARD), Ok(()));
        assert!(texts.devices.len() <= MOST_DEVICES && texts.listed.len() == 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_listed_board_that_goes_mad_is_bounded_too() {
        let (mut texts, _heap) = texts();
        let taken = (0..1_000).filter(|n| texts.take(format!("probe{n} 5").as_bytes(), BOARD).is_ok()).count();
        assert_eq!(taken, 32);
        assert_eq!(texts.take(b"probe 5", BOARD), Err("too-often"));
    }
}
