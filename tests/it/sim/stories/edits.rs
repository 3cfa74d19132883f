//! Stories in which somebody edits the configuration: only what the edit does differently waits, and it waits until a
//! person agrees. Judged by the fake Zendesk's own writes.

use std::collections::BTreeMap;

use super::*;
use zendesk_dirsync::domain::assignment::{EmptyGroup, GroupRef};
use zendesk_dirsync::domain::change::{CauseCode, Welcome};
use zendesk_dirsync::domain::id::{Digest, DirectoryName, Email};
use zendesk_dirsync::domain::mapping::{ExternalIdRule, Field, FieldMode, Mapping};
use zendesk_dirsync::domain::rules::{AdoptCase, AppRules, Removal, Switch};
use zendesk_dirsync::engine::ports::{HoldRecord, HoldState};

use crate::sim::rig::Ran;
use crate::support::memory::{By, ReadTrouble, Use, Write};

/// A mapping of fields to templates, beside the two that must be there.
pub(super) fn mapped(more: &[(Field, &str)], modes: &[(Field, FieldMode)], id: ExternalIdRule) -> Mapping {
    let mut sources = BTreeMap::from([
        (Field::Name, "{{ displayName }}"),
        (Field::Email, "{{ mail }}"),
        (Field::Phone, "{{ telephoneNumber }}"),
        (Field::Notes, "{{ description }}"),
    ]);
    sources.extend(more.iter().copied());
    let sources = sources.into_iter().map(|(field, text)| (field, text.to_owned())).collect();
    let modes = [(Field::Notes, FieldMode::Seed)].into_iter().chain(modes.iter().copied()).collect();
    Mapping::compile(sources, modes, id).unwrap()
}

/// What waits because of an edit.
fn edits(rig: &Rig) -> Vec<HoldRecord> {
    let holds = rig.ledger.snapshot().holds;
    holds.into_values().flatten().filter(|hold| hold.code == "edit" && hold.state == HoldState::Waiting).collect()
}

fn reason(rig: &Rig) -> String {
    edits(rig).first().map(|hold| hold.reason.clone()).unwrap_or_default()
}

/// The writes since a count that were to somebody else's account than these people's.
fn writes_to_others(rig: &Rig, since: usize, mails: &[&str]) -> Vec<Write> {
    let mine: Vec<u64> = mails.iter().filter_map(|mail| rig.user(mail)).map(|user| user.id).collect();
    let others = |write: &Write| write.account.is_none_or(|id| !mine.contains(&id));
    rig.desk().writes().into_iter().skip(since).filter(others).collect()
}

fn accepted(rig: &Rig) -> Option<String> {
    rig.ledger.snapshot().configurations.get(&AppName::new("support").unwrap()).cloned()
}

