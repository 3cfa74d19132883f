//! The pace as a whole: never too early, never for ever, never in a busy loop.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use tokio::time::Instant;

use crate::domain::id::AccountId;
use crate::zendesk::pace::{ASSUMED_LIMIT, Kind, Pace, UPDATE_SPACING, USER_UPDATES_MAX, WINDOW};
use crate::zendesk::wait::RETRY_AFTER_MAX;

const READ: Kind = Kind { endpoint: "users/show_many", updates: None };

fn update(id: u64) -> Kind {
    Kind { endpoint: "users/{id}", updates: Some(AccountId(id)) }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn all_three_dialects_of_the_account_limit_are_understood() {
    let now = Instant::now();
    for names in [
        ["X-Rate-Limit", "X-Rate-Limit-Remaining", "x-other"],
        ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"],
        ["rate-limit", "rate-limit-remaining", "rate-limit-reset"],
    ] {
        let lower = names.map(str::to_lowercase);
        let mut pace = Pace::new(50);
        pace.learn(&READ, &headers(&[(&lower[0], "700"), (&lower[1], "699"), (&lower[2], "9")]), now);
        assert_eq!(pace.quota(), 350, "{names:?}");
        assert_eq!(pace.wait_before(&READ, now), Duration::ZERO);
        pace.learn(&READ, &headers(&[(&lower[0], "700"), (&lower[1], "0"), (&lower[2], "9")]), now);
        let wait = if lower[2] == "x-other" { WINDOW } else { secs(9) };
        assert_eq!(pace.wait_before(&READ, now), wait, "{names:?}");
        assert_eq!(pace.wait_before(&READ, now + wait), Duration::ZERO);
    }
}

#[test]
fn the_configured_share_is_never_passed() {
    let now = Instant::now();
    let mut pace = Pace::new(10);
    pace.learn(&READ, &headers(&[("x-rate-limit", "100"), ("x-rate-limit-remaining", "100")]), now);
    for _ in 0..10 {
        assert_eq!(pace.wait_before(&READ, now), Duration::ZERO);
        pace.sent(&READ, now);
    }
    assert_eq!(pace.wait_before(&READ, now), WINDOW);
    assert_eq!(pace.wait_before(&READ, now + secs(59)), secs(1));
    assert_eq!(Pace::new(1).quota(), ASSUMED_LIMIT / 100);
    assert_eq!(Pace::new(0).quota(), ASSUMED_LIMIT / 100, "nothing at all would be for ever");
    assert_eq!(Pace::new(255).quota(), ASSUMED_LIMIT);
}

#[test]
fn what_others_used_up_is_left_to_them() {
    let now = Instant::now();
    let mut pace = Pace::new(100);
    pace.learn(
        &READ,
        &headers(&[("x-rate-limit", "400"), ("x-rate-limit-remaining", "20"), ("ratelimit-reset", "30")]),
        now,
    );
    assert_eq!(pace.wait_before(&READ, now), secs(30), "a twentieth is left to them");
    pace.learn(
        &READ,
        &headers(&[("x-rate-limit", "400"), ("x-rate-limit-remaining", "21"), ("ratelimit-reset", "30")]),
        now,
    );
    assert_eq!(pace.wait_before(&READ, now), Duration::ZERO);
    pace.sent(&READ, now);
    assert_eq!(pace.wait_before(&READ, now), secs(30), "what is sent counts before its answer tells");
}

#[test]
fn an_endpoints_own_limit_holds_that_endpoint_only() {
    let now = Instant::now();
    let mut pace = Pace::new(50);
    pace.learn(&READ, &headers(&[("zendesk-ratelimit-many", "total=100; remaining=0; resets=40")]), now);
    assert_eq!(pace.wait_before(&READ, now), secs(40));
    assert_eq!(pace.wait_before(&update(7), now), Duration::ZERO);
    pace.learn(&READ, &headers(&[("zendesk-ratelimit-many", "total=100; remaining=1; resets=40")]), now);
    assert_eq!(pace.wait_before(&READ, now), Duration::ZERO);
}

#[test]
fn updates_are_a_second_apart_and_five_a_minute_for_one_user() {
    let mut now = Instant::now();
    let began = now;
    let mut pace = Pace::new(50);
    for _ in 0..USER_UPDATES_MAX {
        now += pace.wait_before(&update(7), now);
        pace.sent(&update(7), now);
        now += Duration::from_millis(300);
        pace.ended(&update(7), now);
        assert_eq!(pace.wait_before(&update(8), now), UPDATE_SPACING, "counted from the answer");
        assert_eq!(pace.wait_before(&READ, now), Duration::ZERO);
    }
    now += secs(1);
    assert_eq!(pace.wait_before(&update(8), now), Duration::ZERO);
    assert_eq!(now + pace.wait_before(&update(7), now), began + WINDOW);
}

#[test]
fn a_hold_is_kept_and_the_longer_one_wins() {
    let now = Instant::now();
    let mut pace = Pace::new(50);
    pace.hold(now + secs(30));
    pace.hold(now + secs(10));
    assert_eq!(pace.wait_before(&READ, now), secs(30));
    let mut pace = Pace::new(50);
    pace.hold_user(AccountId(7), now + secs(27));
    pace.hold_user(AccountId(7), now + secs(1));
    assert_eq!(pace.wait_before(&update(7), now), secs(27));
    assert_eq!(pace.wait_before(&update(8), now), Duration::ZERO, "recorded: hundreds of requests remained");
}

#[test]
fn nonsense_in_headers_changes_nothing() {
    let now = Instant::now();
    for value in ["", "-1", "many", "99999999999999999999999999", "NaN", "=", "total=;remaining=x;resets="] {
        let mut pace = Pace::new(50);
        let names = ["x-rate-limit", "x-rate-limit-remaining", "ratelimit-reset", "zendesk-ratelimit-x"];
        pace.learn(&READ, &headers(&names.map(|name| (name, value))), now);
        assert_eq!(pace.quota(), ASSUMED_LIMIT / 2, "{value}");
        assert_eq!(pace.wait_before(&READ, now), Duration::ZERO, "{value}");
    }
}

#[derive(Debug, Clone)]
enum Act {
    Pass(u64),
    Request(u64, u64),
    Learn { limit: u64, remaining: u64, reset: u64, endpoint: u64 },
    Hold(u64),
    HoldUser(u64, u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0_u64..70_000).prop_map(Act::Pass),
        (0_u64..4, 0_u64..2_000).prop_map(|(user, took)| Act::Request(user, took)),
        (0_u64..4, 0_u64..2_000).prop_map(|(user, took)| Act::Request(user, took)),
        (0_u64..4, 0_u64..2_000).prop_map(|(user, took)| Act::Request(user, took)),
        (any::<u16>(), any::<u16>(), any::<u32>(), any::<u8>()).prop_map(|(limit, remaining, reset, endpoint)| {
            Act::Learn {
                limit: u64::from(limit) % 60,
                remaining: u64::from(remaining) % 60,
                reset: u64::from(reset),
                endpoint: u64::from(endpoint) % 3,
            }
        }),
        (1_u64..=600).prop_map(Act::Hold),
        (1_u64..4, 1_u64..=600).prop_map(|(user, wait)| Act::HoldUser(user, wait)),
    ]
}

