//! The marker of a lease in the sandbox's account: made once, written over, read back, and nobody's account.

use std::collections::BTreeSet;

use chrono::DateTime;
use sandbox::zendesk::Running;
use zendesk_dirsync::domain::change::{OldEmail, Patch, SignIn, Step, Suspension};
use zendesk_dirsync::domain::id::{AccountId, Email, ExternalId, GroupId};
use zendesk_dirsync::domain::lease::{InstanceId, LeaseMark, Marker};
use zendesk_dirsync::domain::settings::LeaseSettings;
use zendesk_dirsync::engine::ports::{CallFault, Helpdesk};
use zendesk_dirsync::zendesk::ZendeskClient;

use crate::support::memory::MemoryClock;
use crate::support::rig_desk::{app_settings, client, start, unlimited};
use crate::support::rig_small::{STRANGER, SUPPORT, rules, seed};

const NOW: &str = "2026-11-02T08:00:00Z";

fn email(text: &str) -> Email {
    Email::parse(text).expect("a mail")
}

fn leasing(running: &Running, mail: Option<&str>) -> ZendeskClient {
    let mut settings = app_settings(&running.url(), rules());
    settings.lease = Some(LeaseSettings { email: mail.map(email) });
    client(&settings, &MemoryClock::at(NOW))
}

fn mark(instance: u8, serial: u64) -> LeaseMark {
    let at = DateTime::from_timestamp_millis(1_793_606_400_123).expect("a time");
    LeaseMark::new(InstanceId::from_bytes([instance; 16]), serial, at)
}

fn account_of(marker: &Marker) -> AccountId {
    match marker {
        Marker::Held { account, .. } => *account,
        other => panic!("{other:?}"),
    }
}

fn writes(running: &Running) -> usize {
    running.requests().into_iter().filter(|request| request.write && request.path != "/oauth/tokens").count()
}

#[tokio::test]
async fn without_a_lease_nothing_is_asked() {
    let running = start(unlimited(seed(50))).await;
    let mut client = client(&app_settings(&running.url(), rules()), &MemoryClock::at(NOW));
    assert_eq!(client.read_lease().await, Ok(Marker::Off));
    assert!(running.requests().is_empty());
}

#[tokio::test]
async fn a_marker_is_made_once_written_over_and_reads_back() {
    for mail in [None, Some("marker@example.org")] {
        let running = start(unlimited(seed(50))).await;
        let (mut one, mut two) = (leasing(&running, mail), leasing(&running, mail));
        assert_eq!(one.read_lease().await, Ok(Marker::Free));
        assert_eq!(two.read_lease().await, Ok(Marker::Free));
        one.write_lease(None, &mark(1, 1)).await.expect("a marker");
        let late = two.write_lease(None, &mark(2, 1)).await;
        let taken = matches!(late, Err(CallFault::Refused { kind: "external_id_taken" | "email_taken", .. }));
        assert!(taken, "{late:?}");
        let found = two.read_lease().await.expect("a marker");
        let account = account_of(&found);
        assert_eq!(found, Marker::Held { account, mark: mark(1, 1) });
        one.read_lease().await.expect("a marker");
        one.write_lease(Some(account), &mark(1, 2)).await.expect("written over");
        assert_eq!(two.read_lease().await, Ok(Marker::Held { account, mark: mark(1, 2) }));
        let user = running.state().user_by_id(account.0).cloned().expect("the marker");
        assert_eq!((user.external_id.as_deref(), user.email.as_deref()), (Some("dirsync-lease-support"), mail));
        assert_eq!(user.role, sandbox::zendesk::Role::EndUser);
    }
}