pub(super) type Key = (&'static str, fn(&mut AppRules));

/// Every key that decides who gets what, changed so that it matters to somebody who is there.
pub(super) const KEYS: [Key; 13] = [
    ("mapping.name", |rules| {
        rules.mapping = mapped(&[(Field::Name, "{{ displayName }}, Agent")], &[], ExternalIdRule::Own);
    }),
    ("mapping.email", |rules| {
        rules.mapping = mapped(&[(Field::Email, "x-{{ mail }}")], &[], ExternalIdRule::Own);
    }),
    ("mapping.phone", |rules| {
        rules.mapping = mapped(&[(Field::Phone, "+1 {{ employeeNumber }}")], &[], ExternalIdRule::Own)
    }),
    ("mapping.details", |rules| {
        rules.mapping = mapped(&[(Field::Details, "from {{ mail }}")], &[], ExternalIdRule::Own)
    }),
    ("mapping.notes, its mode", |rules| {
        let own = [(Field::Notes, FieldMode::Own)];
        rules.mapping = mapped(&[(Field::Notes, "no {{ employeeNumber }}")], &own, ExternalIdRule::Own);
    }),
    ("matching.external_id", |rules| {
        rules.mapping = mapped(&[], &[], ExternalIdRule::Template("{{ employeeNumber }}".into()));
    }),
    ("assignment.role", |rules| {
        rules.assignments[2].role = Some(zendesk_dirsync::domain::assignment::RoleGrant::Plain(Role::EndUser))
    }),
    ("assignment.groups", |rules| rules.assignments[2].groups = names(&["Tier 2"])),
    ("assignment.default_group", |rules| rules.assignments[2].default_group = Some("Tier 2".into())),
    ("assignment.tags", |rules| rules.assignments[2].tags = names(&["dirsync"])),
    ("assignment.group", |rules| {
        rules.assignments[2].group = GroupRef::Name("tier2".into());
        rules.assignments[2].text = "TIER2".into();
    }),
    ("one assignment less", |rules| {
        rules.assignments.remove(2);
    }),
    ("assignments in another order", |rules| rules.assignments.reverse()),
];

#[test]
fn each_key_that_decides_who_gets_what_holds_its_difference_and_nothing_else() {
    for (key, edit) in KEYS {
        let mut rig = settled();
        // Alice's two groups give different roles, so that the order matters.
        if key == "assignments in another order" {
            rig.apps[0].0.assignments[1].role =
                Some(zendesk_dirsync::domain::assignment::RoleGrant::Plain(Role::EndUser));
            rig.settle();
        }
        rig.settle();
        assert!(edits(&rig).is_empty() && accepted(&rig).is_some(), "{key}: the beginning");
        edit(&mut rig.apps[0].0);
        let before = rig.desk().writes().len();
        leave(&rig, id(3), "support");
        let unaccepted = accepted(&rig);
        rig.cycle();
        assert_eq!(rig.user("carol@example.org").unwrap().suspended, Some(By::Us), "{key}: the leaver");
        assert_eq!(writes_to_others(&rig, before, &["carol@example.org"]).len(), 0, "{key}");
        assert_eq!(edits(&rig).len(), 1, "{key}");
        assert_eq!(accepted(&rig), unaccepted, "{key}");
        rig.cycle();
        assert_eq!(writes_to_others(&rig, before, &["carol@example.org"]).len(), 0, "{key}: it goes on to wait");
        rig.settle();
        assert!(!writes_to_others(&rig, before, &["carol@example.org"]).is_empty(), "{key}: approved");
        assert!(edits(&rig).is_empty(), "{key}: {:?}", edits(&rig));
        assert_ne!(accepted(&rig), unaccepted, "{key}: accepted");
        let calls = rig.desk().calls();
        rig.cycle();
        assert_eq!(rig.desk().calls(), calls, "{key}: nothing is left to do");
    }
}

#[test]
fn keys_that_concern_only_who_comes_or_goes_hold_those_people() {
    let keys: [Key; 6] = [
        ("welcome_mail", |rules| rules.welcome = Welcome::Mail),
        ("deprovisioning", |rules| {
            rules.removals.insert(CauseCode::OutOfScope, Removal::Release);
        }),
        ("deprovision = false", |rules| rules.switches.deprovision = Switch::Off),
        ("protected", |rules| rules.protected = [Email::parse("carol@example.org").unwrap()].into()),
        ("admins_min", |rules| rules.admins_min = 7),
        ("adopt", |rules| rules.adoption.cases = [AdoptCase::Agents].into()),
    ];
    for (key, edit) in keys {
        let mut rig = settled();
        let unaccepted = accepted(&rig);
        edit(&mut rig.apps[0].0);
        assert_ne!(rig.apps[0].0.digest(), settled().apps[0].0.digest(), "{key}: it is a part of the rules");
        rig.cycle();
        assert!(edits(&rig).is_empty(), "{key}: nobody comes or goes");
        assert_ne!(accepted(&rig), unaccepted, "{key}: accepted without a word");
    }
    let mut rig = settled();
    let before = rig.desk().writes().len();
    rig.apps[0].0.removals.insert(CauseCode::OutOfScope, Removal::Release);
    rig.apps[0].0.welcome = Welcome::Mail;
    let frank = Person::numbered(9, "Frank", "frank@example.org");
    rig.directory().change(|company| company.people.insert(frank.id, frank.clone()));
    join(&rig, frank.id, "support");
    leave(&rig, id(3), "support");
    rig.cycle();
    assert_eq!(rig.desk().writes().len(), before, "one is made otherwise, and one taken away otherwise");
    assert_eq!(reason(&rig), "this edit adds 1, changes 0, removes 1 of 5 accounts");
}

#[test]
fn a_switch_that_is_put_on_again_holds_what_it_lets_go_on() {
    let mut rig = settled();
    rig.apps[0].0.switches.deprovision = Switch::Off;
    leave(&rig, id(3), "support");
    rig.settle();
    rig.apps[0].0.switches.deprovision = Switch::On;
    rig.cycle();
    assert_eq!(rig.user("carol@example.org").unwrap().suspended, None);
    assert_eq!(reason(&rig), "this edit adds 0, changes 0, removes 1 of 5 accounts");
    rig.settle();
    assert_eq!(rig.user("carol@example.org").unwrap().suspended, Some(By::Us));
}

#[test]
fn a_revert_makes_the_hold_vanish_and_leaves_no_trace() {
    let mut rig = settled();
    let before = rig.desk().writes().len();
    let former = rig.apps[0].0.clone();
    rig.apps[0].0.assignments[2].tags = names(&["dirsync"]);
    rig.cycle();
    assert_eq!(reason(&rig), "this edit adds 0, changes 4, removes 0 of 5 accounts");
    rig.apps[0].0 = former;
    assert_eq!(rig.cycle().ending.code(), 0);
    assert!(edits(&rig).is_empty());
    assert_eq!(rig.desk().writes().len(), before);
}

#[test]
fn an_edit_on_an_edit_that_waits_is_compared_with_what_was_agreed_to() {
    let mut rig = settled();
    rig.apps[0].0.assignments[2].tags = names(&["one"]);
    rig.cycle();
    let first = edits(&rig)[0].id;
    rig.apps[0].0.assignments[2].tags = names(&["two"]);
    rig.cycle();
    assert_eq!(edits(&rig).len(), 1);
    assert_ne!(edits(&rig)[0].id, first, "another difference is another hold");
    rig.settle();
    assert_eq!(rig.user("bob@example.org").unwrap().tags, names(&["two"]));
}

#[test]
fn a_group_that_an_edit_names_and_nobody_finds_is_not_agreed_to() {
    let mut rig = settled();
    let unaccepted = accepted(&rig);
    rig.apps[0].0.assignments.push(gives("corp", "nurses", Some(Role::Agent), &["Support"]));
    assert_eq!(rig.cycle().ending.code(), 4);
    assert_eq!(accepted(&rig), unaccepted);
    let frank = Person::numbered(9, "Frank", "frank@example.org");
    let nurses = Group::numbered(9, "nurses", &[frank.id]);
    rig.directory().change(|company| {
        company.people.insert(frank.id, frank);
        company.groups.insert(nurses.id, nurses);
    });
    rig.cycle();
    assert_eq!(reason(&rig), "this edit adds 1, changes 0, removes 0 of 5 accounts");
    rig.settle();
    assert!(rig.user("frank@example.org").is_some());
    assert_ne!(accepted(&rig), unaccepted);
}

#[test]
fn a_part_that_was_approved_goes_on_and_the_rest_still_waits_as_an_edit() {
    let mut rig = settled();
    let unaccepted = accepted(&rig);
    rig.apps[0].0.assignments[2].tags = names(&["dirsync"]);
    rig.cycle();
    let hold = edits(&rig)[0].id.to_string();
    rig.engine().approve(&hold, Some("bob@example.org"), None, "alice").unwrap().unwrap();
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().tags, names(&["dirsync"]));
    assert!(rig.user("carol@example.org").unwrap().tags.is_empty());
    assert_eq!(accepted(&rig), unaccepted);
    rig.settle();
    assert_eq!(rig.user("carol@example.org").unwrap().tags, names(&["dirsync"]));
    assert_ne!(accepted(&rig), unaccepted);
}

