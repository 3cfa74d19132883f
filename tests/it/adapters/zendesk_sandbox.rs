//! The REST adapter against the sandbox's Zendesk: every method of the port, every step, and who is never written.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::zendesk::{Account, Options, Running, UserState};
use zendesk_dirsync::domain::account::{Existence, Suspended};
use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::change::{NewAccount, OldEmail, Patch, SignIn, Step, Suspension, Welcome};
use zendesk_dirsync::domain::id::{AccountId, CustomRoleId, Email, ExternalId, GroupId};
use zendesk_dirsync::domain::mapping::Field;
use zendesk_dirsync::engine::Ending;
use zendesk_dirsync::engine::ports::{CallFault, Effect, Helpdesk};
use zendesk_dirsync::zendesk::ZendeskClient;

use crate::support::memory::MemoryClock;
use crate::support::rig::{AnyDirectory, Rig, no_limits};
use crate::support::rig_desk::{app_settings, client, start, unlimited, wired};
use crate::support::rig_small::{ESCALATIONS, OWNER, STRANGER, SUPPORT, TEAM_LEAD, directory, rules, seed};

const NOW: &str = "2026-11-02T08:00:00Z";

async fn sandbox(change: impl FnOnce(&mut Options)) -> (Running, ZendeskClient) {
    let mut options = unlimited(seed(50));
    change(&mut options);
    let running = start(options).await;
    let client = client(&app_settings(&running.url(), rules()), &MemoryClock::at(NOW));
    (running, client)
}

fn email(text: &str) -> Email {
    Email::parse(text).expect("a mail")
}

fn new_agent() -> NewAccount {
    NewAccount {
        external_id: Some(ExternalId::parse("dirsync-0123456789abcdef0123456789abcdef").expect("an id")),
        name: "Ñina \"Nini\" Núñez".into(),
        email: email("nina+x@example.org"),
        texts: BTreeMap::from([(Field::Phone, "+4930123456".into()), (Field::Details, "Trainee <b>".into())]),
        role: Role::Agent,
        custom_role: Some(CustomRoleId(TEAM_LEAD)),
        tags: BTreeSet::from(["agent".to_owned()]),
        welcome: Welcome::Silent,
    }
}

/// One more agent.
async fn another(client: &mut ZendeskClient, number: usize) -> AccountId {
    let new = NewAccount {
        external_id: Some(ExternalId::parse(&format!("another-{number}")).expect("an id")),
        email: email(&format!("another-{number}@example.org")),
        ..new_agent()
    };
    client.carry_out(None, &Step::Create(new)).await.expect("an account").account
}

fn user(running: &Running, id: AccountId) -> UserState {
    running.state().user_by_id(id.0).cloned().expect("it is there")
}

#[tokio::test]
async fn every_reading_method_answers_as_the_account_is() {
    let (_running, mut client) = sandbox(|_| {}).await;
    let me = client.who_am_i().await.expect("a login");
    assert_eq!((me.role, me.label.as_str()), (Role::Admin, "dirsync@example.org"));
    let catalog = client.catalog().await.expect("a catalog");
    assert_eq!(catalog.groups["Support"], BTreeSet::from([GroupId(SUPPORT)]));
    assert_eq!(catalog.groups["Escalations"], BTreeSet::from([GroupId(ESCALATIONS)]));
    assert_eq!(catalog.default_group, Some(GroupId(SUPPORT)));
    assert_eq!(catalog.custom_roles["Team lead"], BTreeSet::from([CustomRoleId(TEAM_LEAD)]));
    assert_eq!(
        catalog.untouchable.keys().copied().collect::<BTreeSet<_>>(),
        BTreeSet::from([AccountId(OWNER), me.account])
    );
    assert_eq!(catalog.active_admins, BTreeSet::from([AccountId(OWNER), me.account]));

    let made = client.carry_out(None, &Step::Create(new_agent())).await.expect("an account").account;
    let seen = client.observe(&[AccountId(STRANGER), made, AccountId(4_711)]).await.expect("accounts");
    assert_eq!(seen.iter().map(|account| account.id).collect::<Vec<_>>(), [AccountId(STRANGER), made]);
    let stranger = &seen[0];
    assert_eq!((stranger.role, stranger.groups.len()), (Role::EndUser, 0));
    let agent = &seen[1];
    assert_eq!((agent.role, agent.custom_role), (Role::Agent, Some(CustomRoleId(TEAM_LEAD))));
    assert_eq!(agent.external_id, new_agent().external_id);
    assert_eq!(agent.texts.get(&Field::Details).map(String::as_str), Some("Trainee <b>"));
    assert_eq!(agent.groups, BTreeSet::from([GroupId(SUPPORT)]), "Zendesk puts a new agent there by itself");

    // Ids are compared without case at Zendesk.
    let shouted = ExternalId::parse("DIRSYNC-0123456789ABCDEF0123456789ABCDEF").expect("an id");
    let nobody = ExternalId::parse("dirsync-ffffffffffffffffffffffffffffffff").expect("an id");
    let found = client.find_by_external_id(&[shouted, nobody]).await.expect("accounts");
    assert_eq!(found.iter().map(|account| account.id).collect::<Vec<_>>(), [made]);
    for (mail, count) in [("nina+x@example.org", 1), ("NINA+X@example.org", 1), ("nobody@example.org", 0)] {
        assert_eq!(client.find_by_email(&email(mail)).await.expect("accounts").len(), count, "{mail}");
    }
}

