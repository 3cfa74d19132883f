//! The judge: what an answer, or its absence, means. Pure.
//!
//! A read may be repeated. A write that may have had an effect is never repeated and never called refused.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::engine::ports::CallFault;

use super::call::Purpose;
use super::error::{Refusal, first_line};
use super::wait::retry_after;

/// An answer whose body was read to its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) retry_after: Option<String>,
    pub(super) body: Vec<u8>,
    pub(super) request_id: Option<String>,
}

/// Why there is no whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// Nothing was sent.
    NotSent(String),
    /// It was sent, at least in part.
    Lost(String),
    /// The answer is too large to be read.
    TooLarge(u16),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A success whose body is JSON or empty.
    Good,
    /// Renew the credentials, once; the request had no effect.
    Renew(CallFault),
    /// Wait, as long as is asked for if it is, and repeat: the request had no effect.
    Throttled {
        /// How long.
        asked: Option<Duration>,
        /// Whether only this one user is updated too often.
        scope: Throttle,
    },
    /// Pause and repeat; the fault if that was done often enough.
    Again(Option<Duration>, CallFault),
    /// Give up.
    Fail(CallFault),
}

/// What a 429 is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Throttle {
    /// The account, or an endpoint.
    Account,
    /// Updates of one user.
    User,
}

/// Judges what came back.
pub(super) fn judge(purpose: Purpose, came: &Result<Received, Broken>, now: DateTime<Utc>) -> Verdict {
    match came {
        Err(Broken::NotSent(why)) => Verdict::Again(None, CallFault::Unreachable(why.clone())),
        Err(Broken::Lost(why)) => uncertain(purpose, None, why.clone()),
        Err(Broken::TooLarge(status)) => {
            Verdict::Fail(unusable(purpose, format!("the body of a {status} answer is too large")))
        }
        Ok(received) => judge_answer(purpose, received, now),
    }
}

/// A success that can't be understood: for a write, its effect is unknown.
pub(super) fn unusable(purpose: Purpose, why: String) -> CallFault {
    match purpose {
        Purpose::Read => CallFault::Garbled(why),
        Purpose::Write => CallFault::Unanswered(why),
    }
}

/// Something that may have had an effect.
fn uncertain(purpose: Purpose, asked: Option<Duration>, why: String) -> Verdict {
    match purpose {
        Purpose::Read => Verdict::Again(asked, CallFault::Unanswered(why)),
        Purpose::Write => Verdict::Fail(CallFault::Unanswered(why)),
    }
}

fn judge_answer(purpose: Purpose, received: &Received, now: DateTime<Utc>) -> Verdict {
    let status = received.status;
    let asked = retry_after(received.retry_after.as_deref(), now);
    match status {
        200..=299 if is_json(received) => Verdict::Good,
        200..=299 => {
            let kind = received.content_type.as_deref().unwrap_or("no content type");
            let why = format!("{status} with {}: {}", super::error::clean(kind, 60), first_line(&received.body));
            Verdict::Fail(unusable(purpose, why))
        }
        // The address is not shown: it is anybody's word.
        300..=399 => Verdict::Fail(unusable(purpose, format!("a redirect ({status}), which is never followed"))),
        400..=499 => judge_refusal(purpose, received, asked),
        // 503 may come with Retry-After; that it had no effect is documented nowhere.
        _ => uncertain(purpose, asked, named(received, &first_line(&received.body))),
    }
}

/// A text with the status and Zendesk's name of the request, to be quoted to its support.
fn named(received: &Received, text: &str) -> String {
    match &received.request_id {
        Some(id) => format!("{text} ({}, request {id})", received.status),
        None => format!("{text} ({})", received.status),
    }
}

fn judge_refusal(purpose: Purpose, received: &Received, asked: Option<Duration>) -> Verdict {
    let status = received.status;
    let refusal = Refusal::read(&received.body);
    let message = named(received, &refusal.message);
    match status {
        401 => Verdict::Renew(CallFault::Unauthorized(message)),
        429 => Verdict::Throttled { asked, scope: throttle(received) },
        // The server gave up waiting for the rest of the request, or says so.
        408 => uncertain(purpose, asked, message),
        // Recorded: 409 text/plain "Requester creation collision - please try again".
        409 if refusal.message.contains("collision") => {
            Verdict::Again(asked, CallFault::Refused { kind: "invalid", message })
        }
        // The status of this one isn't documented.
        _ if refusal.seats_short() => Verdict::Fail(CallFault::SeatsShort(message)),
        // A shared user can't be updated (API reference, Users): a refused write is about that record. Whoever may write
        // nothing at all is stopped by the engine after a few.
        // "You are missing the following required scopes" (seen by users of the API) is about us.
        403 if purpose == Purpose::Write && !message.contains("scope") => {
            Verdict::Fail(CallFault::Refused { kind: "forbidden", message })
        }
        403 => Verdict::Fail(CallFault::Unauthorized(message)),
        404 => Verdict::Fail(CallFault::NotFound(message)),
        _ => Verdict::Fail(CallFault::Refused { kind: refusal.kind(), message }),
    }
}

/// Recorded: 429 text/plain "You have exceeded the rate limit for updating a single unique user. …", while hundreds of
/// the account's requests remained.
fn throttle(received: &Received) -> Throttle {
    let of_user = String::from_utf8_lossy(&received.body).contains("updating a single unique user");
    if of_user { Throttle::User } else { Throttle::Account }
}