#[test]
fn one_whose_write_fails_or_who_was_decided_against_does_not_keep_an_edit_from_being_agreed_to() {
    for poisoned in [true, false] {
        let mut rig = settled();
        let accepted_before = accepted(&rig);
        rig.apps[0].0.assignments[2].tags = names(&["dirsync"]);
        rig.cycle();
        let hold = edits(&rig)[0].id.to_string();
        if poisoned {
            rig.desk().poison(["bob@example.org".to_owned()]);
        } else {
            rig.engine().reject_people(&hold, ["bob@example.org"], "alice").unwrap().unwrap();
        }
        rig.approve_all();
        rig.cycle();
        assert_ne!(accepted(&rig), accepted_before, "poisoned: {poisoned}");
        // A newcomer isn't asked about as part of the edit.
        let frank = Person::numbered(9, "Frank", "frank@example.org");
        rig.directory().change(|company| company.people.insert(frank.id, frank.clone()));
        join(&rig, frank.id, "support");
        rig.cycle();
        assert!(rig.user("frank@example.org").is_some_and(|user| user.tags.contains("dirsync")), "{poisoned}");
        if !poisoned {
            assert!(!rig.user("bob@example.org").unwrap().tags.contains("dirsync"), "what was decided against");
        }
    }
}

#[test]
fn an_edit_that_was_rejected_is_not_agreed_to() {
    let mut rig = settled();
    let unaccepted = accepted(&rig);
    rig.apps[0].0.assignments[2].tags = names(&["dirsync"]);
    rig.cycle();
    rig.engine().reject(&edits(&rig)[0].id.to_string(), "alice").unwrap().unwrap();
    let before = rig.desk().writes().len();
    for _ in 0..3 {
        rig.cycle();
    }
    assert_eq!((rig.desk().writes().len(), accepted(&rig)), (before, unaccepted));
    leave(&rig, id(3), "support");
    rig.cycle();
    assert_eq!(rig.user("carol@example.org").unwrap().suspended, Some(By::Us), "others go on");
}

