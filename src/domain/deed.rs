//! Deeds: what was done to one account, with the account as it was just before, so that it can be undone.
//!
//! A deed says what was changed and what was left behind. How it is undone is decided in `plan::undo`.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};

use super::account::{KnownAccount, ObservedAccount, Suspended};
use super::assignment::Role;
use super::change::{Action, CauseCode, Change, FieldValue, OldEmail, Patch, SignIn, Step, Welcome};
use super::dn::Dn;
use super::id::{AccountId, AppName, CycleId, Email, PersonId};

/// So many cycles that did something keep their deeds. No clock decides: one that jumps would forget them all.
pub const DEED_CYCLES_MAX: usize = 1_000;
/// So many deeds are kept, beside those of the newest cycle, whatever its size.
pub const DEEDS_MAX: u64 = 100_000;

/// How a deed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeedEnd {
    /// It was begun; nobody knows more yet.
    Begun,
    /// All of it was done, or was so already.
    Done,
    /// Some of it was done, or what was done didn't last.
    Partly,
    /// Nothing was written.
    Refused,
    /// A call wasn't answered.
    Unknown,
}

impl DeedEnd {
    /// All ends.
    pub const ALL: [Self; 5] = [Self::Begun, Self::Done, Self::Partly, Self::Refused, Self::Unknown];

    /// The name in the store and in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Partly => "partly",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == text)
    }
}

/// An effect that nothing takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lasting {
    /// The person was signed out everywhere.
    SessionsEnded,
    /// Zendesk mailed the person a welcome.
    WelcomeMailed,
    /// An account was made: it can be suspended, not unmade.
    AccountMade,
}

impl Lasting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SessionsEnded, Self::WelcomeMailed, Self::AccountMade];

    /// The name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionsEnded => "sessions_ended",
            Self::WelcomeMailed => "welcome_mailed",
            Self::AccountMade => "account_made",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    fn of(steps: &[Step]) -> BTreeSet<Self> {
        let mut lasting = BTreeSet::new();
        for step in steps {
            match step {
                Step::EndSessions => {
                    lasting.insert(Self::SessionsEnded);
                }
                Step::Create(new) => {
                    lasting.insert(Self::AccountMade);
                    if new.welcome == Welcome::Mail {
                        lasting.insert(Self::WelcomeMailed);
                    }
                }
                Step::Write(_)
                | Step::Unmark
                | Step::ChangeEmail { .. }
                | Step::AddEmail(_)
                | Step::Join(_)
                | Step::Leave(_)
                | Step::MakeDefault(_)
                | Step::AddTags(_)
                | Step::RemoveTags(_)
                | Step::Downgrade(_) => {}
            }
        }
        lasting
    }
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SessionsEnded => "sessions were ended: whoever was signed in signs in again",
            Self::WelcomeMailed => "Zendesk's welcome mail was sent",
            Self::AccountMade => "an account was made: it is suspended, not deleted",
        })
    }
}

/// A field with its value before and after, as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeedField {
    /// The field's name in plans and reports.
    pub field: String,
    /// What it was.
    pub before: FieldValue,
    /// What it became.
    pub after: FieldValue,
}

/// What was done to one account of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// The cycle.
    pub cycle: CycleId,
    /// The place in its report.
    pub seq: u64,
    /// When it was begun.
    pub time: DateTime<Utc>,
    /// Who asked for it: `daemon`, or a person.
    pub actor: String,
    /// The app.
    pub app: AppName,
    /// The person.
    pub person: PersonId,
    /// The account; none while it isn't made.
    pub account: Option<AccountId>,
    /// What was done.
    pub action: Action,
    /// Why.
    pub cause: CauseCode,
    /// The cycle whose deed this one undoes.
    pub undoes: Option<CycleId>,
    /// The mail, for people.
    pub email: Email,
    /// The name, for people.
    pub name: String,
    /// Where the entry was.
    pub dn: Dn,
    /// What changed, by field.
    pub fields: Vec<DeedField>,
    /// The account as it was seen just before; none when there was none.
    pub before: Option<Box<ObservedAccount>>,
    /// The account as the deed leaves it, by its own steps: what others did meanwhile isn't in it.
    pub left: Option<Box<ObservedAccount>>,
    /// What the store knew before.
    pub known_before: Option<Box<KnownAccount>>,
    /// What the store knows after it; none when the link is given up.
    pub known_after: Option<Box<KnownAccount>>,
    /// What nothing takes back.
    pub lasting: BTreeSet<Lasting>,
    /// How it ended.
    pub end: DeedEnd,
}

/// When, where and by whom a change is begun.
#[derive(Debug, Clone)]
pub struct Moment<'a> {
    /// The cycle.
    pub cycle: &'a CycleId,
    /// The place in its report.
    pub seq: u64,
    /// The time.
    pub time: DateTime<Utc>,
    /// Who asked for it.
    pub actor: &'a str,
}

impl Deed {
    /// The deed of a change that is about to be begun.
    pub fn begun(change: &Change, at: &Moment<'_>, known_before: Option<KnownAccount>) -> Self {
        let undoes = (change.cause.code == CauseCode::Undone).then_some(change.cause.evidence.as_deref()).flatten();
        let told = change.fields.iter().map(|one| DeedField {
            field: one.field.to_owned(),
            before: one.before.clone(),
            after: one.after.clone(),
        });
        Self {
            cycle: at.cycle.clone(),
            seq: at.seq,
            time: at.time,
            actor: at.actor.to_owned(),
            app: change.app.clone(),
            person: change.person.clone(),
            account: change.account,
            action: change.action,
            cause: change.cause.code,
            undoes: undoes.map(CycleId::from_text),
            email: change.email.clone(),
            name: change.name.clone(),
            dn: change.dn.clone(),
            fields: told.collect(),
            before: change.before.clone(),
            left: change.before.as_deref().map(|before| Box::new(after_steps(before, &change.steps))),
            known_before: known_before.map(Box::new),
            known_after: change.outcome.clone(),
            lasting: Lasting::of(&change.steps),
            end: DeedEnd::Begun,
        }
    }
}