/// What an independent reading of the rules keeps.
#[derive(Default)]
struct Oracle {
    sent: Vec<Instant>,
    by_user: BTreeMap<u64, Vec<Instant>>,
    last_end: Option<Instant>,
    held: Option<Instant>,
    held_users: BTreeMap<u64, Instant>,
}

proptest! {
    #[test]
    fn no_request_goes_before_its_time_and_none_waits_for_ever(acts in proptest::collection::vec(act(), 1..200)) {
        let mut now = Instant::now();
        let mut pace = Pace::new(50);
        let mut oracle = Oracle::default();
        for act in acts {
            match act {
                Act::Pass(ms) => now += Duration::from_millis(ms),
                Act::Learn { limit, remaining, reset, endpoint } => {
                    let (limit, remaining, reset) = (limit.to_string(), remaining.to_string(), reset.to_string());
                    let budget = format!("total=9; remaining={endpoint}; resets={reset}");
                    let told = [("x-rate-limit", &*limit), ("ratelimit-remaining", &remaining),
                        ("rate-limit-reset", &reset), ("zendesk-ratelimit-x", &budget)];
                    pace.learn(&READ, &headers(&told), now);
                }
                Act::Hold(wait) => {
                    pace.hold(now + secs(wait));
                    oracle.held = oracle.held.max(Some(now + secs(wait)));
                }
                Act::HoldUser(user, wait) => {
                    pace.hold_user(AccountId(user), now + secs(wait));
                    let held = oracle.held_users.entry(user).or_insert(now);
                    *held = (*held).max(now + secs(wait));
                }
                Act::Request(user, took) => {
                    let kind = if user == 0 { READ } else { update(user) };
                    let wait = pace.wait_before(&kind, now);
                    prop_assert!(wait <= RETRY_AFTER_MAX, "waits {wait:?}");
                    now += wait;
                    prop_assert_eq!(pace.wait_before(&kind, now), Duration::ZERO, "one wait is enough");
                    prop_assert!(oracle.held.is_none_or(|held| now >= held));
                    let recent = |at: &&Instant| **at + WINDOW > now;
                    prop_assert!(oracle.sent.iter().filter(recent).count() < pace.quota());
                    if user > 0 {
                        let updates = oracle.by_user.entry(user).or_default();
                        prop_assert!(updates.iter().filter(recent).count() < USER_UPDATES_MAX);
                        prop_assert!(oracle.last_end.is_none_or(|end| now >= end + UPDATE_SPACING));
                        prop_assert!(oracle.held_users.get(&user).is_none_or(|held| now >= *held));
                        updates.push(now);
                    }
                    pace.sent(&kind, now);
                    oracle.sent.push(now);
                    now += Duration::from_millis(took);
                    pace.ended(&kind, now);
                    if user > 0 {
                        oracle.last_end = Some(now);
                    }
                }
            }
        }
    }
}
