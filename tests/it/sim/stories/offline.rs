//! Stories in which somebody looks ahead without a network: what the stored images tell is what the outside would.

use super::edits::{KEYS, mapped};
use super::*;
use zendesk_dirsync::domain::id::DirectoryName;
use zendesk_dirsync::domain::mapping::{ExternalIdRule, Field};
use zendesk_dirsync::engine::view::PlanView;

use crate::sim::rig::From;

/// As [`settled`], with numbers read as well.
fn imaged() -> Rig {
    let mut rig = settled();
    rig.apps[0].0.mapping = mapped(&[(Field::Details, "{{ employeeNumber }}")], &[], ExternalIdRule::Own);
    rig.apps[0].0.assignments[2].default_group = Some("Support".into());
    rig.scopes.insert(DirectoryName::new("corp").unwrap(), zendesk_dirsync::domain::id::Digest([1; 32]));
    rig.settle();
    rig
}

/// What a plan comes to: who, what, why, and the values after it. The default group before it isn't recalled.
fn gist(plan: &PlanView) -> Vec<String> {
    let field = |field: &zendesk_dirsync::engine::view::FieldView| format!("{}={}", field.field, field.after);
    let change = |one: &zendesk_dirsync::engine::view::ChangeView| {
        let fields: Vec<String> = one.changes.iter().map(field).collect();
        let held = one.held.as_ref().map(|held| held.limit.clone());
        format!("{} {} {} {held:?} {}", one.action, one.user, one.cause.code, fields.join(" "))
    };
    plan.changes.iter().map(change).collect()
}

#[test]
fn what_the_images_tell_of_an_edit_is_what_the_outside_would() {
    for (key, edit) in KEYS {
        let mut rig = imaged();
        edit(&mut rig.apps[0].0);
        let (calls, state) = (rig.desk().calls(), rig.ledger.snapshot());
        let offline = rig.shown(From::Store);
        assert_eq!((rig.desk().calls(), rig.ledger.snapshot()), (calls, state), "{key}: nobody is asked, nothing kept");
        let online = rig.shown(From::Outside);
        assert_eq!(gist(&offline), gist(&online), "{key}");
        if key != "assignments in another order" {
            assert!(!online.edits.is_empty(), "{key}");
        }
        assert_eq!(offline.edits, online.edits, "{key}");
        let images = offline.offline.unwrap();
        assert_eq!(
            (images.images.len(), images.notes.len()),
            (1, usize::from(offline.edits.is_empty())),
            "{key}: {images:?}"
        );
    }
}

#[test]
fn what_waits_is_recalled_as_well() {
    let mut rig = imaged();
    rig.limits.shown.count = 0;
    rig.limits.shown.percent = 0;
    leave(&rig, id(2), "support");
    rig.cycle();
    assert_eq!(gist(&rig.shown(From::Outside)).len(), 1);
    assert_eq!(gist(&rig.shown(From::Store)), gist(&rig.shown(From::Outside)));
    // Who returned isn't looked up any more.
    join(&rig, id(2), "support");
    rig.cycle();
    assert!(gist(&rig.shown(From::Store)).is_empty());
}

#[test]
fn without_a_word_of_what_was_agreed_to_the_images_tell_the_same_as_the_outside() {
    let mut rig = imaged();
    let mut state = rig.ledger.snapshot();
    state.configurations.clear();
    rig.ledger.restore(state);
    rig.apps[0].0.assignments.remove(2);
    let online = gist(&rig.shown(From::Outside));
    assert_eq!(online.len(), 4);
    assert_eq!(gist(&rig.shown(From::Store)), online);
}

#[test]
fn what_was_never_read_is_said_and_nobody_is_taken_for_missing() {
    let mut rig = imaged();
    let nurses = Group::numbered(9, "nurses", &[id(5)]);
    rig.directory().change(|company| company.groups.insert(nurses.id, nurses.clone()));
    rig.apps[0].0.assignments.push(gives("corp", "nurses", Some(Role::Agent), &["Support"]));
    rig.apps[0].0.mapping = mapped(&[(Field::Notes, "{{ roomNumber }}")], &[], ExternalIdRule::Own);
    rig.scopes.insert(DirectoryName::new("corp").unwrap(), zendesk_dirsync::domain::id::Digest([2; 32]));
    let plan = rig.shown(From::Store);
    let notes = plan.offline.unwrap().notes.join("\n");
    assert!(notes.contains("the group nurses was never read"), "{notes}");
    assert!(
        notes.contains("attributes never read, and taken for empty here: only an online plan knows them: roomnumber"),
        "{notes}"
    );
    assert!(notes.contains("directory corp: it would be read in another way"), "{notes}");
    assert!(plan.notices.is_empty(), "{:?}", plan.notices);
}

#[test]
fn a_directory_that_was_never_read_is_a_fault_and_the_others_are_recalled() {
    let mut rig = imaged();
    rig.scopes.insert(DirectoryName::new("acquired").unwrap(), zendesk_dirsync::domain::id::Digest([2; 32]));
    rig.apps[0].0.assignments.push(gives("acquired", "staff", Some(Role::Agent), &["Support"]));
    rig.apps[0].0.assignments[2].tags = names(&["dirsync"]);
    let plan = rig.shown(From::Store);
    assert!(plan.faults["acquired"].message.contains("was never read in full"), "{:?}", plan.faults);
    assert_eq!(plan.edits["support"].changes, 4);
}

#[test]
fn an_image_is_kept_by_a_cycle_that_read_everything_and_by_nothing_else() {
    let rig = imaged();
    let corp = DirectoryName::new("corp").unwrap();
    let images = |rig: &Rig| rig.ledger.snapshot().images;
    let before = images(&rig);
    assert_eq!(before.portraits[&corp].len(), 5);
    set(&rig, id(2), "telephoneNumber", "+49 30 2");
    rig.prepare();
    assert_eq!(images(&rig), before, "a plan keeps nothing");
    let broken = crate::support::memory::ReadTrouble { base_fails: true, ..Default::default() };
    rig.directory().trouble_is(broken);
    rig.cycle();
    assert_eq!(images(&rig), before, "half a read is no image");
    rig.directory().trouble_is(Default::default());
    rig.cycle();
    let after = images(&rig);
    assert_eq!(after.handed_over - before.handed_over, 1, "of unchanged people an id is enough");
    rig.directory().change(|company| {
        company.delete(id(3), crate::support::memory::Tombstone::Kept, crate::support::memory::Names::Cleaned);
    });
    rig.cycle();
    rig.cycle();
    assert!(!images(&rig).portraits[&corp].contains_key(&id(3)), "whoever isn't seen or asked about any more goes");
}
