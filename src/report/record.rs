//! A report record, version 1: made only from a [`Notice`], one JSON object a line.
//!
//! What is absent is omitted; `changes` is always there; a `before` or `after` that is `null` means "no value", one that
//! is omitted was left out with the personal part. The personal part is `salt, user, name, dn, error, cause.groups,
//! cause.evidence, changes[].before, changes[].after`. `commit` is the SHA-256 over it and `prev` the SHA-256 over the
//! previous record without it, both over canonical JSON (RFC 8785: sorted keys, no spaces), so that a person can be
//! blanked without breaking the chain.

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::escape;
use crate::domain::change::{FieldChange, FieldValue};
use crate::domain::outcome::{Notice, Problem, ToldCause};
use crate::domain::settings::Redaction;
use crate::engine::ports::ReportFault;

/// The version of records that this release writes.
pub const VERSION: u32 = 1;
/// Bytes of a line at most, its end included: one `write` of it is never torn by another.
pub const LINE_MAX: usize = 64 * 1024;
/// What stands for the record before the first.
pub const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One record of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportRecord {
    /// The version of its form.
    pub v: u32,
    /// When, in UTC, to the millisecond.
    #[serde(with = "moment")]
    pub time: DateTime<Utc>,
    /// In which cycle.
    pub cycle: String,
    /// The place in the cycle.
    pub seq: u64,
    /// In which app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// From which directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// What was done.
    pub action: String,
    /// With which result.
    pub result: String,
    /// Who asked for it: `daemon`, or a person.
    pub actor: String,
    /// The mail address; personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The display name; personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The immutable id, 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory_id: Option<String>,
    /// Where the entry is; personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dn: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zendesk_id: Option<u64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<CauseRecord>,
    /// What changed.
    #[serde(default)]
    pub changes: Vec<ChangeRecord>,
    /// What went wrong; personal, because it may quote a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorRecord>,
    /// Zendesk's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
    /// Chance, so that nobody can guess what `commit` was made over; goes with the personal part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// SHA-256 over the personal part.
    pub commit: String,
    /// SHA-256 over the previous record without its personal part.
    pub prev: String,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CauseRecord {
    /// The code.
    pub code: String,
    /// The ways through groups; personal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What shows it; personal, because it may hold a DN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// One field with its value before and after: a text, a list, a flag, or null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// The field.
    pub field: String,
    /// What it was; personal. None when it was left out.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is; personal. None when it was left out.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorRecord {
    /// A stable short name.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// A null that was given is a value.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Times with three digits of a second and a `Z`, so that they sort as text.
mod moment {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text).map(|time| time.with_timezone(&Utc)).map_err(serde::de::Error::custom)
    }
}

/// A record as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The record.
    pub record: ReportRecord,
    /// Its line, without the line's end.
    pub line: String,
    /// What the next record's `prev` will be.
    pub hash: String,
}

/// Makes the record of a notice: shortened if it must be, its personal part committed to, and tied to the one before.
///
/// # Errors
/// When it has no JSON form, which no notice is known to bring about.
pub fn make(notice: &Notice, salt: [u8; 16], prev: &str, redaction: Redaction) -> Result<Written, ReportFault> {
    let fault = |why: serde_json::Error| ReportFault(format!("a record can't be written down: {why}"));
    let whole = ReportRecord::of(notice, salt, prev);
    let mut record = whole.clone();
    let mut limits = [8_192, 2_048, 512, 128, 32].into_iter();
    loop {
        let personal = personal(&serde_json::to_value(&record).map_err(fault)?);
        record.commit = sha256(&canonical(&personal));
        let shown = match redaction {
            Redaction::None => record.clone(),
            Redaction::Personal => record.clone().blanked(),
        };
        let line = escape::json(&shown).map_err(fault)?;
        match limits.next().filter(|_| line.len() >= LINE_MAX) {
            Some(limit) => {
                record = whole.clone();
                record.shorten(limit);
            }
            None => {
                let hash = chain_hash(&serde_json::to_value(&shown).map_err(fault)?);
                return Ok(Written { record: shown, line, hash });
            }
        }
    }
}

impl ReportRecord {
    fn of(notice: &Notice, salt: [u8; 16], prev: &str) -> Self {
        Self {
            v: VERSION,
            time: notice.time.trunc_subsecs(3),
            cycle: notice.cycle.as_str().to_owned(),
            seq: notice.seq,
            app: notice.app.as_ref().map(|app| app.as_str().to_owned()),
            directory: notice.directory.as_ref().map(|name| name.as_str().to_owned()),
            action: notice.subject.as_str().to_owned(),
            result: notice.verdict.as_str().to_owned(),
            actor: notice.actor.clone(),
            user: notice.user.clone(),
            name: notice.name.clone(),
            directory_id: notice.entry.map(|id| id.to_string()),
            dn: notice.dn.as_ref().map(|dn| dn.as_str().to_owned()),
            zendesk_id: notice.account.map(|id| id.0),
            cause: notice.cause.as_ref().map(CauseRecord::from),
            changes: notice.changes.iter().map(ChangeRecord::from).collect(),
            error: notice.problem.as_ref().map(ErrorRecord::from),
            request_id: notice.request_id.clone(),
            elapsed_ms: notice.elapsed_ms,
            salt: Some(salt.iter().map(|byte| format!("{byte:02x}")).collect()),
            commit: String::new(),
            prev: prev.to_owned(),
        }
    }

