//! Assigned groups as the directory has them now, and the one order about them: to pin an assignment anew.
//!
//! What another group means for people is planned by the next cycle like anything else, and its losses wait.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::assignment::{GroupRef, PinKey};
use crate::domain::id::{CycleId, Digester, EntryId};
use crate::domain::outcome::{Notice, Subject, Verdict};

use super::byhand::Word;
use super::command::Reply;
use super::ports::{Clock, Directory, GroupLook, GroupOrder, GroupThere, Ledger, Named, Report};
use super::view::FaultView;
use super::{Abort, Ending, Engine, Ports};

/// A group as the directory has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its immutable id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub dn: String,
    /// How many direct members it has.
    pub members: usize,
}

/// An assigned group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedView {
    /// The directory.
    pub directory: String,
    /// The text that names it in the configuration.
    pub text: String,
    /// The apps with an assignment of it.
    pub apps: Vec<String>,
    /// The id that it is pinned to.
    pub pinned: Option<String>,
    /// `found`, `new`, `renamed`, `recreated`, `ambiguous`, `missing`, or `unknown`.
    pub state: String,
    /// The group that a cycle would read.
    pub there: Option<GroupView>,
    /// What to know or do about it.
    pub remark: Option<String>,
}

/// All assigned groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupsView {
    /// They, by directory and text.
    pub groups: Vec<AssignedView>,
    /// Directories that couldn't be asked.
    pub faults: BTreeMap<String, FaultView>,
}

/// A pin that is to be changed, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepinView {
    /// The directory.
    pub directory: String,
    /// The text of the assignment.
    pub text: String,
    /// The id that it was pinned to.
    pub old_id: Option<String>,
    /// The group that it was pinned to, if it is there.
    pub old: Option<GroupView>,
    /// The group that the text names now.
    pub new: GroupView,
    /// The digest of the two.
    pub digest: String,
    /// Whether it was carried out.
    pub done: bool,
}

impl RepinView {
    /// Whether there is nothing to change.
    pub fn is_same(&self) -> bool {
        self.old_id.as_ref() == Some(&self.new.id)
    }
}

impl From<&GroupThere> for GroupView {
    fn from(group: &GroupThere) -> Self {
        let (id, dn) = (group.id.dashed(), group.dn.to_string());
        Self { id, name: group.dn.leaf(), dn, members: group.members }
    }
}

/// How an assigned group stands, which group a cycle would read, and what to know about it.
fn state(pin: Option<EntryId>, look: &GroupLook) -> (&'static str, Option<GroupView>, Option<String>) {
    let followed = "it was renamed or moved; its id is followed";
    match (pin, &look.pinned, &look.named) {
        (None, _, Named::Found(group)) => ("new", Some(group.into()), Some("the next cycle pins it".to_owned())),
        (Some(_), Some(pinned), Named::Found(named)) if pinned.id == named.id => ("found", Some(pinned.into()), None),
        (Some(_), Some(pinned), Named::Found(named)) => {
            let remark = format!("{followed}; the text names another group now, guid:{}", named.id.dashed());
            ("renamed", Some(pinned.into()), Some(remark))
        }
        (Some(_), Some(pinned), Named::Missing | Named::Ambiguous(_)) => {
            ("renamed", Some(pinned.into()), Some(followed.to_owned()))
        }
        (Some(_), None, Named::Found(named)) => {
            let id = named.id.dashed();
            let remark = format!("the text names another group now, guid:{id}: `groups repin` takes that one");
            ("recreated", None, Some(remark))
        }
        (None, _, Named::Ambiguous(dns)) => ("ambiguous", None, Some(format!("it fits {}", dns.join("; ")))),
        (_, _, Named::Missing | Named::Ambiguous(_)) => {
            ("missing", None, Some("it holds and removes nobody".to_owned()))
        }
    }
}

/// An assignment's group: how it is named, and who uses it.
struct Assigned {
    group: GroupRef,
    apps: BTreeSet<String>,
}

impl<P: Ports> Engine<P> {
    fn assigned(&self) -> BTreeMap<PinKey, Assigned> {
        let mut all: BTreeMap<PinKey, Assigned> = BTreeMap::new();
        for app in &self.apps {
            for one in &app.rules.assignments {
                let group = one.group.clone();
                let assigned = all.entry(one.pin_key()).or_insert(Assigned { group, apps: BTreeSet::new() });
                assigned.apps.insert(app.rules.app.to_string());
            }
        }
        all
    }

    /// Lists assigned groups, with what the directory shows of them now.
    pub(super) async fn list_groups(&mut self) -> Result<Reply, Abort> {
        let (pins, assigned) = (self.ledger.pins()?, self.assigned());
        let mut view = GroupsView { groups: Vec::new(), faults: BTreeMap::new() };
        for directory in &mut self.directories {
            let mine: Vec<(&PinKey, &Assigned)> =
                assigned.iter().filter(|(key, _)| key.directory == *directory.name()).collect();
            let order = |(key, one): &(&PinKey, &Assigned)| GroupOrder {
                group: one.group.clone(),
                pin: pins.get(*key).copied(),
            };
            let orders: Vec<GroupOrder> = mine.iter().map(order).collect();
            if orders.is_empty() {
                continue;
            }
            let looks = match directory.look_for(&orders).await {
                Ok(looks) => looks.into_iter().map(Some).collect(),
                Err(fault) => {
                    view.faults.insert(directory.name().to_string(), FaultView::from(&fault.problem()));
                    vec![None; orders.len()]
                }
            };
            for ((key, one), look) in mine.into_iter().zip(looks) {
                let pin = pins.get(key).copied();
                let (state, there, remark) = look.map_or(("unknown", None, None), |look| state(pin, &look));
                view.groups.push(AssignedView {
                    directory: key.directory.to_string(),
                    text: key.text.clone(),
                    apps: one.apps.iter().cloned().collect(),
                    pinned: pin.map(|id| id.dashed()),
                    state: state.to_owned(),
                    there,
                    remark,
                });
            }
        }
        let code = if view.faults.is_empty() { 0 } else { Ending::Directory.code() };
        Ok(Reply::Groups { code, view: Box::new(view) })
    }