#[test]
fn a_mapping_that_fits_nobody_rejects_everybody_and_removes_nobody() {
    let mut rig = settled();
    let former = rig.apps[0].0.clone();
    let (before, unaccepted) = (rig.desk().writes().len(), accepted(&rig));
    rig.apps[0].0.mapping = mapped(&[(Field::Email, "{{ nosuchattribute }}")], &[], ExternalIdRule::Own);
    for _ in 0..3 {
        rig.cycle();
    }
    assert_eq!(rig.desk().writes().len(), before);
    assert_eq!(rig.ledger.snapshot().troubles.values().map(BTreeMap::len).sum::<usize>(), 5);
    assert_eq!(accepted(&rig), unaccepted, "nobody agreed to it");
    // The revert is none: whoever leaves meanwhile goes at once.
    rig.apps[0].0 = former;
    leave(&rig, id(3), "support");
    rig.cycle();
    assert!(edits(&rig).is_empty());
    assert_eq!(rig.user("carol@example.org").unwrap().suspended, Some(By::Us));
}

#[test]
fn a_group_that_only_the_former_rules_name_holds_nobody_and_its_people_wait_as_an_edit() {
    let mut rig = settled();
    rig.apps[0].0.assignments.remove(2);
    rig.cycle();
    // Alice is in tier2 as well: she loses a group. Erin is a chief and has nothing to do with it.
    assert_eq!(reason(&rig), "this edit adds 0, changes 1, removes 3 of 5 accounts");
    assert_eq!(edits(&rig)[0].changes.len(), 4, "each as an edit, none for a group that isn't reached");
    rig.settle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
    assert_eq!(rig.user("alice@example.org").unwrap().suspended, None);
}

#[test]
fn many_who_go_by_an_edit_do_not_hold_one_who_leaves() {
    let people: Vec<Person> =
        (1..=60).map(|n| Person::numbered(n, &format!("P{n}"), &format!("p{n}@example.org"))).collect();
    let ids: Vec<EntryId> = people.iter().map(|person| person.id).collect();
    let groups = [Group::numbered(1, "support", &ids[..30]), Group::numbered(2, "tier2", &ids[30..])];
    let assignments = vec![
        gives("corp", "support", Some(Role::Agent), &["Support"]),
        gives("corp", "tier2", Some(Role::Agent), &["Tier 2"]),
    ];
    let mut rig = Rig::of(MemoryDirectory::new("corp", people, groups), desk(), rules("support", assignments));
    rig.settle();
    rig.apps[0].0.assignments.remove(1);
    leave(&rig, id(3), "support");
    rig.cycle();
    assert_eq!(reason(&rig), "this edit adds 0, changes 0, removes 30 of 60 accounts");
    assert_eq!(rig.user("p3@example.org").unwrap().suspended, Some(By::Us));
    assert_eq!(rig.user("p33@example.org").unwrap().suspended, None);
}

