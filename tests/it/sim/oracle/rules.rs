//! Rules over a single write.

use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::brake::FirstCycle;
use zendesk_dirsync::domain::change::{SignIn, Step};
use zendesk_dirsync::domain::id::PersonId;

use super::super::reference::{Truth, Wish};
use super::look::{Look, removes};
use crate::support::memory::{By, Write};

/// A write with whose account it was to.
pub struct Case<'a> {
    look: &'a Look<'a>,
    write: &'a Write,
    person: Option<&'a PersonId>,
}

type Rule = fn(&Case<'_>) -> bool;

/// Each with its name; it answers whether it is kept.
pub const RULES: &[(&str, Rule)] = &[
    ("the owner and our own user are never written", |case| {
        case.write.account.is_none_or(|id| !case.look.untouchable.contains(&id))
    }),
    ("a protected account is never written", |case| {
        !case.write.before.iter().any(|user| case.look.rules.protected.iter().any(|email| user.has_email(email)))
    }),
    ("nobody gets a protected address", |case| {
        let protected = &case.look.rules.protected;
        match &case.write.step {
            Step::Create(new) => case.write.effect.is_err() || !protected.contains(&new.email),
            Step::ChangeEmail { to, .. } => case.write.effect.is_err() || !protected.contains(to),
            _ => true,
        }
    }),
    ("enough admins remain", |case| {
        let (had, has) = case.write.admins;
        has >= had || has >= case.look.rules.admins_min
    }),
    ("a suspension by hand is never lifted", |case| {
        let lifts = matches!(&case.write.step, Step::Write(patch) if patch.sign_in == Some(SignIn::Lift));
        // What an older store can't know a person was asked about.
        let asked = case.look.world.lost && case.approved();
        !lifts || asked || case.write.before.as_ref().is_none_or(|user| user.suspended != Some(By::Hand))
    }),
    ("nobody is deleted", |case| {
        let live = |user: &Option<crate::support::memory::User>| user.as_ref().is_none_or(|user| user.live);
        !live(&case.write.before) || live(&case.write.after)
    }),
    ("grants by hand stay", |case| {
        let Some(user) = &case.write.before else { return true };
        match &case.write.step {
            Step::Leave(group) => !user.groups_by_hand.contains(&group.0),
            Step::RemoveTags(tags) => tags.is_disjoint(&user.tags_by_hand),
            _ => true,
        }
    }),
    ("an intent is noted before", |case| {
        let noted = |(at, intent, settled): &&(u64, zendesk_dirsync::engine::ports::Intent, u64)| {
            Some(&intent.person) == case.person && *at < case.write.tick && *settled > case.write.tick
        };
        case.look.intents.iter().any(|one| noted(&one))
    }),
    ("what a person decided against stays undone", |case| {
        case.person.is_none_or(|person| !case.look.against.contains(person))
    }),
    ("others of a hold that was let go on in part wait on", |case| {
        case.person.is_none_or(|person| !case.look.beside.contains(person))
    }),
    ("no admin is made unseen", |case| {
        let was = case.write.before.as_ref().is_some_and(|user| user.role == Role::Admin);
        let makes = match &case.write.step {
            Step::Create(new) => new.role == Role::Admin,
            Step::Write(patch) => patch.role.is_some_and(|(role, _)| role == Role::Admin),
            _ => false,
        };
        !makes || was || case.approved()
    }),
    ("the first cycle waits, of a new store or of another's", |case| {
        let before = case.look.before;
        let hold = before.replaced || case.look.world.rig.limits.first_cycle == FirstCycle::Hold;
        !hold || case.look.before.accepted.contains(&case.look.rules.app) || case.approved()
    }),
    ("nobody wanted loses anything", |case| match case.truth() {
        Some(Truth::Wanted(wish)) => case.approved() || !takes(case, wish),
        Some(Truth::Rejected | Truth::Unusable | Truth::Out) | None => true,
    }),
    ("nobody rejected is touched", |case| match case.truth() {
        // Where not everybody can be read nobody can tell that two have one mail: then a role may change.
        Some(Truth::Rejected) => {
            let ends = removes(case.write) && !matches!(case.write.step, Step::Downgrade(_));
            case.approved() || !(case.look.whole() || ends)
        }
        Some(Truth::Wanted(_) | Truth::Unusable | Truth::Out) | None => true,
    }),
    ("a missing or emptied group removes nobody", |case| {
        let out = matches!(case.truth(), Some(Truth::Out) | None);
        let guarded = || case.person.is_some_and(|person| case.look.guarded(person));
        case.approved() || !out || !removes(case.write) || gone(case) || !guarded()
    }),
    ("nobody is removed on a broken read", |case| {
        let broken = || case.person.is_some_and(|person| case.look.broken(case.look.directory(person)));
        !removes(case.write) || !broken() || case.approved() && untied(case)
    }),
    ("nobody unreadable is touched", |case| {
        let Some(person) = case.person else { return true };
        let there = matches!(case.truth(), Some(Truth::Wanted(_) | Truth::Rejected));
        let trouble = case.look.world.rig.directories[case.look.directory(person)].trouble();
        case.approved() || !there || !trouble.unreadable.contains(&person.entry)
    }),
    ("nobody without access is given grants", |case| {
        let gives = matches!(case.write.step, Step::Join(_) | Step::AddTags(_) | Step::Create(_));
        let lagging = case.look.world.rig.directories.iter().any(|one| one.trouble().lagging.is_some());
        let out = matches!(case.truth(), Some(Truth::Out | Truth::Unusable));
        !gives || !out || lagging || case.approved()
    }),
];

/// Whether the app takes nobody from somebody's directory any more: that doesn't turn on any read.
fn untied(case: &Case<'_>) -> bool {
    case.person.is_some_and(|person| case.look.rules.assignments.iter().all(|one| one.directory != person.directory))
}

/// Whether the entry itself is gone with a tombstone: shown outright, whatever its groups say.
fn gone(case: &Case<'_>) -> bool {
    let Some(person) = case.person else { return false };
    let company = case.look.companies.get(&person.directory);
    company.is_some_and(|company| company.tombstones.contains(&person.entry))
}

/// Whether a write takes something that is wanted.
fn takes(case: &Case<'_>, wish: &Wish) -> bool {
    match &case.write.step {
        Step::Write(patch) => {
            let had = case.write.before.as_ref().map_or(Role::EndUser, |user| user.role);
            let lowers = patch.role.is_some_and(|(role, _)| role < wish.role.role() && role < had);
            lowers || patch.sign_in == Some(SignIn::Suspend)
        }
        Step::Downgrade(_) => wish.role.role() != Role::EndUser,
        Step::Leave(group) => wish.groups.contains(&case.look.groups[&group.0]),
        Step::RemoveTags(tags) => !tags.is_disjoint(&wish.tags),
        Step::EndSessions => true,
        Step::Create(_)
        | Step::ChangeEmail { .. }
        | Step::Join(_)
        | Step::MakeDefault(_)
        | Step::AddTags(_)
        | Step::AddEmail(_)
        | Step::Unmark => false,
    }
}

impl Case<'_> {
    fn approved(&self) -> bool {
        self.person.is_some_and(|person| self.look.approved.contains(person))
    }

    fn truth(&self) -> Option<&Truth> {
        self.person.and_then(|person| self.look.truth(person))
    }
}

/// Judges a write by every rule.
pub fn judge(look: &Look<'_>, write: &Write, person: Option<&PersonId>) -> Result<(), String> {
    let case = Case { look, write, person };
    match RULES.iter().find(|(_, kept)| !kept(&case)) {
        Some((name, _)) => Err(format!("{name}: {:?} to {:?} of {person:?}", write.step, write.account)),
        None => Ok(()),
    }
}
