//! How often something may happen: a token bucket.

use std::time::Duration;

use tokio::time::Instant;

/// Fills by one a `refill`, up to `most`; full at first.
#[derive(Debug)]
pub struct Bucket {
    most: u32,
    refill: Duration,
    /// When it is full again; in the past, it is full.
    full_at: Instant,
}

impl Bucket {
    /// At most `most` at once, and one more each `refill`.
    pub fn new(most: u32, refill: Duration) -> Self {
        Self { most, refill, full_at: Instant::now() }
    }

    /// Takes one.
    ///
    /// # Errors
    /// When there is none: when there is one again.
    pub fn take(&mut self) -> Result<(), Instant> {
        let now = Instant::now();
        let full_at = self.full_at.max(now) + self.refill;
        // One that is taken now is back when all are: what is missing then is more than there ever is.
        let earliest = full_at.checked_sub(self.refill * self.most).unwrap_or(now);
        if earliest > now {
            return Err(earliest);
        }
        self.full_at = full_at;
        Ok(())
    }

    /// How many there are now.
    pub fn left(&self) -> u32 {
        let missing = self.full_at.saturating_duration_since(Instant::now()).as_nanos();
        let refill = self.refill.as_nanos().max(1);
        self.most.saturating_sub(u32::try_from(missing.div_ceil(refill)).unwrap_or(u32::MAX))
    }

    /// Whether nothing is missing.
    pub fn is_full(&self) -> bool {
        self.full_at <= Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_through_and_then_one_at_a_time() {
        let second = Duration::from_secs(1);
        let mut bucket = Bucket::new(3, second);
        assert!(bucket.is_full());
        assert_eq!(bucket.left(), 3);
        assert!((0..3).all(|_| bucket.take().is_ok()));
        assert_eq!(bucket.left(), 0);
        let start = Instant::now();
        assert_eq!(bucket.take(), Err(start + second));
        assert_eq!(bucket.take(), Err(start + second), "a refused one costs nothing");
        tokio::time::advance(second).await;
        assert_eq!((bucket.take(), bucket.take().is_err()), (Ok(()), true));
        tokio::time::advance(second * 100).await;
        assert!(bucket.is_full());
        assert_eq!((0..10).filter(|_| bucket.take().is_ok()).count(), 3, "it never holds more");
    }
}
