//! Stories in which something is taken out of the configuration: the last assignment in a directory, a directory, an app.

use super::*;
use zendesk_dirsync::domain::id::DirectoryName;
use zendesk_dirsync::engine::ports::{HoldRecord, HoldState};

use crate::support::memory::By;

/// As [`settled`], with Zoe of another directory beside.
fn with_another_directory() -> Rig {
    let mut rig = settled();
    let zoe = Person::numbered(40, "Zoe", "zoe@example.org");
    let group = Group::numbered(40, "acquired", &[zoe.id]);
    rig.directories.push(MemoryDirectory::new("acquired", [zoe], [group]));
    rig.apps[0].0.assignments.push(gives("acquired", "acquired", Some(Role::Agent), &["Support"]));
    rig.settle();
    assert!(rig.user("zoe@example.org").is_some());
    rig
}

fn waiting(rig: &Rig) -> Vec<HoldRecord> {
    let holds = rig.ledger.snapshot().holds;
    holds.into_values().flatten().filter(|hold| hold.state == HoldState::Waiting).collect()
}

#[test]
fn the_last_assignment_of_a_directory_takes_its_people_along_only_by_approval() {
    let mut rig = with_another_directory();
    rig.limits = crate::support::rig::no_limits();
    let before = rig.desk().writes().len();
    rig.apps[0].0.assignments.pop();
    for _ in 0..4 {
        rig.cycle();
    }
    assert_eq!(rig.desk().writes().len(), before, "however often, and whatever the limits");
    let [hold] = waiting(&rig).try_into().unwrap();
    assert_eq!(hold.reason, "this edit adds 0, changes 0, removes 1 of 6 accounts");
    assert_eq!(hold.changes[0].user, "zoe@example.org");
    assert_eq!(hold.changes[0].cause, "out_of_scope");
    assert!(hold.changes[0].why.contains(&"no assignment names directory acquired any more".to_owned()), "{hold:?}");
    leave(&rig, id(3), "support");
    rig.cycle();
    assert_eq!(rig.user("carol@example.org").unwrap().suspended, Some(By::Us), "others go on");
    rig.settle();
    assert_eq!(rig.user("zoe@example.org").unwrap().suspended, Some(By::Us));
    assert!(waiting(&rig).is_empty());
}

#[test]
fn a_directory_that_is_taken_out_takes_its_people_along_only_by_approval() {
    let mut rig = with_another_directory();
    let before = rig.desk().writes().len();
    rig.apps[0].0.assignments.pop();
    let acquired = rig.directories.pop().unwrap();
    rig.cycle();
    let [hold] = waiting(&rig).try_into().unwrap();
    assert!(hold.changes[0].why.contains(&"directory acquired is not configured any more".to_owned()), "{hold:?}");
    assert_eq!(rig.desk().writes().len(), before);
    // Put back, it is as if nothing had been.
    rig.directories.push(acquired);
    rig.apps[0].0.assignments.push(gives("acquired", "acquired", Some(Role::Agent), &["Support"]));
    assert_eq!(rig.cycle().ending.code(), 0);
    assert_eq!(rig.desk().writes().len(), before);
    rig.apps[0].0.assignments.pop();
    rig.directories.pop();
    rig.settle();
    assert_eq!(rig.user("zoe@example.org").unwrap().suspended, Some(By::Us));
}

#[test]
fn a_directory_that_another_app_still_reads_is_no_longer_this_apps() {
    let mut rig = with_another_directory();
    rig.add_app(desk(), rules("sales", vec![gives("acquired", "acquired", Some(Role::Agent), &["Support"])]));
    rig.settle();
    let sales = rig.apps[1].1.writes().len();
    rig.apps[0].0.assignments.pop();
    rig.cycle();
    let [hold] = waiting(&rig).try_into().unwrap();
    assert_eq!((hold.app.as_str(), hold.changes.len()), ("support", 1));
    rig.settle();
    assert_eq!(rig.user("zoe@example.org").unwrap().suspended, Some(By::Us));
    assert_eq!(rig.apps[1].1.writes().len(), sales);
}

#[test]
fn an_app_that_is_taken_out_is_told_every_cycle_and_left_as_it_is() {
    let mut rig = settled();
    rig.add_app(desk(), rules("sales", vec![gives("corp", "chiefs", Some(Role::Agent), &["Support"])]));
    rig.settle();
    let (removed, desk) = rig.apps.pop().unwrap();
    let before = desk.writes().len();
    for _ in 0..2 {
        assert_eq!(rig.cycle().ending.code(), 4);
        let [hold] = waiting(&rig).try_into().unwrap();
        assert_eq!((hold.app.as_str(), hold.code.as_str()), ("sales", "app_removed"));
        assert_eq!(
            hold.reason,
            "app sales is not configured any more; its managed account stays as it is: put it back, or release it"
        );
        assert_eq!(rig.engine().status().unwrap().accounts["sales"], 1);
    }
    assert_eq!(desk.writes().len(), before);
    rig.apps.push((removed, desk));
    assert_eq!(rig.cycle().ending.code(), 0);
    assert!(waiting(&rig).is_empty());
}

#[test]
fn an_edit_of_one_app_holds_nothing_of_another() {
    let mut rig = settled();
    rig.add_app(desk(), rules("sales", vec![gives("corp", "support", Some(Role::Agent), &["Support"])]));
    rig.settle();
    let text = rig.ledger.snapshot().configurations[&AppName::new("sales").unwrap()].clone();
    rig.apps[0].0.assignments[2].tags = names(&["dirsync"]);
    set(&rig, id(2), "telephoneNumber", "+49 30 2");
    rig.cycle();
    let phone = |at: usize| {
        let mail = zendesk_dirsync::domain::id::Email::parse("bob@example.org").unwrap();
        rig.apps[at].1.with(|desk| desk.by_email(&mail).unwrap().texts.len())
    };
    assert_eq!((phone(0), phone(1)), (0, 1));
    let now = rig.ledger.snapshot().configurations[&AppName::new("sales").unwrap()].clone();
    assert_ne!(now, text, "the other app agreed to the text as it is");
}

#[test]
fn a_directory_is_not_read_in_another_way_because_it_is_new() {
    let mut rig = settled();
    rig.scopes.insert(DirectoryName::new("corp").unwrap(), zendesk_dirsync::domain::id::Digest([1; 32]));
    rig.settle();
    rig.scopes.insert(DirectoryName::new("acquired").unwrap(), zendesk_dirsync::domain::id::Digest([2; 32]));
    leave(&rig, id(3), "support");
    rig.cycle();
    assert_eq!(rig.user("carol@example.org").unwrap().suspended, Some(By::Us));
}
