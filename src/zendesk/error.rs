//! What Zendesk says when it refuses: five shapes of JSON and plain text, read into one [`Refusal`].
//!
//! It reads words for people and codes for us. What follows from a status is `judge`'s.

use std::collections::BTreeSet;

use serde_json::Value;

/// The longest message for people, in characters.
const MESSAGE_CHARS_MAX: usize = 300;
/// The longest first line that is shown of something that isn't JSON, in characters.
const FIRST_LINE_CHARS_MAX: usize = 120;
/// The most bytes of a body that are looked at for a message or a code.
const BODY_BYTES_READ_MAX: usize = 64 * 1024;
/// The most descriptions that are joined into a message.
const DESCRIPTIONS_MAX: usize = 5;
/// The name of the error when no seat is left: its status and shape are not documented.
const SEATS_SHORT: &str = "MaxAgentExceeded";

/// Makes text of an answer fit for a person's eyes: one line, no control or direction characters, a limited length.
pub(super) fn clean(text: &str, chars_max: usize) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let spaced: String = text.chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
    let words = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// The first line that isn't empty, for people.
pub(super) fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(BODY_BYTES_READ_MAX)]);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("an empty body");
    clean(line, FIRST_LINE_CHARS_MAX)
}

/// One thing that was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Detail {
    field: String,
    code: Option<String>,
    text: String,
}

/// What an error answer says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Refusal {
    /// Short names: `RecordInvalid`, `DuplicateValue`.
    pub(super) codes: BTreeSet<String>,
    /// For people.
    pub(super) message: String,
    details: Vec<Detail>,
    seats_short: bool,
}

impl Refusal {
    /// Reads the body of an error answer; never fails.
    pub(super) fn read(body: &[u8]) -> Self {
        let body = &body[..body.len().min(BODY_BYTES_READ_MAX)];
        let mut refusal = match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(fields)) => Self::of_object(&fields),
            Ok(_) | Err(_) => Self { message: first_line(body), ..Self::default() },
        };
        refusal.seats_short = String::from_utf8_lossy(body).contains(SEATS_SHORT);
        if refusal.message.is_empty() {
            refusal.message = first_line(body);
        }
        refusal
    }

    fn of_object(fields: &serde_json::Map<String, Value>) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let mut refusal = Self::default();
        let mut said = Vec::new();
        match fields.get("error") {
            // {"error":"RecordInvalid","description":…} and the bare {"error":"Couldn't authenticate you"}.
            Some(Value::String(name)) => {
                refusal.codes.insert(name.clone());
            }
            // {"error":{"title":"Invalid attribute","message":…}} (recorded: PUT password).
            Some(Value::Object(error)) => {
                refusal.codes.extend(text(error.get("title")));
                said.extend(text(error.get("message")).or_else(|| text(error.get("title"))));
            }
            Some(_) | None => {}
        }
        // {"errors":[{"code":"InvalidPaginationDepth","title":…,"detail":…}]}.
        for error in fields.get("errors").and_then(Value::as_array).into_iter().flatten() {
            refusal.codes.extend(text(error.get("code")));
            said.extend(text(error.get("detail")).or_else(|| text(error.get("title"))));
        }
        refusal.details = details(fields.get("details"));
        refusal.codes.extend(refusal.details.iter().filter_map(|detail| detail.code.clone()));
        said.extend(refusal.details.iter().map(|detail| detail.text.clone()));
        if said.is_empty() {
            let general = ["description", "error_description", "message"];
            said.extend(general.into_iter().find_map(|key| text(fields.get(key))));
        }
        if said.is_empty() {
            said.extend(text(fields.get("error")));
        }
        said.truncate(DESCRIPTIONS_MAX);
        refusal.message = clean(&said.join("; "), MESSAGE_CHARS_MAX);
        refusal
    }

    /// Whether it is about seats, wherever it says so.
    pub(super) const fn seats_short(&self) -> bool {
        self.seats_short
    }

    /// The short name of a refused write: `email_taken`, `external_id_taken` or `invalid`.
    pub(super) fn kind(&self) -> &'static str {
        // Recorded: {"details":{"value":[{"description":"… is already being used by another user","error":"DuplicateValue"}]}}.
        // Zendesk has answered without the inner name too, so the words count as well.
        let taken = |detail: &Detail| {
            detail.code.as_deref() == Some("DuplicateValue")
                || detail.text.contains("already being used")
                || detail.text.contains("already been taken")
        };
        let about_external =
            |detail: &Detail| detail.field == "external_id" || detail.text.to_lowercase().starts_with("external");
        let about_mail = |detail: &Detail| matches!(detail.field.as_str(), "email" | "value");
        if self.details.iter().any(|detail| taken(detail) && about_external(detail)) {
            "external_id_taken"
        } else if self.details.iter().any(|detail| taken(detail) && about_mail(detail)) {
            "email_taken"
        } else {
            "invalid"
        }
    }
}

