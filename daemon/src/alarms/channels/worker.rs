//! Sends what is due: one message at a time a channel, all channels at once.

use std::time::Duration;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::Instant;

use super::{Channels, Delivery, lines::Outcome};
use crate::{repeats, secrets};

/// The longest that one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(60);
/// How long to sleep when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

impl Channels {
    /// Sends until dropped; what is under way then is sent again after the next start.
    pub(super) async fn run(self) {
        let mut changes = self.0.directory.changes();
        let mut under_way = FuturesUnordered::new();
        loop {
            let now = self.now();
            let (due, next_at) = {
                let mut lines = self.lines();
                let due = lines.due(now);
                metrics::gauge!("larder_alarm_deliveries_waiting").set(number(lines.len()));
                (due, lines.next_at(now))
            };
            for delivery in due {
                under_way.push(self.attempt(delivery));
            }
            tokio::select! {
                biased;
                Some((delivery, outcome)) = under_way.next(), if !under_way.is_empty() => self.ended(&delivery, outcome),
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let directory = &self.0.directory;
                    self.lines().keep_only(|channel| directory.get(channel).is_some());
                }
                () = self.0.wake.notified() => {}
                () = tokio::time::sleep_until(next_at.unwrap_or_else(|| Instant::now() + IDLE)) => {}
            }
        }
    }

    async fn attempt(&self, delivery: Delivery) -> (Delivery, Outcome) {
        let Some(channel) = self.0.directory.get(delivery.channel) else {
            return (delivery, Outcome::Refused("the channel was removed".to_owned()));
        };
        let sent = self.0.sender.send(&channel, &delivery.note, delivery.id);
        let outcome = match tokio::time::timeout(ATTEMPT, sent).await {
            Ok(Ok(_)) => Outcome::Delivered,
            Ok(Err(failed)) if failed.is_permanent => Outcome::Refused(failed.why),
            Ok(Err(failed)) => Outcome::Failed(failed.why),
            Err(_) => Outcome::Failed(format!("no answer within {} s", ATTEMPT.as_secs())),
        };
        (delivery, outcome)
    }

    fn ended(&self, tried: &Delivery, outcome: Outcome) {
        let result = match &outcome {
            Outcome::Delivered => "delivered",
            Outcome::Failed(_) => "retried",
            Outcome::Refused(_) => "failed",
        };
        let now = self.now();
        let chance = secrets::random::<1>().map_or(0.5, |[byte]| f64::from(byte) / 255.0);
        let Some(delivery) = self.lines().ended(tried, outcome, now, chance) else { return };
        let is_given_up = delivery.finished.is_some_and(|finished| !finished.delivered);
        let result = if is_given_up { "failed" } else { result };
        metrics::counter!("larder_alarm_deliveries_total", "result" => result).increment(1);
        if let Some(cause) = &delivery.error {
            let name = self.0.directory.get(delivery.channel).map(|channel| channel.name.clone()).unwrap_or_default();
            if is_given_up {
                repeats::say!(error, &name, { alarm.channel = name, cause }, "an alarm could not be told");
            } else {
                repeats::say!(warn, &name, { alarm.channel = name, cause }, "an alarm could not be told yet");
            }
        }
        self.0.rows.keep(delivery);
    }
}

fn number(value: usize) -> f64 {
    f64::from(u32::try_from(value).unwrap_or(u32::MAX))
}
