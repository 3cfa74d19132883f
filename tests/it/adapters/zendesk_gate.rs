//! The last gate before the socket, judged by the sandbox's own list of requests: nothing is sent about who is protected.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::zendesk::{Options, Running};
use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::change::{NewAccount, OldEmail, Patch, SignIn, Step, Suspension, Welcome};
use zendesk_dirsync::domain::id::{AccountId, Email, ExternalId, GroupId};
use zendesk_dirsync::engine::ports::{CallFault, Helpdesk, StepDone};
use zendesk_dirsync::zendesk::ZendeskClient;

use crate::support::memory::MemoryClock;
use crate::support::rig_desk::{app_settings, client, start, unlimited};
use crate::support::rig_small::{OWNER, STRANGER, SUPPORT, rules, seed};

const NOW: &str = "2026-11-02T08:00:00Z";
/// A mail that the configuration protects.
const GLASS: &str = "break-glass@example.org";
/// An account that has it as a further address only.
const HIDDEN: u64 = 9003;

fn email(text: &str) -> Email {
    Email::parse(text).expect("a mail")
}

/// An account with somebody protected by a further address, and one agent in whom nothing is special.
async fn sandbox(change: impl FnOnce(&mut Options)) -> Running {
    let mut account = seed(50);
    let mut hidden = account.users[0].clone();
    (hidden.id, hidden.name, hidden.email) = (HIDDEN, "Gina Glass".into(), Some("gina@example.org".into()));
    hidden.role = sandbox::zendesk::Role::Agent;
    hidden.emails = vec!["gina@example.org".into(), GLASS.into()];
    account.users.push(hidden);
    let mut options = unlimited(account);
    change(&mut options);
    start(options).await
}

/// A client that knows nothing yet.
fn fresh(running: &Running) -> ZendeskClient {
    let mut rules = rules();
    rules.protected = BTreeSet::from([email(GLASS), email("connie@customer.example")]);
    client(&app_settings(&running.url(), rules), &MemoryClock::at(NOW))
}

/// Every kind of step that names an account.
fn steps() -> Vec<Step> {
    let write = |edit: fn(&mut Patch)| {
        let mut patch = Patch::default();
        edit(&mut patch);
        Step::Write(patch)
    };
    let tags = BTreeSet::from(["x".to_owned()]);
    vec![
        write(|patch| patch.name = Some("x".into())),
        write(|patch| patch.external_id = ExternalId::parse("x-1").ok()),
        write(|patch| patch.role = Some((Role::EndUser, None))),
        write(|patch| patch.sign_in = Some(SignIn::Suspend)),
        write(|patch| patch.sign_in = Some(SignIn::Lift)),
        Step::ChangeEmail { from: None, to: email("x@example.org"), old: OldEmail::Removed },
        Step::ChangeEmail { from: None, to: email("x@example.org"), old: OldEmail::Kept },
        Step::EndSessions,
        Step::Join(GroupId(SUPPORT)),
        Step::Leave(GroupId(SUPPORT)),
        Step::MakeDefault(GroupId(SUPPORT)),
        Step::AddTags(tags.clone()),
        Step::RemoveTags(tags),
        Step::Downgrade(Suspension::NotOurs),
        Step::Downgrade(Suspension::Ours),
    ]
}

fn writes(running: &Running) -> Vec<String> {
    let requests = running.requests().into_iter();
    let writes = requests.filter(|request| request.write && request.path != "/oauth/tokens");
    writes.map(|request| format!("{} {}", request.method, request.path)).collect()
}

fn is_refused(done: &Result<StepDone, CallFault>) -> bool {
    matches!(done, Err(CallFault::Refused { kind: "protected", .. }))
}

