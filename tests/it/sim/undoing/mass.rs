//! A thousand people deprovisioned by mistake, and brought back.

use super::*;
use zendesk_dirsync::domain::id::Email;

use crate::support::memory::{By, Names, Tombstone, Use};

const PEOPLE: u32 = 1_000;
/// They stay, so that no group reads empty.
const OTHERS: u32 = 20;

/// What administrators added by hand: tags, a group, another default group, further mails, texts.
fn touched_by_hand(rig: &Rig) {
    rig.desk().by_hand(|desk| {
        for user in desk.users.values_mut().filter(|user| user.id >= 1_000) {
            if user.id % 2 == 0 {
                user.tags.insert("vip".into());
                user.tags_by_hand.insert("vip".into());
            }
            if user.id % 3 == 0 && user.role == Role::Agent {
                user.groups.insert(14);
                user.groups_by_hand.insert(14);
                user.default_group = Some(14);
            }
            if user.id % 5 == 0 {
                user.further.insert(Email::parse(&format!("alias{}@example.org", user.id)).unwrap());
            }
            if user.id % 7 == 0 {
                user.texts.insert(zendesk_dirsync::domain::mapping::Field::Notes, format!("note {}", user.id));
            }
        }
    });
}

/// A quarter is deleted without a trace and noted as absent first; then a quarter each is disabled, taken out of every
/// group, and deleted with a tombstone. One cycle removes them all.
fn everybody_goes(rig: &Rig) -> CycleId {
    let people = OTHERS + 1..=OTHERS + PEOPLE;
    rig.directory().change(|company| {
        people.clone().filter(|n| n % 4 == 3).for_each(|n| company.delete(id(n), Tombstone::None, Names::Cleaned));
    });
    cycle(rig);
    rig.directory().change(|company| {
        for n in people {
            match n % 4 {
                0 => company.people.get_mut(&id(n)).unwrap().usable = Use::Disabled,
                1 => company.groups.values_mut().for_each(|group| {
                    group.members.remove(&id(n));
                }),
                2 => company.delete(id(n), Tombstone::Kept, Names::Cleaned),
                _ => {}
            }
        }
    });
    cycle(rig)
}

#[test]
fn a_thousand_people_deprovisioned_and_undone_are_equal_to_before_field_by_field() {
    let rig = settled(OTHERS + PEOPLE);
    touched_by_hand(&rig);
    let before = picture(&rig);
    let known = rig.ledger.snapshot().accounts;
    let gone = everybody_goes(&rig);
    let suspended = rig.desk().with(|desk| desk.users.values().filter(|user| user.suspended == Some(By::Us)).count());
    assert_eq!(suspended, PEOPLE as usize);

    let (whole, undone) = undo(&rig, &gone);
    assert_eq!((undone.done, undone.failed, whole.changes()), (PEOPLE as usize, 0, PEOPLE as usize));
    assert_eq!(undone.ending.code(), 0);
    for (id, account) in picture(&rig) {
        assert_eq!(Some(&account), before.get(&id), "account {id}");
    }
    assert_eq!(shorts(&whole).len(), 1, "only sessions: {:?}", shorts(&whole));
    // The store knows what it knew: what is ours to take, and how each account stands.
    for (key, now) in rig.ledger.snapshot().accounts {
        let then = &known[&key];
        assert_eq!(
            (&now.standing, &now.given_groups, &now.given_tags, &now.written, &now.through),
            (&then.standing, &then.given_groups, &then.given_tags, &then.written, &then.through)
        );
    }

    rests(&rig, 3);
    assert_eq!(keeps(&rig).len(), PEOPLE as usize);
    the_directory_decides(&rig);
}

/// Somebody disabled is enabled, somebody out of scope is disabled, somebody out of scope returns changed.
fn the_directory_decides(rig: &Rig) {
    let (enabled, disabled, returned) = (24, 25, 29);
    rig.directory().change(|company| {
        company.people.get_mut(&id(enabled)).unwrap().usable = Use::Usable;
        company.people.get_mut(&id(disabled)).unwrap().usable = Use::Disabled;
    });
    join(rig, returned, "support");
    set(rig, returned, "telephoneNumber", "+49 40 29");
    cycle(rig);
    cycle(rig);
    assert_eq!(user(rig, "p24@example.org").suspended, None);
    assert_eq!(user(rig, "p25@example.org").suspended, Some(By::Us), "the directory said something new");
    let phone = &user(rig, "p29@example.org").texts[&zendesk_dirsync::domain::mapping::Field::Phone];
    assert_eq!(phone, "+49 40 29");
    let kept = keeps(rig);
    assert!([enabled, disabled, returned].iter().all(|n| !kept.contains_key(&id(*n))));
    assert!(kept.contains_key(&id(28)), "whoever the directory said nothing new of stays as they were put");
    assert_eq!(user(rig, "p28@example.org").suspended, None);
}