/// Whether the body is empty, or says that it is JSON.
fn is_json(received: &Received) -> bool {
    if received.body.iter().all(u8::is_ascii_whitespace) {
        return true;
    }
    let kind = received.content_type.as_deref().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Purpose::{Read, Write};

    fn answer(status: u16, kind: &str, body: &str) -> Received {
        Received { status, content_type: Some(kind.to_owned()), body: body.as_bytes().to_vec(), ..Received::default() }
    }

    fn verdict(purpose: Purpose, received: Received) -> Verdict {
        judge(purpose, &Ok(received), DateTime::UNIX_EPOCH)
    }

    /// A verdict in a word.
    fn word(verdict: &Verdict) -> String {
        match verdict {
            Verdict::Good => "good".to_owned(),
            Verdict::Renew(_) => "renew".to_owned(),
            Verdict::Throttled { .. } => "throttled".to_owned(),
            Verdict::Again(_, fault) => format!("again {}", fault.kind()),
            Verdict::Fail(fault) => fault.kind().to_owned(),
        }
    }

    #[test]
    fn every_status_means_one_thing_for_reads_and_one_for_writes() {
        let json = "application/json; charset=utf-8";
        let seats = r#"{"error":"RecordInvalid","details":{"base":[{"description":"no","error":"MaxAgentExceeded"}]}}"#;
        let email = r#"{"details":{"email":[{"description":"x","error":"DuplicateValue"}]}}"#;
        let table = [
            (answer(200, json, "{}"), "good", "good"),
            (answer(201, json, "{}"), "good", "good"),
            (answer(204, "", ""), "good", "good"),
            (answer(200, "application/vnd.api+json", "{}"), "good", "good"),
            (answer(200, "text/html", "<html>Sign in"), "garbled", "unanswered"),
            (answer(200, "text/plain", "ok"), "garbled", "unanswered"),
            (answer(200, "", "{}"), "garbled", "unanswered"),
            (answer(301, "text/html", ""), "garbled", "unanswered"),
            (answer(302, json, "{}"), "garbled", "unanswered"),
            (answer(308, json, "{}"), "garbled", "unanswered"),
            (answer(400, json, "{}"), "invalid", "invalid"),
            (answer(401, json, r#"{"error":"Couldn't authenticate you"}"#), "renew", "renew"),
            (answer(402, json, seats), "seats_short", "seats_short"),
            (answer(403, json, "{}"), "unauthorized", "forbidden"),
            (
                answer(
                    403,
                    json,
                    r#"{"error":"Forbidden","description":"You are missing the following required scopes: write"}"#,
                ),
                "unauthorized",
                "unauthorized",
            ),
            (answer(403, json, seats), "seats_short", "seats_short"),
            (answer(404, json, "{}"), "not_found", "not_found"),
            (answer(408, "text/plain", ""), "again unanswered", "unanswered"),
            (
                answer(409, "text/plain", "Requester creation collision - please try again"),
                "again invalid",
                "again invalid",
            ),
            (answer(409, json, r#"{"error":"Conflict"}"#), "invalid", "invalid"),
            (answer(413, "text/html", "<html>"), "invalid", "invalid"),
            (answer(422, json, email), "email_taken", "email_taken"),
            (answer(422, json, seats), "seats_short", "seats_short"),
            (answer(429, "text/plain", "slow down"), "throttled", "throttled"),
            (answer(500, json, "{}"), "again unanswered", "unanswered"),
            (answer(502, "text/html", "<html>"), "again unanswered", "unanswered"),
            (answer(503, "text/html", "<html>"), "again unanswered", "unanswered"),
            (answer(599, "", ""), "again unanswered", "unanswered"),
            (answer(999, "", ""), "again unanswered", "unanswered"),
        ];
        for (received, read, write) in table {
            let got = (word(&verdict(Read, received.clone())), word(&verdict(Write, received.clone())));
            assert_eq!(got, (read.to_owned(), write.to_owned()), "{} {:?}", received.status, received.content_type);
        }
    }

    #[test]
    fn what_was_sent_and_lost_is_unknown_for_a_write_and_tried_again_for_a_read() {
        let judged = |purpose, broken| word(&judge(purpose, &Err(broken), DateTime::UNIX_EPOCH));
        assert_eq!(judged(Write, Broken::Lost("reset".into())), "unanswered");
        assert_eq!(judged(Read, Broken::Lost("reset".into())), "again unanswered");
        assert_eq!(judged(Write, Broken::NotSent("refused".into())), "again zendesk_unreachable");
        assert_eq!(judged(Write, Broken::TooLarge(201)), "unanswered");
        assert_eq!(judged(Read, Broken::TooLarge(200)), "garbled");
    }

    #[test]
    fn a_retry_after_is_asked_for_wherever_it_stands() {
        let with = |status, purpose| {
            let received = Received { retry_after: Some("27".into()), ..answer(status, "text/plain", "") };
            verdict(purpose, received)
        };
        let asked = Some(Duration::from_secs(27));
        assert_eq!(with(429, Write), Verdict::Throttled { asked, scope: Throttle::Account });
        assert!(matches!(with(503, Read), Verdict::Again(wait, _) if wait == asked));
        assert!(matches!(with(503, Write), Verdict::Fail(CallFault::Unanswered(_))), "nobody says it had no effect");
    }

    #[test]
    fn a_limit_on_one_user_is_told_from_the_accounts() {
        let text =
            "You have exceeded the rate limit for updating a single unique user. user email:  id:  external_id: ";
        let judged = verdict(Write, answer(429, "text/plain; charset=UTF-8", text));
        assert_eq!(judged, Verdict::Throttled { asked: None, scope: Throttle::User });
    }

    #[test]
    fn a_refusal_names_the_request_for_zendesks_support() {
        let received =
            Received { request_id: Some("abc-1".into()), ..answer(422, "application/json", r#"{"description":"no"}"#) };
        let Verdict::Fail(fault) = verdict(Write, received) else { panic!("not refused") };
        assert_eq!(fault.to_string(), "Zendesk refuses: no (422, request abc-1)");
    }
}