#[tokio::test]
async fn every_protected_kind_is_refused_for_every_step_by_a_client_that_knew_nothing() {
    let running = sandbox(|options| options.account_route = true).await;
    let own = fresh(&running).who_am_i().await.expect("a login").account;
    for target in [AccountId(OWNER), own, AccountId(STRANGER), AccountId(HIDDEN)] {
        for step in steps() {
            let done = fresh(&running).carry_out(Some(target), &step).await;
            // A membership that isn't there needs no write to be left, and can't be made the default one.
            let needless = matches!(step, Step::Leave(_) | Step::MakeDefault(_))
                && matches!(&done, Ok(StepDone { .. }) | Err(CallFault::NotFound(_)));
            assert!(is_refused(&done) || needless, "{target}: {step:?}: {done:?}");
            assert_eq!(writes(&running), [""; 0], "{target}: {step:?}");
        }
    }
}

#[tokio::test]
async fn what_an_earlier_look_found_is_refused_as_well() {
    let running = sandbox(|options| options.account_route = true).await;
    let mut client = fresh(&running);
    let own = client.who_am_i().await.expect("a login").account;
    client.catalog().await.expect("a catalog");
    let targets = [AccountId(OWNER), own, AccountId(STRANGER), AccountId(HIDDEN)];
    client.observe(&targets).await.expect("accounts");
    client.find_by_email(&email("gina@example.org")).await.expect("accounts");
    for target in targets {
        for step in steps() {
            let done = client.carry_out(Some(target), &step).await;
            assert!(!matches!(&done, Ok(done) if done.effect == zendesk_dirsync::engine::ports::Effect::Done));
        }
    }
    assert_eq!(writes(&running), [""; 0]);
}

#[tokio::test]
async fn a_protected_mail_is_given_to_nobody() {
    let running = sandbox(|_| {}).await;
    let mut client = fresh(&running);
    let new = |mail: &str| NewAccount {
        external_id: None,
        name: "New".into(),
        email: email(mail),
        texts: BTreeMap::new(),
        role: Role::EndUser,
        custom_role: None,
        tags: BTreeSet::new(),
        welcome: Welcome::Silent,
    };
    let kim = client.carry_out(None, &Step::Create(new("kim@example.org"))).await.expect("an account").account;
    let before = writes(&running);
    assert_eq!(before, ["POST /api/v2/users"]);
    for mail in [GLASS, "Connie@Customer.example"] {
        let made = client.carry_out(None, &Step::Create(new(mail))).await;
        assert!(is_refused(&made), "{mail}: {made:?}");
        for old in [OldEmail::Removed, OldEmail::Kept] {
            let change = Step::ChangeEmail { from: Some(email("kim@example.org")), to: email(mail), old };
            let done = client.carry_out(Some(kim), &change).await;
            assert!(is_refused(&done), "{mail}: {done:?}");
        }
    }
    assert_eq!(writes(&running), before);
}

#[tokio::test]
async fn an_account_that_gets_a_protected_mail_is_refused_from_the_next_look_on() {
    let running = sandbox(|_| {}).await;
    let mut client = fresh(&running);
    let new = NewAccount {
        external_id: None,
        name: "New".into(),
        email: email("kim@example.org"),
        texts: BTreeMap::new(),
        role: Role::EndUser,
        custom_role: None,
        tags: BTreeSet::new(),
        welcome: Welcome::Silent,
    };
    let kim = client.carry_out(None, &Step::Create(new)).await.expect("an account").account;
    // Somebody gives Kim's account the mail of a protected one, by hand.
    let mut other = crate::support::rig_desk::client(&app_settings(&running.url(), rules()), &MemoryClock::at(NOW));
    let give = Step::ChangeEmail { from: None, to: email("second@example.org"), old: OldEmail::Kept };
    other.carry_out(Some(kim), &give).await.expect("an address");
    let mut rules = rules();
    rules.protected = BTreeSet::from([email("second@example.org")]);
    let mut strict = crate::support::rig_desk::client(&app_settings(&running.url(), rules), &MemoryClock::at(NOW));
    let before = writes(&running);
    assert!(is_refused(&strict.carry_out(Some(kim), &Step::EndSessions).await));
    assert_eq!(writes(&running), before);
}
