//! What people do by hand, with the program against the sandbox: judged by Zendesk's own record of requests.

use expect_test::expect;
use sandbox::zendesk::Role;

use crate::support::company::{STRANGER, SUPPORT, hire, mail};
use crate::support::rig_cli::{Rig, me};

fn served() -> Rig {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig
}

#[test]
fn the_leaver_who_cannot_wait_is_deprovisioned_while_the_directory_is_down() {
    let mut rig = served();
    let url = rig.corp().url();
    rig.configure(|config| config.url = Some("ldaps://127.0.0.1:1".to_owned()));
    let mark = rig.mark();
    let alice = mail("alice");
    let without = rig.run(&["deprovision", &alice]).expect(2);
    expect![[r#"
        error: deprovision is done at once, and needs --now
          hint: leavers are deprovisioned by cycles; for the one who can't wait, add
              --now
    "#]]
    .assert_eq(&without.all());
    rig.run(&["deprovision", &alice, "--now"]).expect(2);
    assert!(rig.writes_since(mark).is_empty());
    let done = rig.run(&["deprovision", &alice, "--now", "--yes"]).expect(0);
    assert!(done.stdout.starts_with("done     deprovision alice@example.org"), "{}", done.stdout);
    let account = rig.account(&alice).unwrap();
    assert!(account.suspended && account.role == Role::EndUser, "{account:?}");
    let told = rig.told("deprovision");
    assert_eq!((told[0]["actor"].as_str(), told[0]["cause"]["code"].as_str()), (Some(me().as_str()), Some("by_hand")));
    // The directory still wants alice; the next cycles leave her as she is.
    rig.configure(|config| config.url = Some(url));
    let mark = rig.mark();
    rig.once().expect(0);
    assert!(rig.writes_since(mark).is_empty());
    let listed = rig.run(&["keeps"]).expect(0).stdout;
    assert!(listed.contains(&alice), "{listed}");
    rig.run(&["keeps", "lift", &alice]).expect(0);
    rig.once().expect(0);
    rig.assert_served(&SUPPORT);
}

#[test]
fn an_order_reaches_the_running_daemon() {
    let rig = served();
    let _daemon = rig.daemon();
    rig.run(&["deprovision", &mail("bob"), "--now", "--yes"]).expect(0);
    assert!(rig.account(&mail("bob")).unwrap().suspended);
    assert_eq!(rig.told("deprovision")[0]["actor"].as_str(), Some(me().as_str()));
}

#[test]
fn whoever_is_released_or_unlinked_keeps_the_account_as_it_is() {
    let rig = served();
    let mark = rig.mark();
    rig.run(&["release", &mail("alice")]).expect(2);
    rig.run(&["release", &mail("alice"), "--yes"]).expect(0);
    rig.run(&["unlink", &mail("bob"), "--yes", "--format", "json"]).expect(0);
    assert!(rig.requests_since(mark).is_empty(), "neither needs Zendesk");
    rig.once().expect(0);
    assert!(rig.writes_since(mark).is_empty());
    rig.assert_served(&["alice", "bob"]);
    // Bob was matched anew; alice isn't managed.
    let nobody = rig.run(&["unlink", &mail("alice"), "--yes"]).expect(2);
    assert!(nobody.all().contains("is not managed in support: released by hand"), "{}", nobody.all());
    rig.run(&["unlink", &mail("bob"), "--yes"]).expect(0);
}

#[test]
fn a_customers_account_is_linked_by_a_persons_word_and_the_owners_never() {
    let rig = served();
    rig.change(&hire("support", "gail", "Gail", "Gray"));
    let mark = rig.mark();
    let refused = rig.run(&["link", &mail("gail"), "101", "--yes"]).expect(1);
    assert!(refused.all().contains("owner"), "{}", refused.all());
    rig.run(&["link", &mail("gail"), "4711", "--yes"]).expect(2);
    rig.run(&["link", &mail("alice"), &STRANGER.to_string(), "--yes"]).expect(2);
    assert!(rig.writes_since(mark).is_empty());
    rig.run(&["link", &mail("gail"), &STRANGER.to_string(), "--yes"]).expect(0);
    assert!(rig.writes_since(mark).is_empty(), "a link writes nothing");
    rig.once().expect(0);
    assert_eq!(rig.account(&mail("gail")).unwrap().id, STRANGER);
    assert_eq!(rig.told("link")[0]["actor"].as_str(), Some(me().as_str()));
}

#[test]
fn a_pause_is_shown_survives_and_ends() {
    let rig = served();
    rig.run(&["pause", "moving house", "--until", "2001-01-01"]).expect(2);
    let paused = rig.run(&["pause", "moving house", "--until", "2h"]).expect(0).stdout;
    assert!(paused.contains("moving house") && paused.lines().all(|line| line.chars().count() <= 80), "{paused}");
    rig.change(&hire("support", "gail", "Gail", "Gray"));
    let mark = rig.mark();
    rig.once().expect(4);
    assert!(rig.writes_since(mark).is_empty());
    let status = rig.run(&["status"]).expect(0).stdout;
    assert!(status.contains("moving house"), "{status}");
    let daemon = rig.daemon();
    rig.once().expect(4);
    assert!(rig.writes_since(mark).is_empty());
    expect![[r#"
        Nothing is paused.
    "#]]
    .assert_eq(&rig.run(&["resume"]).expect(0).stdout);
    rig.once().expect(0);
    rig.assert_served(&["gail"]);
    drop(daemon);
    assert_eq!((rig.told("pause").len(), rig.told("resume").len()), (1, 1));
}