/// An account after steps, as far as they alone decide.
pub fn after_steps(before: &ObservedAccount, steps: &[Step]) -> ObservedAccount {
    let mut account = before.clone();
    for step in steps {
        match step {
            Step::Create(_) | Step::EndSessions => {}
            Step::Write(patch) => written(&mut account, patch),
            Step::Unmark => account.external_id = None,
            Step::ChangeEmail { from, to, old } => {
                account.emails.insert(to.clone());
                account.email = Some(to.clone());
                if let (OldEmail::Removed, Some(from)) = (old, from.as_ref().filter(|from| *from != to)) {
                    account.emails.remove(from);
                }
            }
            Step::AddEmail(email) => {
                account.emails.insert(email.clone());
            }
            Step::Join(group) => {
                account.groups.insert(*group);
            }
            Step::Leave(group) => {
                account.groups.remove(group);
                account.default_group = account.default_group.filter(|default| default != group);
            }
            Step::MakeDefault(group) => account.default_group = Some(*group),
            Step::AddTags(tags) => account.tags.extend(tags.iter().cloned()),
            Step::RemoveTags(tags) => account.tags.retain(|tag| !tags.contains(tag)),
            Step::Downgrade(_) => downgraded(&mut account),
        }
    }
    account
}

fn written(account: &mut ObservedAccount, patch: &Patch) {
    if let Some(name) = &patch.name {
        account.name.clone_from(name);
    }
    if let Some(id) = &patch.external_id {
        account.external_id = Some(id.clone());
    }
    for (field, text) in &patch.texts {
        if text.is_empty() {
            account.texts.remove(field);
        } else {
            account.texts.insert(*field, text.clone());
        }
    }
    match patch.role {
        Some((Role::EndUser, _)) => downgraded(account),
        Some((role, custom)) => {
            account.role = role;
            account.custom_role = custom;
        }
        None => {}
    }
    match patch.sign_in {
        Some(SignIn::Suspend) => account.suspended = Suspended::Yes,
        Some(SignIn::Lift) => account.suspended = Suspended::No,
        None => {}
    }
}

/// A downgrade takes role, groups and default group together: end users have none (API reference, Group Memberships).
fn downgraded(account: &mut ObservedAccount) {
    account.role = Role::EndUser;
    account.custom_role = None;
    account.groups.clear();
    account.default_group = None;
}

/// What happened to a person after a deed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// Nothing that stands.
    Nothing,
    /// The deed's undoing was begun and isn't whole: it is gone on with.
    UnderWay,
    /// The deed was undone already, by this cycle.
    Undone(CycleId),
    /// These later cycles changed the person, and stand.
    Others(Vec<CycleId>),
}

/// The deed of a cycle among all of a person's, oldest first, and what happened since. None: it did nothing to them.
pub fn found(deeds: &[Deed], cycle: &CycleId) -> Option<(Deed, Since)> {
    let merged = merged(deeds);
    let at = merged.iter().position(|deed| deed.cycle == *cycle)?;
    let deed = merged[at].clone();
    let mut standing: Vec<&Deed> = Vec::new();
    let mut under_way = false;
    for later in &merged[at + 1..] {
        let Some(undone) = &later.undoes else {
            standing.push(later);
            continue;
        };
        if later.end != DeedEnd::Done {
            under_way |= undone == cycle;
            continue;
        }
        match standing.iter().rposition(|one| one.cycle == *undone) {
            Some(position) => {
                standing.remove(position);
            }
            None => standing.push(later),
        }
    }
    let undone = standing.iter().find(|one| one.undoes.as_ref() == Some(cycle));
    let since = match (undone, standing.is_empty()) {
        (Some(undone), _) => Since::Undone(undone.cycle.clone()),
        (None, true) if under_way => Since::UnderWay,
        (None, true) => Since::Nothing,
        (None, false) => Since::Others(standing.iter().map(|one| one.cycle.clone()).collect()),
    };
    Some((deed, since))
}

/// One deed a cycle, without those that wrote nothing. A change that wasn't answered is noted a second time, under the
/// place at which it is settled: the first one has the image, the last one knows the end.
fn merged(deeds: &[Deed]) -> Vec<Deed> {
    let mut merged: Vec<Deed> = Vec::new();
    for deed in deeds {
        match merged.last_mut().filter(|last| last.cycle == deed.cycle) {
            Some(last) => {
                last.end = deed.end;
                last.account = deed.account.or(last.account);
                last.known_after.clone_from(&deed.known_after);
                last.left.clone_from(&deed.left);
            }
            None => merged.push(deed.clone()),
        }
    }
    merged.retain(|deed| deed.end != DeedEnd::Refused);
    merged
}

/// The deed at the beginning of a chain of undos, and how many undos lie between.
pub fn root<'a>(deeds: &'a [Deed], deed: &'a Deed) -> (&'a Deed, usize) {
    let mut root = deed;
    // A chain can't be longer than what is kept; one that leads in a circle ends there too.
    for undos in 0..deeds.len() {
        let earlier = root.undoes.as_ref().and_then(|cycle| deeds.iter().find(|one| one.cycle == *cycle));
        match earlier {
            Some(earlier) => root = earlier,
            None => return (root, undos),
        }
    }
    (root, deeds.len())
}
