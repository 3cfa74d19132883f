//! What systemd is told: readiness, status, reloads and signs of life. Without systemd none of this does anything.

use std::time::Duration;

use sd_notify::NotifyState;

fn tell(states: &[NotifyState<'_>]) {
    if let Err(why) = sd_notify::notify(states) {
        tracing::debug!("the service manager can't be told: {why}");
    }
}

pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// systemd wants the moment with it, from version 253 on.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(why) => tracing::debug!("no monotonic time: {why}"),
    }
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("finishing the change in hand")]);
}

pub(super) fn feed_watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// How often the watchdog wants to be fed: half of what systemd asks.
pub(super) fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2).filter(|half| !half.is_zero())
}
