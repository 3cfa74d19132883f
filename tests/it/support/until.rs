//! Waiting for something that can be observed, with a deadline. This is the one place of the tests that sleeps for real.

use std::time::Duration;

use tokio::time::Instant;

/// Between two looks.
const STEP: Duration = Duration::from_millis(2);

/// How long a thing may take that should come at once, on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(60);

/// Waits until `look` finds something.
///
/// # Panics
/// When it found nothing within the limit.
pub fn until<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    match within(limit, &mut look) {
        Some(found) => found,
        None => panic!("not within {limit:?}: {what}"),
    }
}

/// Waits until `look` finds something, or the limit is over.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "a look at another process or server; nothing tells when it is ready")]
fn pause() {
    std::thread::sleep(STEP);
}