    /// Shows or carries out that an assignment is pinned to the group that its text names now.
    pub(super) async fn repin(
        &mut self,
        text: &str,
        directory: Option<&str>,
        word: &Word,
        actor: &str,
    ) -> Result<Reply, Abort> {
        let mut fits = self.assigned();
        fits.retain(|key, _| key.text == text && directory.is_none_or(|name| key.directory.as_str() == name));
        let several = fits.len() > 1;
        let Some((key, assigned)) = fits.pop_first().filter(|_| !several) else {
            return Ok(if several {
                let message = format!("several directories have an assignment of {text:?}");
                Reply::refused(2, "several", message, "name one of them: --directory DIRECTORY")
            } else {
                let message = format!("no assignment has the text {text:?}");
                Reply::refused(2, "nobody", message, "`zendesk-dirsync groups list` shows them; give the text in full")
            });
        };
        let pin = self.ledger.pins()?.get(&key).copied();
        let Some(directory) = self.directories.iter_mut().find(|one| *one.name() == key.directory) else {
            let message = format!("directory {} is not configured", key.directory);
            return Ok(Reply::refused(2, "no_such_directory", message, "correct the configuration"));
        };
        let look = match directory.look_for(&[GroupOrder { group: assigned.group, pin }]).await {
            Ok(looks) => looks.into_iter().next(),
            Err(fault) => {
                let fault = FaultView::from(&fault.problem());
                return Ok(Reply::Refused { code: Ending::Directory.code(), fault });
            }
        };
        let (old, new) = match look {
            Some(GroupLook { pinned, named: Named::Found(new) }) => (pinned, new),
            Some(GroupLook { named: Named::Ambiguous(dns), .. }) => {
                let message = format!("{text:?} fits {}", dns.join("; "));
                return Ok(Reply::refused(2, "ambiguous", message, "name one by its DN in the configuration"));
            }
            Some(GroupLook { named: Named::Missing, .. }) | None => {
                let message = format!("{text:?} names no group in {}", key.directory);
                return Ok(Reply::refused(2, "missing", message, "see its name, and whether it may be read"));
            }
        };
        let mut digest = Digester::new("repin 1");
        digest.text(key.directory.as_str()).text(&key.text).text(&format!("{pin:?} {}", new.id));
        let mut view = RepinView {
            directory: key.directory.to_string(),
            text: key.text.clone(),
            old_id: pin.map(|id| id.dashed()),
            old: old.as_ref().map(GroupView::from),
            new: GroupView::from(&new),
            digest: digest.finish().to_string(),
            done: false,
        };
        match word.lets(&view.digest) {
            Ok(true) if !view.is_same() => {}
            Ok(_) => return Ok(Reply::Repin(Box::new(view))),
            Err(refusal) => return Ok(refusal),
        }
        self.tell_repin(&key, &view, actor)?;
        self.ledger.pin(&BTreeMap::from([(key, new.id)]))?;
        view.done = true;
        Ok(Reply::Repin(Box::new(view)))
    }

    fn tell_repin(&mut self, key: &PinKey, view: &RepinView, actor: &str) -> Result<(), Abort> {
        let now = self.clock.now();
        // Told first: a decision that isn't on record doesn't count.
        self.report.ready()?;
        let mut notice = Notice::new(now, CycleId::at(now), 0, Subject::Repin, Verdict::Done, actor);
        notice.directory = Some(key.directory.clone());
        let mut cause = Notice::cause_code("by_hand");
        let old = view.old_id.as_deref().unwrap_or("none");
        cause.evidence = Some(format!("{}: from guid:{old} to guid:{} ({})", key.text, view.new.id, view.new.dn));
        notice.cause = Some(cause);
        Ok(self.report.tell(&notice)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dn::Dn;

    fn there(n: u8) -> GroupThere {
        GroupThere { id: EntryId::from_bytes([n; 16]), dn: Dn::parse("cn=support,dc=x").unwrap(), members: 3 }
    }

    #[test]
    fn how_a_group_stands_is_told_from_its_pin_and_its_text() {
        let one = EntryId::from_bytes([1; 16]);
        let told = |pin, pinned: Option<u8>, named: Named| {
            let (state, group, _) = state(pin, &GroupLook { pinned: pinned.map(there), named });
            (state, group.is_some())
        };
        let found = |n| Named::Found(there(n));
        assert_eq!(told(None, None, found(1)), ("new", true));
        assert_eq!(told(Some(one), Some(1), found(1)), ("found", true));
        assert_eq!(told(Some(one), Some(1), Named::Missing), ("renamed", true));
        assert_eq!(told(Some(one), Some(1), found(2)), ("renamed", true));
        assert_eq!(told(Some(one), None, found(2)), ("recreated", false));
        assert_eq!(told(Some(one), None, Named::Missing), ("missing", false));
        assert_eq!(told(Some(one), None, Named::Ambiguous(Vec::new())), ("missing", false));
        assert_eq!(told(None, None, Named::Ambiguous(Vec::new())), ("ambiguous", false));
        assert_eq!(told(None, None, Named::Missing), ("missing", false));
    }
}