/// {"details":{"email":[{"description":…,"error":…}]}}; "base" stands for the whole record.
fn details(details: Option<&Value>) -> Vec<Detail> {
    let fields = details.and_then(Value::as_object);
    let mut found = Vec::new();
    for (field, entries) in fields.into_iter().flatten() {
        for entry in entries.as_array().into_iter().flatten() {
            let text = entry.get("description").and_then(Value::as_str).or_else(|| entry.as_str());
            let code = entry.get("error").and_then(Value::as_str).map(str::to_owned);
            let text = text.or(code.as_deref()).unwrap_or_default().to_owned();
            found.push(Detail { field: field.clone(), code, text });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (String, &'static str, Vec<String>) {
        let refusal = Refusal::read(body.as_bytes());
        (refusal.message.clone(), refusal.kind(), refusal.codes.into_iter().collect())
    }

    #[test]
    fn a_duplicate_address_is_told_apart_on_users_and_on_identities() {
        for field in ["email", "value"] {
            let body = format!(
                r#"{{"error":"RecordInvalid","description":"Record validation errors","details":{{"{field}":[
                {{"description":"Email: kim@example.org is already being used by another user","error":"DuplicateValue"}}]}}}}"#
            );
            let (message, kind, codes) = read(&body);
            assert_eq!(kind, "email_taken");
            assert_eq!(codes, ["DuplicateValue", "RecordInvalid"]);
            assert_eq!(message, "Email: kim@example.org is already being used by another user");
        }
        let without_name = r#"{"error":"RecordInvalid","details":{"email":[
            {"description":"Email: kim@example.org is already being used by another user"}]}}"#;
        assert_eq!(read(without_name).1, "email_taken");
    }

    #[test]
    fn a_duplicate_external_id_is_told_apart_in_both_wordings() {
        let named =
            r#"{"error":"RecordInvalid","details":{"external_id":[{"description":"taken","error":"DuplicateValue"}]}}"#;
        let worded =
            r#"{"error":"RecordInvalid","details":{"name":[{"description":"External has already been taken"}]}}"#;
        assert_eq!((read(named).1, read(worded).1), ("external_id_taken", "external_id_taken"));
    }

    #[test]
    fn a_malformed_address_is_only_invalid() {
        let body = r#"{"error":"RecordInvalid","description":"Record validation errors",
            "details":{"email":[{"description":"Email: badmail is not properly formatted"}]}}"#;
        let (message, kind, _) = read(body);
        assert_eq!((message.as_str(), kind), ("Email: badmail is not properly formatted", "invalid"));
        // Two people of one name are no conflict of addresses.
        let name = r#"{"details":{"name":[{"description":"Name: has already been taken","error":"DuplicateValue"}]}}"#;
        assert_eq!(read(name).1, "invalid");
    }

    #[test]
    fn the_other_shapes_are_read() {
        let table = [
            (r#"{"error":"RecordNotFound","description":"Not found"}"#, "Not found"),
            (r#"{"error":{"title":"Invalid attribute","message":"must be a string"}}"#, "must be a string"),
            (r#"{"error":{"title":"Forbidden"}}"#, "Forbidden"),
            (r#"{"errors":[{"code":"InvalidPaginationDepth","title":"T","detail":"too deep"}]}"#, "too deep"),
            (r#"{"error":"Couldn't authenticate you"}"#, "Couldn't authenticate you"),
            (r#"{"error":"invalid_token","error_description":"expired"}"#, "expired"),
            ("Requester creation collision - please try again", "Requester creation collision - please try again"),
            ("\n\n  <html>\n<body>", "<html>"),
            ("", "an empty body"),
            ("null", "null"),
            ("[]", "[]"),
            ("{}", "{}"),
            (r#"{"error":{}}"#, r#"{"error":{}}"#),
        ];
        for (body, message) in table {
            assert_eq!(read(body).0, message, "{body}");
        }
    }

    #[test]
    fn seats_are_found_anywhere_in_a_body() {
        for body in [
            r#"{"error":"MaxAgentExceeded"}"#,
            r#"{"error":"RecordInvalid","details":{"base":[{"description":"x","error":"MaxAgentExceeded"}]}}"#,
            "MaxAgentExceeded: Subscription limit reached",
        ] {
            assert!(Refusal::read(body.as_bytes()).seats_short(), "{body}");
        }
        assert!(!Refusal::read(b"{}").seats_short());
    }

    #[test]
    fn what_people_see_is_short_and_harmless() {
        let nasty = "a\u{1b}[31mred\r\nforged\u{2028}line\u{202e}rtl\u{0}";
        assert_eq!(clean(nasty, 100), "a [31mred forged line rtl");
        let long = format!(r#"{{"error":"E","description":"{}"}}"#, "ä".repeat(5000));
        assert_eq!(read(&long).0.chars().count(), MESSAGE_CHARS_MAX + 1);
        let huge = vec![b'x'; 10 * BODY_BYTES_READ_MAX];
        assert_eq!(first_line(&huge).chars().count(), FIRST_LINE_CHARS_MAX + 1);
        assert_eq!(clean("", 10), "");
    }
}