#[test]
fn a_directory_that_is_read_in_another_way_holds_whatever_it_shows_differently() {
    let mut rig = settled();
    rig.scopes.insert(DirectoryName::new("corp").unwrap(), Digest([1; 32]));
    rig.cycle();
    assert!(edits(&rig).is_empty(), "a base that shows the same is nothing to wait for");
    rig.scopes.insert(DirectoryName::new("corp").unwrap(), Digest([2; 32]));
    let (before, unaccepted) = (rig.desk().writes().len(), accepted(&rig));
    // Under the new base nobody finds Bob, and no group names him: a first look only notes it.
    rig.directory().change(|company| {
        company.delete(id(2), crate::support::memory::Tombstone::None, crate::support::memory::Names::Cleaned)
    });
    rig.cycle();
    assert_eq!(accepted(&rig), unaccepted, "what a second look would bring isn't agreed to yet");
    rig.cycle();
    assert_eq!(reason(&rig), "this edit adds 0, changes 0, removes 1 of 5 accounts");
    assert_eq!(rig.desk().writes().len(), before);
    rig.settle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
    assert_ne!(accepted(&rig), unaccepted);
}

#[test]
fn whoever_another_base_hides_does_not_hold_a_leaver_of_another_directory() {
    let mut rig = settled();
    let people: Vec<Person> =
        (40..50).map(|n| Person::numbered(n, &format!("P{n}"), &format!("p{n}@example.org"))).collect();
    let ids: Vec<EntryId> = people.iter().map(|person| person.id).collect();
    rig.directories.push(MemoryDirectory::new("acquired", people, [Group::numbered(40, "acquired", &ids)]));
    rig.apps[0].0.assignments.push(gives("acquired", "acquired", Some(Role::Agent), &["Support"]));
    let acquired = DirectoryName::new("acquired").unwrap();
    rig.scopes.insert(acquired.clone(), Digest([1; 32]));
    rig.settle();
    rig.scopes.insert(acquired, Digest([2; 32]));
    rig.directories[1].trouble_is(ReadTrouble { hidden: ids[..9].iter().copied().collect(), ..ReadTrouble::default() });
    leave(&rig, id(3), "support");
    rig.cycle();
    assert_eq!(rig.user("carol@example.org").unwrap().suspended, Some(By::Us));
    assert!((40..50).all(|n| rig.user(&format!("p{n}@example.org")).unwrap().suspended.is_none()));
}

#[test]
fn a_text_that_this_release_cannot_read_holds_whatever_is_to_be_done() {
    let rig = settled();
    let mut state = rig.ledger.snapshot();
    state.configurations.insert(AppName::new("support").unwrap(), "of the year 2019".into());
    rig.ledger.restore(state);
    let before = rig.desk().writes().len();
    leave(&rig, id(3), "support");
    rig.cycle();
    assert_eq!(rig.desk().writes().len(), before);
    assert_eq!(reason(&rig), "this edit adds 0, changes 0, removes 1 of 5 accounts");
    assert!(rig.engine().status().unwrap().signs[0].contains("can't be read by this release"));
    rig.settle();
    assert_eq!(rig.user("carol@example.org").unwrap().suspended, Some(By::Us));
    assert!(rig.engine().status().unwrap().signs.is_empty());
    leave(&rig, id(2), "support");
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us), "what was done was agreed to");
}

