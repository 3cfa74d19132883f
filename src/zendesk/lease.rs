//! The marker of an app's lease: an end user of ours whose `notes` say which copy of this service wrote last.
//!
//! A user, because nothing else can be made only once by an API client: `external_id` is unique (API reference, Users).
//! `notes`, because it is text that Zendesk shows to agents only and keeps as it is. The user has no mail unless one is
//! configured, so nobody can sign in as it, and an end user takes no seat.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::domain::account::ObservedAccount;
use crate::domain::assignment::Role;
use crate::domain::id::{AccountId, AppName, Email, ExternalId};
use crate::domain::lease::{InstanceId, LeaseMark, Marker};
use crate::domain::mapping::Field;
use crate::engine::ports::CallFault;

use super::call::Call;
use super::gate::Errand;
use super::http::Caller;
use super::users;
use super::wire::OneUser;

/// What the notes of a marker hold.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    instance: String,
    serial: u64,
    at: String,
}

fn written(mark: &LeaseMark) -> String {
    let at = mark.at().to_rfc3339_opts(SecondsFormat::Millis, true);
    json!(Notes { instance: mark.instance.to_string(), serial: mark.serial, at }).to_string()
}

fn read_notes(notes: &str) -> Option<LeaseMark> {
    let Notes { instance, serial, at } = serde_json::from_str(notes).ok()?;
    let at: DateTime<Utc> = at.parse().ok()?;
    Some(LeaseMark::new(InstanceId::parse(&instance).ok()?, serial, at))
}

/// Reads the marker.
pub(super) async fn read(caller: &mut Caller, app: &AppName) -> Result<Marker, CallFault> {
    let mut seen = users::by_external_id(caller, &[ExternalId::lease(app)]).await?;
    seen.retain(ObservedAccount::is_live);
    seen.iter().for_each(|account| caller.gate.saw(account));
    let Some(account) = seen.pop() else { return Ok(Marker::Free) };
    if !seen.is_empty() {
        let why = format!("{} users carry its external_id", seen.len() + 1);
        return Ok(Marker::Unreadable { account: None, why });
    }
    let id = account.id;
    if account.role != Role::EndUser || !caller.gate.bears_mark(id) {
        let why = format!("account {id} carries its external_id, and is no plain end user");
        return Ok(Marker::Unreadable { account: None, why });
    }
    Ok(match read_notes(account.text(Field::Notes)) {
        Some(mark) => Marker::Held { account: id, mark },
        None => {
            let why = format!("the notes of account {id} don't say who wrote last");
            Marker::Unreadable { account: Some(id), why }
        }
    })
}

/// Writes the marker: over an account that [`read`] found, or a new one.
pub(super) async fn write(
    caller: &mut Caller,
    app: &AppName,
    email: Option<&Email>,
    over: Option<AccountId>,
    mark: &LeaseMark,
) -> Result<(), CallFault> {
    let notes = written(mark);
    let call = match over {
        Some(id) => Call::put("users/{id}", &[id.0], json!({"user": {"notes": notes}})),
        None => {
            let mut user = Map::new();
            user.insert("name".to_owned(), Value::from(format!("zendesk-dirsync lease of {app} (do not delete)")));
            user.insert("external_id".to_owned(), Value::from(ExternalId::lease(app).as_str()));
            user.insert("role".to_owned(), Value::from(Role::EndUser.as_str()));
            user.insert("notes".to_owned(), Value::from(notes));
            if let Some(email) = email {
                user.insert("email".to_owned(), Value::from(email.as_str()));
                user.insert("verified".to_owned(), Value::from(true));
            }
            user.insert("skip_verify_email".to_owned(), Value::from(true));
            Call::post("users", &[], json!({ "user": user }))
        }
    };
    caller.fetch_as::<OneUser>(&call, Errand::Lease).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_read_back_as_they_were_written_and_anything_else_is_no_mark() {
        let at = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        let mark = LeaseMark::new(InstanceId::from_bytes([0xab; 16]), 41, at);
        let text = written(&mark);
        assert_eq!(
            text,
            format!(r#"{{"at":"2023-11-14T22:13:20.123Z","instance":"{}","serial":41}}"#, "ab".repeat(16))
        );
        assert_eq!(read_notes(&text), Some(mark));
        for wrong in ["", "{}", "41", &text.replace("41", "-1"), &text.replace("abab", "zzzz"), &format!("{text} x")] {
            assert_eq!(read_notes(wrong), None, "{wrong}");
        }
    }
}
