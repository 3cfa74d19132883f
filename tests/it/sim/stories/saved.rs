//! Stories of saved plans, applied after somebody decided against a part of them.

use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::saved::SavedOrder;

use super::*;

fn saved(rig: &Rig) -> SavedOrder {
    let Reply::Plan { plan, .. } = rig.order(Command::Plan { app: None, user: None }) else { panic!("a plan") };
    let mut plan = *plan;
    plan.seal().unwrap();
    plan.order().unwrap()
}

#[test]
fn a_saved_plan_is_refused_when_somebody_decided_against_what_a_guard_holds() {
    let rig = settled();
    join(&rig, id(1), "chiefs");
    rig.cycle();
    let order = saved(&rig);
    let holds: Vec<String> =
        rig.ledger.with(|state| state.holds.values().flatten().map(|hold| hold.id.to_string()).collect());
    assert_eq!(holds.len(), 1, "it makes an admin");
    assert!(matches!(rig.order(Command::Reject { id: holds[0].clone(), users: Vec::new() }), Reply::Decided { .. }));
    let reply = rig.order(Command::Apply(Box::new(order)));
    assert!(matches!(reply, Reply::Moved { .. }), "{reply:?}");
    assert_eq!(rig.user("alice@example.org").unwrap().role, Role::Agent);
    // A plan that shows it as it is now is a person's newer word.
    assert!(matches!(rig.order(Command::Apply(Box::new(saved(&rig)))), Reply::Cycle { .. }));
    assert_eq!(rig.user("alice@example.org").unwrap().role, Role::Admin);
}
