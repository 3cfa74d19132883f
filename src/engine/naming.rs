//! Naming people in commands: from what somebody typed to exactly one person, or a word about why not.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::KnownAccount;
use crate::domain::id::{AccountId, AppName, PersonId};
use crate::domain::outcome::Notice;

use super::Ports;
use super::command::Reply;
use super::planner::Planner;
use super::ports::{Directory as _, Ledger as _, LedgerFault};
use super::propose::names;

/// Somebody in an app, as people know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Someone {
    pub(super) app: AppName,
    pub(super) person: PersonId,
    pub(super) user: String,
    pub(super) name: String,
    pub(super) account: Option<AccountId>,
}

impl Someone {
    pub(super) fn known(app: &AppName, known: &KnownAccount) -> Self {
        Self {
            app: app.clone(),
            person: known.person.clone(),
            user: known.written.email.to_string(),
            name: known.written.name.clone(),
            account: Some(known.account),
        }
    }

    /// Says in a notice whom it is about.
    pub(super) fn told(&self, mut notice: Notice) -> Notice {
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        notice.app = Some(self.app.clone());
        notice.directory = Some(self.person.directory.clone());
        notice.entry = Some(self.person.entry);
        notice.user = text(&self.user);
        notice.name = text(&self.name);
        notice.account = self.account;
        notice
    }

    /// Whether what was typed names them: by mail, name, immutable id or Zendesk id.
    pub(super) fn is(&self, user: &str) -> bool {
        let account = self.account.map(|id| id.to_string());
        names(user, &self.user, &self.name, &self.person) || account.as_deref() == Some(user.trim())
    }
}

/// Everybody in `found` is one person; else a refusal. `none` says what nobody of that name is, and what to do.
pub(super) fn one(user: &str, found: Vec<Someone>, none: (&str, &str)) -> Result<Vec<Someone>, Reply> {
    let people: BTreeSet<&PersonId> = found.iter().map(|one| &one.person).collect();
    match people.len() {
        0 => Err(Reply::refused(2, "nobody", format!("nobody {} is named {user:?}", none.0), none.1)),
        1 => Ok(found),
        _ => Err(several(user, &found)),
    }
}

/// The refusal of a name that fits several people.
pub(super) fn several(user: &str, found: &[Someone]) -> Reply {
    let mut lines: BTreeMap<&PersonId, String> = BTreeMap::new();
    for one in found {
        let line = format!("  {}  {}  {}", one.person.entry, one.user, one.name);
        lines.entry(&one.person).or_insert(line);
    }
    let lines: Vec<String> = lines.into_values().collect();
    let message = format!("{} people are named {user:?}:\n{}", lines.len(), lines.join("\n"));
    Reply::refused(2, "several", message, "name one of them by the id")
}

impl<P: Ports> Planner<'_, P> {
    /// Everybody who is managed and so named, in one app or in all.
    pub(super) fn managed(&self, user: &str, app: Option<&AppName>) -> Result<Vec<Someone>, LedgerFault> {
        let mut found = Vec::new();
        let apps = self.apps.iter().map(|one| &one.rules.app);
        for app in apps.filter(|one| app.is_none_or(|app| *one == app)) {
            for directory in &*self.directories {
                for trace in self.ledger.traces(app, directory.name())? {
                    let person = PersonId { directory: directory.name().clone(), entry: trace.entry };
                    let Some(known) = self.ledger.known(app, &person)? else { continue };
                    let someone = Someone::known(app, &known);
                    if someone.is(user) {
                        found.push(someone);
                    }
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{DirectoryName, EntryId};

    fn someone(n: u8, name: &str) -> Someone {
        let directory = DirectoryName::new("corp").unwrap();
        Someone {
            app: AppName::new("support").unwrap(),
            person: PersonId { directory, entry: EntryId::from_bytes([n; 16]) },
            user: format!("p{n}@example.org"),
            name: name.to_owned(),
            account: Some(AccountId(u64::from(n))),
        }
    }

    #[test]
    fn somebody_is_named_by_mail_name_id_or_account() {
        let ann = someone(1, "Ann Ash");
        for name in ["P1@example.org", "ann ash", "01010101-0101-0101-0101-010101010101", "1"] {
            assert!(ann.is(name), "{name}");
        }
        for other in ["", "p2@example.org", "Ann", "11"] {
            assert!(!ann.is(other), "{other}");
        }
    }

    #[test]
    fn a_name_of_two_people_is_refused_with_their_ids() {
        let both = vec![someone(1, "Ann Ash"), someone(2, "Ann Ash")];
        let Err(Reply::Refused { code, fault }) = one("Ann Ash", both, ("", "")) else { panic!("it names two") };
        assert_eq!((code, fault.kind.as_str()), (2, "several"));
        assert!(fault.message.contains("02020202") && fault.message.contains("p1@example.org"), "{}", fault.message);
        let twice = vec![someone(1, "Ann Ash"), someone(1, "Ann Ash")];
        assert_eq!(one("Ann Ash", twice, ("", "")).map(|found| found.len()), Ok(2));
        assert!(one("Ann Ash", Vec::new(), ("managed", "")).is_err());
    }
}
