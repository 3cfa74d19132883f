//! Saved plans: exactly what was saved is carried out, or nothing, and what moved is named.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::company::{SUPPORT, dn, group_dn, hire, join, leave, mail, set};
use crate::support::rig_cli::{Rig, me};

/// A served company with a change of each kind, and the plan of it saved.
fn saved() -> Rig {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig.change(&hire("tier1", "gail", "Gail", "Gray"));
    rig.change(&leave("support", "bob"));
    rig.change(&set(&dn("carol"), "displayName", &["Carol Chef"]));
    rig.run(&["plan", "--out", "plan.json"]).expect(0);
    rig
}

fn file(rig: &Rig) -> Value {
    serde_json::from_str(&rig.read("plan.json")).unwrap()
}

fn refused(rig: &Rig, count: &str) -> String {
    let mark = rig.mark();
    let refused = rig.run(&["apply", "plan.json", "--count", count]).expect(4);
    assert_eq!(rig.writes_since(mark), [], "a refused plan writes nothing");
    let text: Vec<&str> = refused.stderr.lines().filter(|line| !line.starts_with("corp:")).collect();
    rig.neat(&(text.join("\n") + "\n"))
}

/// Somebody renames an account at Zendesk.
fn rename(rig: &Rig, account: u64, name: &str) {
    let call = |method: &str, path: &str, head: &str, body: &str| {
        let mut wire = TcpStream::connect(rig.desk().url().trim_start_matches("http://")).unwrap();
        write!(
            wire,
            "{method} {path} HTTP/1.1\r\nhost: z\r\nconnection: close\r\ncontent-type: application/json\r\n{head}content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        wire.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
        answer
    };
    let body = json!({"grant_type": "client_credentials", "client_id": "dirsync", "client_secret": "sandbox-secret",
        "scope": "read write", "expires_in": 3600});
    let answer = call("POST", "/oauth/tokens", "", &body.to_string());
    let token = answer.split("\"access_token\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let head = format!("authorization: Bearer {token}\r\n");
    call("PUT", &format!("/api/v2/users/{account}"), &head, &json!({"user": {"name": name}}).to_string());
}

#[test]
fn a_saved_plan_is_a_private_file_in_format_1_and_says_how_to_apply_it() {
    let rig = saved();
    let shown = rig.run(&["plan", "--out", "plan.json"]).expect(0);
    expect![[r#"
        corp: read in full, 34 entries, 3 groups
        plan DIGEST with 3 changes saved to plan.json
        to carry out exactly this: zendesk-dirsync apply plan.json --count 3
    "#]]
    .assert_eq(&rig.neat(&shown.stderr));
    assert_eq!(fs::metadata(rig.path("plan.json")).unwrap().permissions().mode() & 0o777, 0o600);
    let plan = file(&rig);
    assert_eq!((&plan["format"], plan["changes"].as_array().unwrap().len()), (&1.into(), 3));
    let left: Vec<String> = fs::read_dir(rig.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("plan.json") && name != "plan.json")
        .collect();
    assert_eq!(left, Vec::<String>::new(), "nothing lies beside it");
}

#[test]
fn exactly_the_saved_plan_is_applied_and_who_did_it_is_in_the_report() {
    let rig = saved();
    let mark = rig.mark();
    let applied = rig.run(&["apply", "plan.json", "--count", "3"]).expect(0);
    assert!(applied.stderr.contains("3 done, 0 failed"), "{}", applied.stderr);
    assert!(!rig.writes_since(mark).is_empty());
    rig.assert_served(&["alice", "carol", "gail"]);
    assert!(rig.account(&mail("bob")).unwrap().suspended);
    assert_eq!(rig.account(&mail("carol")).unwrap().name, "Carol Chef");
    let told = rig.told("approve");
    assert_eq!((told.len(), told[0]["actor"].as_str()), (1, Some(me().as_str())));
    assert_eq!(told[0]["cause"]["code"], "saved_plan");
    assert_eq!(rig.told("deprovision").last().unwrap()["actor"].as_str(), Some(me().as_str()));
    rig.run(&["plan", "--exit-code"]).expect(0);
}

#[test]
fn a_plan_is_applied_once() {
    let rig = saved();
    rig.run(&["apply", "plan.json", "--count", "3"]).expect(0);
    expect![[r#"
        error: plan DIGEST is refused, and nothing was changed:
          store: accounts, links or pins are others now (revision 7 then, 10 now)
          no longer needed: bob@example.org (deprovision)
          no longer needed: carol@example.org (update)
          no longer needed: gail@example.org (provision)
          hint: make the plan anew: zendesk-dirsync plan --out FILE
    "#]]
    .assert_eq(&refused(&rig, "3"));
}

#[test]
fn a_plan_of_held_changes_is_their_approval() {
    let rig = Rig::new();
    rig.once().expect(4);
    rig.run(&["plan", "--out", "plan.json"]).expect(0);
    // A cycle in between only keeps its books.
    rig.once().expect(4);
    rig.run(&["apply", "plan.json", "--count", "6"]).expect(0);
    rig.assert_served(&SUPPORT);
    assert_eq!(rig.run(&["holds"]).expect(0).stdout, "Nothing waits.\n");
    rig.once().expect(0);
}

#[test]
fn what_somebody_decided_against_since_it_was_saved_is_not_carried_out() {
    let rig = Rig::new();
    rig.once().expect(4);
    rig.run(&["plan", "--out", "plan.json"]).expect(0);
    let id = rig.holds()[0]["id"].as_str().unwrap().to_owned();
    rig.run(&["holds", "reject", &id, "--user", &mail("bob")]).expect(0);
    expect![[r#"
        error: plan DIGEST is refused, and nothing was changed:
          decision: bob@example.org (provision): somebody has decided against it since
          hint: make the plan anew: zendesk-dirsync plan --out FILE
    "#]]
    .assert_eq(&refused(&rig, "6"));
    // Whoever saves the plan now sees what was decided, and may decide otherwise.
    let shown = rig.run(&["plan", "--out", "plan.json"]).expect(0).stdout;
    assert_eq!(shown.matches("[waits: rejected]").count(), 1, "{shown}");
    rig.run(&["apply", "plan.json", "--count", "6"]).expect(0);
    rig.assert_served(&SUPPORT);
}

#[test]
fn guards_that_a_saved_plan_shows_are_approved_with_it() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    // The nested group isn't reached any more: that may be a lost right, and is held.
    rig.change(&set(&group_dn("support"), "member", &["alice", "bob", "carol"].map(dn).each_ref().map(String::as_str)));
    rig.change(&set(&dn("carol"), "displayName", &["Carol Chef"]));
    let shown = rig.run(&["plan", "--out", "plan.json"]).expect(0).stdout;
    assert_eq!(shown.matches("[waits: group_unreached]").count(), 2, "{shown}");
    rig.run(&["apply", "plan.json", "--count", "3"]).expect(0);
    assert!(["dave", "erin"].iter().all(|uid| rig.account(&mail(uid)).unwrap().suspended));
    assert_eq!(rig.account(&mail("carol")).unwrap().name, "Carol Chef");
}

#[test]
fn a_saved_plan_passes_no_protection() {
    let mut rig = Rig::unbraked();
    rig.once().expect(0);
    rig.change(&leave("support", "bob"));
    rig.change(&leave("support", "carol"));
    rig.run(&["plan", "--out", "plan.json"]).expect(0);
    let protected = format!("protected = [\"{}\"]\n", mail("bob"));
    rig.configure(|config| config.app = protected);
    expect![[r#"
        error: plan DIGEST is refused, and nothing was changed:
          configuration: other rules for the app support now
          no longer needed: bob@example.org (deprovision)
          hint: make the plan anew: zendesk-dirsync plan --out FILE
    "#]]
    .assert_eq(&refused(&rig, "2"));
}

#[test]
fn what_moved_in_the_directory_is_named() {
    let rig = saved();
    rig.change(&set(&dn("carol"), "displayName", &["Carol Cellar"]));
    rig.change(&leave("support", "alice"));
    expect![[r#"
        error: plan DIGEST is refused, and nothing was changed:
          directory: carol@example.org (update): name is to be Carol Cellar, and was to
              be Carol Chef
          new since: alice@example.org (deprovision)
          hint: make the plan anew: zendesk-dirsync plan --out FILE
    "#]]
    .assert_eq(&refused(&rig, "3"));
}

#[test]
fn what_moved_at_zendesk_is_named() {
    let rig = saved();
    let carol = rig.account(&mail("carol")).unwrap().id;
    rename(&rig, carol, "Somebody Else");
    expect![[r#"
        error: plan DIGEST is refused, and nothing was changed:
          Zendesk: carol@example.org (update): name is Somebody Else there, and was
              Carol Cook
          hint: make the plan anew: zendesk-dirsync plan --out FILE
    "#]]
    .assert_eq(&refused(&rig, "3"));
}

#[test]
fn what_is_new_since_is_named_and_nothing_goes_on() {
    let rig = saved();
    rig.change(&hire("support", "hugo", "Hugo", "Hart"));
    expect![[r#"
        error: plan DIGEST is refused, and nothing was changed:
          new since: hugo@example.org (provision)
          hint: make the plan anew: zendesk-dirsync plan --out FILE
    "#]]
    .assert_eq(&refused(&rig, "3"));
}

#[test]
fn another_configuration_is_named() {
    let mut rig = saved();
    rig.configure(|config| {
        config.assignments = config.assignments.replace("role = \"agent\"", "tags = [\"staff\"]\nrole = \"agent\"")
    });
    expect![[r#"
        error: plan DIGEST is refused, and nothing was changed:
          configuration: other rules for the app support now
          configuration: carol@example.org (update): tags is to be staff as well
          configuration: gail@example.org (provision): tags is to be staff as well
          new since: alice@example.org (update)
          new since: dave@example.org (update)
          new since: erin@example.org (update)
          hint: make the plan anew: zendesk-dirsync plan --out FILE
    "#]]
    .assert_eq(&refused(&rig, "3"));
}

#[test]
fn a_store_that_went_on_is_named_even_if_the_changes_are_the_same() {
    let rig = saved();
    rig.change(&hire("support", "hugo", "Hugo", "Hart"));
    rig.run(&["--once", "--user", &mail("hugo")]).expect(0);
    expect![[r#"
        error: plan DIGEST is refused, and nothing was changed:
          store: accounts, links or pins are others now (revision 7 then, 8 now)
          hint: make the plan anew: zendesk-dirsync plan --out FILE
    "#]]
    .assert_eq(&refused(&rig, "3"));
}

#[test]
fn a_plan_for_one_person_or_app_is_applied_as_such() {
    let rig = saved();
    rig.run(&["plan", "--out", "plan.json", "--user", &mail("bob"), "--app", "support"]).expect(0);
    // What becomes of others doesn't matter to it.
    rig.change(&join("leads", "alice"));
    rig.run(&["apply", "plan.json", "--count", "1"]).expect(0);
    assert!(rig.account(&mail("bob")).unwrap().suspended);
    rig.assert_unserved(&["gail"]);
    rig.run(&["apply", "plan.json", "--count", "1"]).expect(4);
}

#[test]
fn off_a_terminal_applying_needs_the_count() {
    let rig = saved();
    let mark = rig.mark();
    expect![[r#"
        error: without a terminal to ask on, the number of changes must be given
          hint: `zendesk-dirsync apply plan.json --count N`
    "#]]
    .assert_eq(&rig.run(&["apply", "plan.json"]).expect(2).all());
    expect![[r#"
        error: 1 was given, but the plan has 3 changes
          hint: look at the plan again; nothing was changed
    "#]]
    .assert_eq(&rig.run(&["apply", "plan.json", "--count", "1"]).expect(2).all());
    assert_eq!(rig.writes_since(mark), []);
}

#[test]
fn a_running_daemon_applies_a_saved_plan() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig.change(&leave("support", "bob"));
    let _daemon = rig.daemon();
    rig.run(&["plan", "--out", "plan.json"]).expect(0);
    rig.run(&["apply", "plan.json", "--count", "1"]).expect(0);
    assert!(rig.account(&mail("bob")).unwrap().suspended);
    rig.run(&["apply", "plan.json", "--count", "1"]).expect(4);
}

#[test]
fn a_file_that_is_no_saved_plan_is_refused_with_one_clear_message() {
    let rig = saved();
    let whole = rig.read("plan.json");
    let mut told = String::new();
    let mut tell = |name: &str, text: &str| {
        rig.write(name, text);
        let refused = rig.run(&["apply", name, "--count", "3"]).expect(2);
        assert_eq!(refused.stdout, "");
        told.push_str(&refused.stderr);
    };
    tell("cut.json", &whole[..whole.len() / 2]);
    tell("newer.json", &whole.replacen("\"format\":1", "\"format\":2", 1));
    tell("edited.json", &whole.replacen("Carol Chef", "Carol Thief", 2));
    tell("lines.txt", "not a plan\n");
    tell("shown.json", &rig.run(&["plan", "--format", "json"]).expect(0).stdout);
    told.push_str(&rig.run(&["apply", "nowhere.json", "--count", "3"]).expect(2).stderr);
    expect![[r#"
        error: cut.json is not a plan, or was cut off
          hint: make the plan anew: zendesk-dirsync plan --out FILE
        error: newer.json is a plan of format 2; this release reads format 1
          hint: use the release that made it, or make the plan anew with this one
        error: edited.json: the plan was cut or edited after it was saved
          hint: make the plan anew: zendesk-dirsync plan --out FILE
        error: lines.txt is not a plan, or was cut off
          hint: make the plan anew: zendesk-dirsync plan --out FILE
        error: shown.json: the plan was shown, not saved: it isn't bound to a store
          hint: `plan --out FILE` saves one; `plan --format json` only shows it
        error: nowhere.json: No such file or directory (os error 2)
          hint: name a file of `plan --out FILE`
    "#]]
    .assert_eq(&rig.neat(&told));
}

#[test]
fn a_plan_of_another_store_or_another_zendesk_is_refused() {
    let rig = saved();
    rig.run(&["--state", "other", "--once"]).expect(0);
    let mark = rig.mark();
    let store = rig.run(&["--state", "other", "apply", "plan.json", "--count", "3"]).expect(2);
    expect![[r#"
        error: the plan was made from another store
          hint: make the plan anew here, or name the state directory that it was made
              with: --state DIR
    "#]]
    .assert_eq(&rig.neat(&store.all()));
    let text = rig.config_text().replace("name = \"support\"", "name = \"desk\"");
    rig.write("other.toml", &text);
    let app = rig.run_by("other.toml", &["apply", "plan.json", "--count", "3"]).expect(2);
    expect![[r#"
        error: the plan is for the app support, which the configuration doesn't have
          hint: use the configuration that it was made with
    "#]]
    .assert_eq(&rig.neat(&app.all()));
    assert_eq!(rig.writes_since(mark), []);
}

#[test]
fn nothing_else_is_overwritten_by_a_plan() {
    let rig = saved();
    rig.write("notes.txt", "precious\n");
    symlink(rig.path("notes.txt"), rig.path("link.json")).unwrap();
    let mut told = String::new();
    for name in ["notes.txt", "link.json", "state"] {
        told.push_str(&rig.run(&["plan", "--out", name]).expect(2).stderr);
    }
    expect![[r#"
        error: notes.txt is not a plan: it is left as it is
          hint: name a file that doesn't exist yet, or that `plan --out` made
        error: link.json is not a regular file: it is left as it is
          hint: name a file that doesn't exist yet, or that `plan --out` made
        error: state is not a regular file: it is left as it is
          hint: name a file that doesn't exist yet, or that `plan --out` made
    "#]]
    .assert_eq(&told);
    assert_eq!(rig.read("notes.txt"), "precious\n");
    rig.run(&["plan", "--out", "plan.json"]).expect(0);
}

#[test]
fn half_a_look_is_not_saved() {
    let mut rig = saved();
    rig.stop_desk();
    let half = rig.run(&["plan", "--out", "half.json"]).expect(6);
    assert!(half.stderr.contains("the plan isn't whole, and is not saved"), "{}", half.stderr);
    assert!(!rig.path("half.json").exists());
    rig.run(&["apply", "plan.json", "--count", "3"]).expect(6);
}