#[tokio::test]
async fn every_step_does_what_it_says_and_once_is_as_good_as_twice() {
    let (running, mut client) = sandbox(|_| {}).await;
    let made = client.carry_out(None, &Step::Create(new_agent())).await.expect("an account");
    assert_eq!(made.effect, Effect::Done);
    let id = made.account;
    let again = client.carry_out(None, &Step::Create(new_agent())).await;
    assert!(
        matches!(again, Err(CallFault::Refused { kind: "email_taken" | "external_id_taken", .. })),
        "a creation is not idempotent: {again:?}"
    );

    let tags = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let patch = |edit: fn(&mut Patch)| {
        let mut patch = Patch::default();
        edit(&mut patch);
        Step::Write(patch)
    };
    let rename = |from: &str, to: &str, old| Step::ChangeEmail { from: Some(email(from)), to: email(to), old };
    type Check = fn(&UserState) -> bool;
    let steps: Vec<(Step, Check)> = vec![
        (Step::Write(Patch::default()), |_| true),
        (patch(|patch| patch.name = Some("Nina".into())), |user| user.name == "Nina"),
        (
            patch(|patch| patch.texts = BTreeMap::from([(Field::Details, String::new()), (Field::Alias, "N".into())])),
            |user| {
                user.profile.details.as_deref().unwrap_or_default().is_empty()
                    && user.profile.alias.as_deref() == Some("N")
            },
        ),
        (patch(|patch| patch.role = Some((Role::Agent, None))), |user| user.custom_role_id.is_none()),
        (Step::Join(GroupId(ESCALATIONS)), |user| user.groups.contains(&ESCALATIONS)),
        (Step::MakeDefault(GroupId(ESCALATIONS)), |user| user.default_group == Some(ESCALATIONS)),
        (Step::Leave(GroupId(SUPPORT)), |user| user.groups == [ESCALATIONS]),
        (Step::AddTags(tags(&["b", "c"])), |user| user.tags.len() == 3),
        (Step::RemoveTags(tags(&["b", "nothing"])), |user| {
            user.tags.iter().map(String::as_str).collect::<BTreeSet<_>>() == BTreeSet::from(["agent", "c"])
        }),
        (rename("nina+x@example.org", "nina@example.org", OldEmail::Kept), |user| {
            user.email.as_deref() == Some("nina@example.org")
                && user.emails.iter().any(|mail| mail == "nina+x@example.org")
        }),
        (rename("nina@example.org", "n@example.org", OldEmail::Removed), |user| {
            user.email.as_deref() == Some("n@example.org") && !user.emails.iter().any(|mail| mail == "nina@example.org")
        }),
        (patch(|patch| patch.sign_in = Some(SignIn::Suspend)), |user| user.suspended),
        (Step::EndSessions, |user| user.sessions == 0),
        (Step::Downgrade(Suspension::NotOurs), |user| {
            user.role == sandbox::zendesk::Role::EndUser && user.groups.is_empty()
        }),
        (patch(|patch| patch.sign_in = Some(SignIn::Lift)), |user| !user.suspended),
    ];
    let signer = another(&mut client, steps.len()).await;
    for (number, (step, check)) in steps.iter().enumerate() {
        // Zendesk takes five updates of one user a minute: those that need nothing of the others get a user each.
        let id = match step {
            Step::Write(patch) if patch.sign_in.is_some() => signer,
            Step::Write(_) => another(&mut client, number).await,
            _ => id,
        };
        for turn in ["at first", "again"] {
            let done =
                client.carry_out(Some(id), step).await.unwrap_or_else(|fault| panic!("{turn}, {step:?}: {fault}"));
            assert_eq!(done.account, id, "{turn}, {step:?}");
            let user = user(&running, id);
            assert!(check(&user), "{turn}, {step:?}: {user:#?}");
        }
    }
    let seen = client.observe(&[signer]).await.expect("an account").remove(0);
    assert_eq!((seen.suspended, seen.existence), (Suspended::No, Existence::Live));
}

#[tokio::test]
async fn a_suspended_agent_is_downgraded_whether_zendesk_takes_it_or_not() {
    for takes in [true, false] {
        let (running, mut client) = sandbox(|options| options.downgrade_suspended = takes).await;
        let id = client.carry_out(None, &Step::Create(new_agent())).await.expect("an account").account;
        let suspend = Step::Write(Patch { sign_in: Some(SignIn::Suspend), ..Patch::default() });
        client.carry_out(Some(id), &suspend).await.expect("a suspension");
        client
            .carry_out(Some(id), &Step::Downgrade(Suspension::Ours))
            .await
            .unwrap_or_else(|fault| panic!("{takes}: {fault}"));
        let user = user(&running, id);
        assert_eq!((user.role, user.suspended), (sandbox::zendesk::Role::EndUser, true), "takes: {takes}");
    }
}