#[test]
fn a_group_that_cannot_be_read_does_not_stand_in_the_way_of_taking_it_out() {
    let mut rig = settled();
    rig.directory().trouble_is(ReadTrouble { breaks_on: Some(group(&rig, "tier2")), ..ReadTrouble::default() });
    assert_eq!(rig.cycle().ending.code(), 5);
    let before = rig.desk().writes().len();
    rig.apps[0].0.assignments.remove(1);
    assert_eq!(rig.cycle().ending.code(), 4, "the read is whole, and what Alice would lose waits");
    assert_eq!(rig.desk().writes().len(), before);
    rig.settle();
    assert_eq!(rig.cycle().ending.code(), 0);
    let alice = rig.user("alice@example.org").unwrap();
    assert_eq!(rig.desk().desk().group_names(&alice), names(&["Support"]));
}

#[test]
fn an_edit_that_died_anywhere_still_waits() {
    for passages in 1..60 {
        let mut rig = settled();
        rig.apps[0].0.assignments[2].tags = names(&["dirsync"]);
        let before = rig.desk().writes().len();
        rig.fuse.set(Some(passages));
        let ran = rig.run();
        rig.fuse.set(None);
        rig.cycle();
        assert_eq!(rig.desk().writes().len(), before, "after {passages} passages");
        assert_eq!(edits(&rig).len(), 1, "after {passages} passages");
        if !matches!(ran, Ran::Died) {
            return;
        }
    }
    panic!("no cycle ended");
}

#[test]
fn an_empty_group_by_leave_is_part_of_the_rules() {
    let mut rig = settled();
    let former = rig.apps[0].0.digest();
    rig.apps[0].0.assignments[2].empty = EmptyGroup::Allowed;
    assert_ne!(rig.apps[0].0.digest(), former);
    rig.cycle();
    assert!(edits(&rig).is_empty());
}

#[test]
fn an_edit_ends_no_keep_before_it_is_agreed_to() {
    use zendesk_dirsync::domain::keep::{Keep, KeepReason, KeepUntil, Wish};
    use zendesk_dirsync::engine::ports::{Clock as _, KeepLedger as _};
    let mut rig = settled();
    let app = AppName::new("support").unwrap();
    set(&rig, id(2), "displayName", "Robert");
    let until = KeepUntil::Changes(Wish::Unknown);
    let reason = KeepReason::Undone(zendesk_dirsync::domain::id::CycleId::at(rig.clock.now()));
    let keep = Keep { by: "alice".into(), at: rig.clock.now(), reason, until };
    rig.ledger.clone().keep(&app, &corp(id(2)), Some(&keep)).unwrap();
    let kept = |rig: &Rig| rig.ledger.snapshot().keeps.values().map(BTreeMap::len).sum::<usize>();
    rig.cycle();
    let former = rig.apps[0].0.clone();
    rig.apps[0].0.assignments[2].tags = names(&["dirsync"]);
    rig.cycle();
    assert_eq!((kept(&rig), edits(&rig)[0].changes.len()), (1, 4));
    rig.apps[0].0 = former;
    rig.cycle();
    assert_eq!((kept(&rig), rig.user("bob@example.org").unwrap().name.as_str()), (1, "Bob"));
    rig.apps[0].0.assignments[2].tags = names(&["dirsync"]);
    rig.cycle();
    rig.settle();
    assert_eq!((kept(&rig), rig.user("bob@example.org").unwrap().name.as_str()), (0, "Robert"));
}

#[test]
fn an_edit_made_while_somebody_cannot_be_read_is_agreed_to_only_when_they_can_be() {
    let mut rig = settled();
    let usable = |rig: &Rig, usable: Use| {
        rig.directory().change(|company| company.people.values_mut().for_each(|person| person.usable = usable.clone()));
    };
    usable(&rig, Use::Unsaid);
    rig.cycle();
    let before = accepted(&rig);
    rig.apps[0].0.assignments[2].tags = names(&["dirsync"]);
    rig.cycle();
    rig.cycle();
    assert_eq!(accepted(&rig), before, "nobody knows yet what it does");
    usable(&rig, Use::Usable);
    let written = rig.desk().writes().len();
    rig.cycle();
    assert_eq!((rig.desk().writes().len(), edits(&rig).len()), (written, 1), "what it does waits");
    rig.approve_all();
    rig.cycle();
    assert_ne!(accepted(&rig), before);
}
