//! Waiting: how long Zendesk asks us to wait, how long one call may wait in all, and the timer that does it.
//!
//! It decides nothing about answers; that is `judge`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::engine::ports::CallFault;

/// The shortest wait after an answer that asks for one: 0 and negative values mean this.
pub(super) const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
/// The longest wait that an answer can ask for.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
/// The longest that one call waits in all, before it is given up as throttled.
pub(super) const CALL_WAIT_MAX: Duration = Duration::from_secs(120);
/// How often one call is repeated after 5xx answers, lost answers, refused connections and collisions together.
pub(super) const RETRIES_MAX: u32 = 3;
/// The first pause of a row; each next one is twice as long.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The longest pause of a row.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Reads a `Retry-After` header: seconds or an HTTP date (RFC 9110 10.2.3).
///
/// None when it is absent or can't be read; else between [`RETRY_AFTER_MIN`] and [`RETRY_AFTER_MAX`].
pub(super) fn retry_after(text: Option<&str>, now: DateTime<Utc>) -> Option<Duration> {
    let text = text?.trim();
    let seconds = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_nan() => return None,
        Ok(seconds) => seconds,
        Err(_) => {
            let date = DateTime::<Utc>::from(httpdate::parse_http_date(text).ok()?);
            date.signed_duration_since(now).as_seconds_f64()
        }
    };
    let whole = seconds.clamp(RETRY_AFTER_MIN.as_secs_f64(), RETRY_AFTER_MAX.as_secs_f64()).ceil();
    Some(Duration::from_secs_f64(whole))
}

/// The pause before the `n`th repetition, from 1.
fn backoff(n: u32) -> Duration {
    BACKOFF_FIRST.saturating_mul(1_u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX)).min(BACKOFF_MAX)
}

/// What one call has left of its waiting and its repetitions.
#[derive(Debug, Default)]
pub struct Patience {
    waited: Duration,
    throttled: u32,
    retried: u32,
}

impl Patience {
    /// Takes a wait out of what is left.
    ///
    /// # Errors
    /// [`CallFault::Throttled`] when more would be waited than one call may.
    pub fn wait(&mut self, wait: Duration) -> Result<Duration, CallFault> {
        let total = self.waited.saturating_add(wait);
        if total > CALL_WAIT_MAX {
            return Err(CallFault::Throttled { after: wait });
        }
        self.waited = total;
        Ok(wait)
    }

    /// The wait after a 429: what was asked for, and never less than a growing pause, so that a server that asks for
    /// one second again and again isn't asked for ever.
    pub fn throttled(&mut self, asked: Option<Duration>) -> Result<Duration, CallFault> {
        self.throttled = self.throttled.saturating_add(1);
        self.wait(asked.unwrap_or(RETRY_AFTER_MIN).max(backoff(self.throttled)))
    }

    /// The pause before another try, or the fault itself when there were enough.
    pub(super) fn again(&mut self, asked: Option<Duration>, fault: CallFault) -> Result<Duration, CallFault> {
        if self.retried >= RETRIES_MAX {
            return Err(fault);
        }
        self.retried += 1;
        self.wait(backoff(self.retried).max(asked.unwrap_or_default())).map_err(|_| fault)
    }
}

/// Tells the time on tokio's clock, and waits.
#[derive(Debug, Clone, Default)]
pub(super) enum Timer {
    /// Tokio's.
    #[default]
    Tokio,
    /// Doesn't wait but notes how long it would have, and lets the time pass.
    #[cfg(test)]
    Noted(std::sync::Arc<std::sync::Mutex<Vec<Duration>>>),
}

impl Timer {
    /// The time now.
    pub(super) fn now(&self) -> Instant {
        match self {
            Self::Tokio => Instant::now(),
            #[cfg(test)]
            Self::Noted(waits) => {
                Instant::now()
                    + waits.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().sum::<Duration>()
            }
        }
    }

    /// Waits.
    pub(super) async fn sleep(&self, wait: Duration) {
        match self {
            Self::Tokio => tokio::time::sleep(wait).await,
            #[cfg(test)]
            Self::Noted(waits) => waits.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<u64> {
        let now = DateTime::parse_from_rfc3339("2026-11-23T12:00:00Z").unwrap().to_utc();
        retry_after(Some(text), now).map(|wait| wait.as_secs())
    }

    #[test]
    fn every_form_of_retry_after_is_read_and_kept_within_its_limits() {
        let table = [
            ("27", Some(27)),
            (" 27 ", Some(27)),
            ("1.2", Some(2)),
            ("0", Some(1)),
            ("-5", Some(1)),
            ("1000000000", Some(600)),
            ("99999999999999999999999999999999999999999999", Some(600)),
            ("inf", Some(600)),
            ("nan", None),
            ("", None),
            ("soon", None),
            ("Mon, 23 Nov 2026 12:01:30 GMT", Some(90)),
            ("Mon, 23 Nov 2026 11:00:00 GMT", Some(1)),
            ("Thu, 23 Nov 2028 12:00:00 GMT", Some(600)),
        ];
        for (text, seconds) in table {
            assert_eq!(asked(text), seconds, "{text:?}");
        }
        assert_eq!(retry_after(None, DateTime::UNIX_EPOCH), None);
    }

    #[test]
    fn a_server_that_always_asks_for_a_second_is_given_up() {
        let mut patience = Patience::default();
        let mut waits = Vec::new();
        let fault = loop {
            match patience.throttled(Some(Duration::from_secs(1))) {
                Ok(wait) => waits.push(wait.as_secs()),
                Err(fault) => break fault,
            }
        };
        assert_eq!(waits, [1, 2, 4, 8, 16, 32]);
        assert_eq!(fault, CallFault::Throttled { after: Duration::from_secs(60) });
    }

    #[test]
    fn a_long_wait_is_not_waited_but_told() {
        let after = Duration::from_secs(600);
        assert_eq!(Patience::default().throttled(Some(after)), Err(CallFault::Throttled { after }));
        let mut patience = Patience::default();
        assert_eq!(patience.throttled(Some(CALL_WAIT_MAX)), Ok(CALL_WAIT_MAX));
        assert!(patience.throttled(None).is_err(), "nothing is left of the two minutes");
    }

    #[test]
    fn a_call_is_repeated_three_times() {
        let lost = || CallFault::Unanswered("reset".into());
        let mut patience = Patience::default();
        let pauses: Vec<_> = std::iter::from_fn(|| patience.again(None, lost()).ok()).map(|p| p.as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4]);
        assert_eq!(patience.again(None, lost()), Err(lost()));
        let asked = Some(Duration::from_secs(30));
        assert_eq!(Patience::default().again(asked, lost()), Ok(Duration::from_secs(30)));
        assert_eq!(Patience::default().again(Some(RETRY_AFTER_MAX), lost()), Err(lost()), "too long to wait for");
    }

    #[test]
    fn pauses_never_overflow() {
        for n in [0, 1, 31, 32, 33, u32::MAX] {
            assert!(backoff(n) >= BACKOFF_FIRST && backoff(n) <= BACKOFF_MAX, "{n}");
        }
    }
}