#[tokio::test]
async fn no_step_for_people_reaches_a_marker_and_no_marker_is_written_over_a_person() {
    let running = start(unlimited(seed(50))).await;
    let mut client = leasing(&running, None);
    client.read_lease().await.expect("nothing yet");
    client.write_lease(None, &mark(1, 1)).await.expect("a marker");
    let account = account_of(&client.read_lease().await.expect("a marker"));
    let before = writes(&running);
    let write = |edit: fn(&mut Patch)| {
        let mut patch = Patch::default();
        edit(&mut patch);
        Step::Write(patch)
    };
    let steps = [
        write(|patch| patch.name = Some("x".into())),
        write(|patch| patch.sign_in = Some(SignIn::Suspend)),
        Step::ChangeEmail { from: None, to: email("x@example.org"), old: OldEmail::Removed },
        Step::EndSessions,
        Step::Join(GroupId(SUPPORT)),
        Step::AddTags(BTreeSet::from(["x".to_owned()])),
        Step::Downgrade(Suspension::NotOurs),
    ];
    for step in &steps {
        for client in [&mut client, &mut leasing(&running, None)] {
            let done = client.carry_out(Some(account), step).await;
            assert!(matches!(done, Err(CallFault::Refused { kind: "protected", .. })), "{step:?}: {done:?}");
        }
    }
    // The other way round: a person is no marker, not even one that was looked at, nor is anybody given its id.
    client.observe(&[AccountId(STRANGER)]).await.expect("an account");
    for over in [AccountId(STRANGER), AccountId(4_711)] {
        let done = client.write_lease(Some(over), &mark(1, 2)).await;
        assert!(matches!(done, Err(CallFault::Refused { kind: "protected", .. })), "{over}: {done:?}");
    }
    let id = ExternalId::parse("Dirsync-Lease-other").expect("an id");
    let claim = Step::Write(Patch { external_id: Some(id), ..Patch::default() });
    let done = client.carry_out(Some(AccountId(STRANGER)), &claim).await;
    assert!(matches!(done, Err(CallFault::Refused { kind: "protected", .. })), "{done:?}");
    assert_eq!(writes(&running), before);
}

#[tokio::test]
async fn what_is_not_a_marker_of_ours_is_told_and_not_written() {
    let mut account = seed(50);
    let stranger = account.users.iter_mut().find(|user| user.id == STRANGER).expect("somebody");
    stranger.external_id = Some("DIRSYNC-lease-SUPPORT".into());
    let running = start(unlimited(account.clone())).await;
    let mut client = leasing(&running, None);
    // It has no notes of ours: it may be taken by a person's word.
    let found = client.read_lease().await.expect("something");
    assert!(matches!(found, Marker::Unreadable { account: Some(AccountId(STRANGER)), .. }), "{found:?}");

    // An agent's account is never written, whatever id it carries.
    let stranger = account.users.iter_mut().find(|user| user.id == STRANGER).expect("somebody");
    stranger.role = sandbox::zendesk::Role::Agent;
    let running = start(unlimited(account)).await;
    let mut client = leasing(&running, None);
    let found = client.read_lease().await.expect("something");
    assert!(matches!(found, Marker::Unreadable { account: None, .. }), "{found:?}");
}

#[tokio::test]
async fn a_marker_with_a_protected_mail_is_not_written() {
    let mut account = seed(50);
    let stranger = account.users.iter_mut().find(|user| user.id == STRANGER).expect("somebody");
    stranger.external_id = Some("dirsync-lease-support".into());
    let running = start(unlimited(account)).await;
    let mut rules = rules();
    rules.protected = BTreeSet::from([email("connie@customer.example")]);
    let mut settings = app_settings(&running.url(), rules);
    settings.lease = Some(LeaseSettings { email: None });
    let mut client = client(&settings, &MemoryClock::at(NOW));
    let found = client.read_lease().await.expect("something");
    assert!(matches!(found, Marker::Unreadable { account: None, .. }), "{found:?}");
    let done = client.write_lease(Some(AccountId(STRANGER)), &mark(1, 1)).await;
    assert!(matches!(done, Err(CallFault::Refused { kind: "protected", .. })), "{done:?}");
    assert_eq!(writes(&running), 0);
}