#[tokio::test]
async fn a_step_on_an_account_that_is_gone_is_not_found() {
    let (_running, mut client) = sandbox(|_| {}).await;
    let gone = Some(AccountId(4_711));
    for step in [
        Step::Write(Patch { name: Some("x".into()), ..Patch::default() }),
        Step::EndSessions,
        Step::Join(GroupId(SUPPORT)),
        Step::AddTags(BTreeSet::from(["x".to_owned()])),
        Step::Downgrade(Suspension::NotOurs),
    ] {
        let fault = client.carry_out(gone, &step).await.expect_err("nobody is there");
        assert!(matches!(fault, CallFault::NotFound(_) | CallFault::Refused { .. }), "{step:?}: {fault}");
    }
}

/// Everything of the account that mustn't have changed.
fn kept(state: &Account) -> Vec<UserState> {
    [OWNER, STRANGER].iter().filter_map(|id| state.user_by_id(*id).cloned()).collect()
}

#[tokio::test]
async fn the_owner_is_never_written_whether_zendesk_names_it_or_not() {
    for named in [true, false] {
        let mut options = unlimited(seed(50));
        options.account_route = named;
        let running = start(options).await;
        let before = kept(&running.state());
        let clock = MemoryClock::at(NOW);
        // An agent in the directory has the owner's mail.
        let company = directory(&[1, 2], &[3]);
        company.change(|company| {
            let id = *company.people.keys().next().expect("somebody");
            company.people.get_mut(&id).expect("somebody").set("mail", "owner@example.org");
        });
        let mut rig = Rig::new(AnyDirectory::Memory(company), wired(&running, rules(), &clock), no_limits(), clock);
        let report = rig.cycle().await;
        assert_eq!(report.ending, Ending::Failed, "{report:#?}");
        let plan = report.plans.values().next().expect("a plan");
        assert_eq!(plan.conflicts.len(), 1, "named: {named}: {:#?}", plan.conflicts);
        assert_eq!(plan.conflicts[0].account, Some(AccountId(OWNER)));
        assert_eq!(kept(&running.state()), before, "named: {named}");

        // Asked outright, by whatever fault of ours, it isn't done either.
        let mut client = client(&app_settings(&running.url(), rules()), &MemoryClock::at(NOW));
        let me = client.who_am_i().await.expect("a login").account;
        client.catalog().await.expect("a catalog");
        let own = user(&running, me);
        for step in [
            Step::Write(Patch { sign_in: Some(SignIn::Suspend), ..Patch::default() }),
            Step::Write(Patch { role: Some((Role::EndUser, None)), ..Patch::default() }),
            Step::Downgrade(Suspension::NotOurs),
        ] {
            for id in [AccountId(OWNER), me] {
                let done = client.carry_out(Some(id), &step).await;
                assert!(done.is_err(), "named: {named}, {id}: {step:?}: {done:?}");
            }
        }
        assert_eq!(kept(&running.state()), before, "named: {named}");
        assert_eq!(user(&running, me), own, "our own account, named: {named}");
    }
}

#[tokio::test]
async fn protected_accounts_are_never_written_by_whatever_route() {
    let running = start(unlimited(seed(50))).await;
    let mut rules = rules();
    rules.protected.insert(email("connie@customer.example"));
    let mut client = client(&app_settings(&running.url(), rules), &MemoryClock::at(NOW));
    let catalog = client.catalog().await.expect("a catalog");
    assert!(catalog.untouchable.contains_key(&AccountId(STRANGER)));
    let before = kept(&running.state());
    let steps = [
        Step::Write(Patch { name: Some("x".into()), ..Patch::default() }),
        Step::ChangeEmail { from: None, to: email("x@example.org"), old: OldEmail::Removed },
        Step::EndSessions,
        Step::Join(GroupId(SUPPORT)),
        Step::Leave(GroupId(SUPPORT)),
        Step::MakeDefault(GroupId(SUPPORT)),
        Step::AddTags(BTreeSet::from(["x".to_owned()])),
        Step::RemoveTags(BTreeSet::from(["x".to_owned()])),
        Step::Downgrade(Suspension::NotOurs),
    ];
    for step in &steps {
        let done = client.carry_out(Some(AccountId(STRANGER)), step).await;
        // A membership that isn't there needs no write.
        let nothing = matches!(step, Step::Leave(_)) && matches!(&done, Ok(done) if done.effect == Effect::AlreadySo);
        let absent = matches!(step, Step::MakeDefault(_)) && matches!(done, Err(CallFault::NotFound(_)));
        let refused = matches!(done, Err(CallFault::Refused { kind: "protected", .. }));
        assert!(refused || nothing || absent, "{step:?}: {done:?}");
    }
    assert_eq!(kept(&running.state()), before);
    let writes = running.requests().into_iter().filter(|request| request.write && request.path != "/oauth/tokens");
    assert_eq!(writes.count(), 0, "nothing was sent");
}