    /// The record without its personal part; `commit` still speaks for it.
    #[must_use]
    pub fn blanked(mut self) -> Self {
        self.salt = None;
        self.user = None;
        self.name = None;
        self.dn = None;
        self.error = None;
        if let Some(cause) = &mut self.cause {
            cause.groups.clear();
            cause.evidence = None;
        }
        for change in &mut self.changes {
            change.before = None;
            change.after = None;
        }
        self
    }

    /// Cuts every text to so many bytes, and lists to so many entries, each with a mark that says so.
    fn shorten(&mut self, limit: usize) {
        let texts = [&mut self.user, &mut self.name, &mut self.dn, &mut self.request_id].into_iter().flatten();
        texts.chain([&mut self.actor]).for_each(|text| cut(text, limit));
        if let Some(error) = &mut self.error {
            cut(&mut error.message, limit);
            cut(&mut error.hint, limit);
        }
        if let Some(cause) = &mut self.cause {
            cut_list(&mut cause.groups, limit, |text| text, |text| cut(text, limit));
            cause.evidence.iter_mut().for_each(|text| cut(text, limit));
        }
        for change in &mut self.changes {
            for value in [&mut change.before, &mut change.after].into_iter().flatten() {
                cut_value(value, limit);
            }
        }
        // A notice has a change for each field at most; this only bounds what can't be.
        self.changes.truncate(256);
    }
}

/// Cuts a text at a character, and says how long it was.
fn cut(text: &mut String, limit: usize) {
    if text.len() > limit.saturating_add(40) {
        let whole = text.len();
        let end = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push_str(&format!("… (shortened from {whole} bytes)"));
    }
}

fn cut_list<T>(list: &mut Vec<T>, limit: usize, mark: impl Fn(String) -> T, each: impl FnMut(&mut T)) {
    let kept = limit / 8;
    if list.len() > kept + 1 {
        let more = list.len() - kept;
        list.truncate(kept);
        list.push(mark(format!("… ({more} more)")));
    }
    list.iter_mut().for_each(each);
}

fn cut_value(value: &mut Value, limit: usize) {
    match value {
        Value::String(text) => cut(text, limit),
        Value::Array(list) => cut_list(list, limit, Value::String, |one| cut_value(one, limit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

impl From<&ToldCause> for CauseRecord {
    fn from(cause: &ToldCause) -> Self {
        Self { code: cause.code.clone(), groups: cause.groups.clone(), evidence: cause.evidence.clone() }
    }
}

impl From<&Problem> for ErrorRecord {
    fn from(problem: &Problem) -> Self {
        Self { kind: problem.kind.to_owned(), message: problem.message.clone(), hint: problem.hint.clone() }
    }
}

impl From<&FieldChange> for ChangeRecord {
    fn from(change: &FieldChange) -> Self {
        let value = |value: &FieldValue| match value {
            FieldValue::None => Value::Null,
            FieldValue::Text(text) => Value::String(text.clone()),
            FieldValue::Set(names) => names.iter().cloned().map(Value::String).collect(),
            FieldValue::Flag(flag) => Value::Bool(*flag),
        };
        Self { field: change.field.to_owned(), before: Some(value(&change.before)), after: Some(value(&change.after)) }
    }
}

/// The personal fields of a record itself.
const PERSONAL: [&str; 5] = ["salt", "user", "name", "dn", "error"];
/// The personal fields of its cause.
const PERSONAL_CAUSE: [&str; 2] = ["groups", "evidence"];
/// The personal fields of each change.
const PERSONAL_CHANGE: [&str; 2] = ["before", "after"];

/// The personal part of a record, as `commit` is made over it: the fields that are there; `cause` and `changes` only if
/// they have personal fields.
pub fn personal(record: &Value) -> Value {
    let mut part = only(record, &PERSONAL);
    let cause = only(record.get("cause").unwrap_or(&Value::Null), &PERSONAL_CAUSE);
    if !cause.is_empty() {
        part.insert("cause".into(), Value::Object(cause));
    }
    let changes = record.get("changes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let changes: Vec<Map<String, Value>> = changes.iter().map(|change| only(change, &PERSONAL_CHANGE)).collect();
    if changes.iter().any(|change| !change.is_empty()) {
        part.insert("changes".into(), changes.into_iter().map(Value::Object).collect());
    }
    Value::Object(part)
}

fn only(value: &Value, names: &[&str]) -> Map<String, Value> {
    let fields = value.as_object().into_iter().flatten();
    fields
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, field)| (name.clone(), field.clone()))
        .collect()
}

/// What the next record's `prev` is: over the record without its personal part.
pub fn chain_hash(record: &Value) -> String {
    let mut rest = record.clone();
    strip(&mut rest, &PERSONAL);
    if let Some(cause) = rest.get_mut("cause") {
        strip(cause, &PERSONAL_CAUSE);
    }
    for change in rest.get_mut("changes").and_then(Value::as_array_mut).into_iter().flatten() {
        strip(change, &PERSONAL_CHANGE);
    }
    sha256(&canonical(&rest))
}

fn strip(value: &mut Value, names: &[&str]) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !names.contains(&name.as_str()));
    }
}

/// The SHA-256 of a text in hexadecimal digits.
pub fn sha256(text: &str) -> String {
    crate::domain::id::Digest(Sha256::digest(text.as_bytes()).into()).to_string()
}

/// Canonical JSON: sorted keys, no spaces, the shortest escapes, other characters as they are.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            // Sorted here: whether serde_json's own map is depends on features of other crates.
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            out.push('{');
            for (number, name) in names.into_iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(&fields[name], out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (number, one) in list.iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                write_canonical(one, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}
