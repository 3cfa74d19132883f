//! What real servers do: TLS and its refusals, ranges, primary groups, deletions with and without tombstones.

use std::collections::BTreeSet;
use std::time::Duration;

use sandbox::directory::TlsMode;
use zendesk_dirsync::domain::account_state::AccountState;
use zendesk_dirsync::domain::scope::Presence;
use zendesk_dirsync::domain::settings::{DirectorySettings, Protection, Ranges};
use zendesk_dirsync::engine::ports::{Directory, ReadFault};

use crate::support::memory::MemoryClock;
use crate::support::rig::{AnyDirectory, Rig, no_limits};
use crate::support::rig_desk::{in_memory, memory_desk, rules};
use crate::support::rig_host::{Host, Place, ldap, server_url};
use crate::support::rig_read::{noon, order, read};
use crate::support::scenario::{Change, Scenario};

const REAL: [Place; 2] = [Place::Slapd, Place::Samba];

/// The settings with another server address and protection.
fn secured(host: &Host, url: &str, protection: Protection) -> DirectorySettings {
    let mut settings = host.settings();
    settings.urls = vec![server_url(url)];
    settings.urls[0].protection = protection;
    settings.ca_file = Some(host.server().env("LDAP_CA").into());
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_holds_with_the_private_authority_and_is_refused_without_it() {
    let scenario = Scenario::load().with_bulk(20);
    let company = scenario.company();
    let stranger = Host::start_tls(Place::SandboxOpenLdap, "other", &company, TlsMode::Ldaps).await;
    let foreign = stranger.sandbox().ca_path().expect("an authority");
    for place in REAL {
        let Some(host) = Host::start(place, &scenario.directory, &company).await else { continue };
        let staff = host.renderer.group_dn(&company, "staff");
        let (ldaps, plain) = (host.server().env("LDAPS_URL").to_owned(), host.server().env("LDAP_URL").to_owned());
        for (url, protection) in [(&ldaps, Protection::Ldaps), (&plain, Protection::StartTls)] {
            let settings = secured(&host, url, protection);
            let seen = read(&mut ldap(settings.clone(), &host.password()), order(&[&staff]), |_| {}).await;
            let end = seen.end.as_ref().unwrap_or_else(|fault| panic!("{place:?} {protection:?}: {fault}"));
            assert_eq!(seen.people().len(), 22, "{place:?} {protection:?}: alice, tom and the bulk");
            assert_eq!(end.end().tally.references, 0, "{place:?}: the domain's own references aren't elsewhere");

            let mut unknown = settings.clone();
            unknown.ca_file = Some(foreign.clone());
            let seen = read(&mut ldap(unknown, &host.password()), order(&[&staff]), |_| {}).await;
            assert!(matches!(seen.end, Err(ReadFault::Untrusted { .. })), "{place:?} {protection:?}: {:?}", seen.end);
            assert!(seen.sights.is_empty(), "nothing comes from a server that isn't trusted");

            let mut system = settings.clone();
            system.ca_file = None;
            let seen = read(&mut ldap(system, &host.password()), order(&[&staff]), |_| {}).await;
            assert!(matches!(seen.end, Err(ReadFault::Untrusted { .. })), "{place:?} {protection:?}: {:?}", seen.end);

            let seen = read(&mut ldap(settings, "not the password"), order(&[&staff]), |_| {}).await;
            assert!(matches!(seen.end, Err(ReadFault::BindRefused { .. })), "{place:?} {protection:?}: {:?}", seen.end);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_any_length_bring_all_members_of_a_large_group_on_samba() {
    let scenario = Scenario::load();
    let company = scenario.company();
    let Some(host) = Host::start(Place::Samba, &scenario.directory, &company).await else { return };
    let staff = host.renderer.group_dn(&company, "staff");
    let whole = company.group("staff").people.len();
    assert_eq!(whole, 1_602);
    let lengths = [Ranges::AsServed, Ranges::Forced(97), Ranges::Forced(801), Ranges::Forced(1_500)];
    let edges = [1_601, 1_602, 1_603].map(Ranges::Forced);
    for ranges in lengths.into_iter().chain(edges) {
        let settings = DirectorySettings { ranges, ..host.settings() };
        let seen = read(&mut ldap(settings, &host.password()), order(&[&staff]), |_| {}).await;
        let end = seen.end.as_ref().unwrap_or_else(|fault| panic!("{ranges:?}: {fault}")).end();
        let ids: BTreeSet<_> = seen.people().iter().map(|one| one.entry.id).collect();
        assert_eq!((ids.len(), seen.sights.len()), (whole, whole), "{ranges:?}");
        assert_eq!(end.groups.values().map(|group| group.members).max(), Some(whole), "{ranges:?}");
        assert!(end.dangling.is_empty(), "{ranges:?}: {:?}", end.dangling);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_group_holds_its_people_on_samba_although_it_names_none_of_them() {
    let scenario = Scenario::load().with_bulk(0);
    let company = scenario.company();
    let Some(host) = Host::start(Place::Samba, &scenario.directory, &company).await else { return };
    let clock = MemoryClock::at(&scenario.now.to_rfc3339());
    let rules = rules(&scenario, &host.renderer);
    let (app, _zendesk) = in_memory(memory_desk(&scenario.seed()), rules, &clock);
    let mut rig = Rig::new(host.directory(), app, no_limits(), clock);
    rig.cycle().await;
    assert!(rig.plan().await.changes.is_empty());

    // A domain controller takes the link away when the group becomes the primary one (observed on Samba 4.17).
    let dn = host.renderer.person_dn(&company, "kim");
    let rid = rid_of(&host, &host.renderer.group_dn(&company, "tier1")).await;
    host.server().modify(&format!("dn: {dn}\nchangetype: modify\nreplace: primaryGroupID\nprimaryGroupID: {rid}\n-\n"));
    let tier1 = host.renderer.group_dn(&company, "tier1");
    let seen = read(&mut host.directory(), order(&[&tier1]), |_| {}).await;
    assert!(seen.end.is_ok(), "{:?}", seen.end);
    assert!(seen.people().iter().any(|one| one.entry.id == host.id("kim")), "kim is still in the group");
    let plan = rig.plan().await;
    assert!(plan.changes.is_empty() && plan.waiting.is_empty(), "nobody left: {plan:#?}");
}

/// The last part of a group's `objectSid`, by which `primaryGroupID` names it (MS-ADTS 3.1.1.1.11).
async fn rid_of(host: &Host, dn: &str) -> u32 {
    let server = host.server();
    let (connection, mut ldap) = ldap3::LdapConnAsync::new(server.env("LDAP_URL")).await.expect("a connection");
    ldap3::drive!(connection);
    let bound = ldap.simple_bind(server.env("LDAP_ADMIN_DN"), server.env("LDAP_ADMIN_PW")).await;
    bound.and_then(ldap3::LdapResult::success).expect("a bind");
    let found = ldap.search(dn, ldap3::Scope::Base, "(objectClass=*)", ["objectSid"]).await.expect("a search");
    let entry = ldap3::SearchEntry::construct(found.0.into_iter().next().expect("the group"));
    let sid = entry.bin_attrs.get("objectSid").and_then(|values| values.first()).cloned();
    let sid = sid.or_else(|| entry.attrs.get("objectSid").and_then(|v| v.first()).map(|v| v.clone().into_bytes()));
    let sid = sid.expect("a SID");
    u32::from_le_bytes(sid[sid.len() - 4..].try_into().expect("four bytes"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_shown_outright_only_to_an_account_that_may_see_tombstones() {
    let scenario = Scenario::load().with_bulk(0);
    let mut company = scenario.company();
    let Some(mut host) = Host::start(Place::Samba, &scenario.directory, &company).await else { return };
    let mut rigs = Vec::new();
    for (account, password) in [("LDAP_BIND_DN", "LDAP_BIND_PW"), ("LDAP_DIRSYNC_DN", "LDAP_DIRSYNC_PW")] {
        let mut settings = host.settings();
        settings.bind_dn = host.server().env(account).to_owned();
        let directory = AnyDirectory::Ldap(Box::new(ldap(settings, host.server().env(password))));
        let clock = MemoryClock::at(&scenario.now.to_rfc3339());
        let rules = rules(&scenario, &host.renderer);
        let (app, zendesk) = in_memory(memory_desk(&scenario.seed()), rules, &clock);
        let mut rig = Rig::new(directory, app, no_limits(), clock);
        rig.cycle().await;
        rigs.push((rig, zendesk));
    }
    let goner = host.id("goner");
    let change = Change::DeletePerson { person: "goner".into() };
    let before = company.clone();
    company.apply(&change);
    host.change(&before, &company, &change).await;

    let dn = zendesk_dirsync::domain::dn::Dn::parse(&host.renderer.person_dn(&before, "goner")).expect("a DN");
    for ((rig, _), tombstone) in rigs.iter_mut().zip([false, true]) {
        let presence = rig.engine.directories[0].look_up(goner, &dn, &BTreeSet::new(), noon()).await;
        let presence = presence.unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(matches!(presence, Presence::Tombstone), tombstone, "{presence:?}");
        let plan = rig.plan().await;
        let removals: Vec<&str> = plan.changes.iter().map(|change| change.cause.code.as_str()).collect();
        let waiting = plan.waiting.len();
        let expected = if tombstone { (vec!["gone"], 0) } else { (vec![], 1) };
        assert_eq!((removals, waiting), expected, "{plan:#?}");
    }
    // The one without tombstones needs a second complete read, in a later cycle.
    let (rig, zendesk) = &mut rigs[0];
    let writes = zendesk.writes().len();
    rig.cycle().await;
    assert_eq!(zendesk.writes().len(), writes, "the first read without a person only makes a note of it");
    rig.cycle().await;
    assert!(zendesk.writes().len() > writes, "the second one acts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_finds_people_wherever_they_went_and_tells_how_they_are() {
    let scenario = Scenario::load().with_bulk(0);
    for place in REAL {
        let mut company = scenario.company();
        let Some(mut host) = Host::start(place, &scenario.directory, &company).await else { continue };
        let mut directory = host.directory();
        let first_dn = |host: &Host, key: &str| {
            let dn = host.renderer.person_dn(&scenario.company(), key);
            zendesk_dirsync::domain::dn::Dn::parse(&dn).expect("a DN")
        };
        // The read of the cycle decides which server the look-ups ask.
        let staff = host.renderer.group_dn(&company, "staff");
        let seen = read(&mut directory, order(&[&staff]), |_| {}).await;
        let group = seen.end.as_ref().unwrap_or_else(|fault| panic!("{place:?}: {fault}")).end();
        let groups: BTreeSet<_> = group.groups.keys().copied().collect();
        let changes = scenario.steps.iter().flat_map(|step| &step.change);
        for change in changes {
            let before = company.clone();
            company.apply(change);
            host.change(&before, &company, change).await;
        }
        for key in ["mover", "rita", "obrien", "juergen", "alice"] {
            let presence = directory.look_up(host.id(key), &first_dn(&host, key), &groups, noon()).await;
            let Ok(Presence::Found { state, held_by, dn }) = presence else { panic!("{place:?} {key}: {presence:?}") };
            assert!(state.entitles(), "{place:?} {key}: {state:?}");
            assert_eq!(held_by.is_empty(), key != "alice", "{place:?} {key}: {held_by:?}");
            let now = host.renderer.person_dn(&company, key);
            let now = zendesk_dirsync::domain::dn::Dn::parse(&now).expect("a DN");
            assert_eq!(dn.key(), now.key(), "{place:?} {key}");
        }
        let temp = directory.look_up(host.id("temp"), &first_dn(&host, "temp"), &groups, noon()).await;
        assert!(matches!(temp, Ok(Presence::Found { state: AccountState::Expired { .. }, .. })), "{place:?}: {temp:?}");
        let dave = directory.look_up(host.id("dave"), &first_dn(&host, "dave"), &groups, noon()).await;
        assert!(
            matches!(dave, Ok(Presence::Found { state: AccountState::Disabled { .. }, .. })),
            "{place:?}: {dave:?}"
        );
        let goner = directory.look_up(host.id("goner"), &first_dn(&host, "goner"), &groups, noon()).await;
        let Ok(Presence::NotFound { named_by }) = goner else { panic!("{place:?}: {goner:?}") };
        assert!(named_by.is_empty(), "{place:?}: {named_by:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_is_asked_when_the_first_is_not_there() {
    let scenario = Scenario::load().with_bulk(5);
    let company = scenario.company();
    let Some(host) = Host::start(Place::Slapd, &scenario.directory, &company).await else { return };
    let mut settings = host.settings();
    settings.timeout = Duration::from_secs(2);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let closed = format!("ldap://{}", closed.expect("a port that nobody listens on any more"));
    settings.urls.insert(0, server_url(&closed));
    let staff = host.renderer.group_dn(&company, "staff");
    let seen = read(&mut ldap(settings.clone(), &host.password()), order(&[&staff]), |_| {}).await;
    let server = seen.end.expect("the second server answers").end().server.clone();
    assert_eq!(server.url, settings.urls[1].text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_check_can_be_pasted_into_a_shell() {
    let scenario = Scenario::load();
    let company = scenario.company();
    for place in REAL {
        let Some(host) = Host::start(place, &scenario.directory, &company).await else { continue };
        let settings = secured(&host, host.server().env("LDAPS_URL"), Protection::Ldaps);
        let staff = host.renderer.group_dn(&company, "staff");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        // As an editor leaves it: with a line end.
        std::fs::write(&file, format!("{}\n", host.password())).expect("a password file");
        let findings = ldap(settings, &host.password()).check(&order(&[&staff]).groups).await;
        let lines: Vec<String> = findings.into_iter().filter_map(|finding| finding.repeat).collect();
        assert!(lines.len() >= 3, "{place:?}: {lines:?}");
        for line in lines {
            assert!(!line.contains(&host.password()), "{line}");
            let pasted = line.replace("PASSWORDFILE", &file.display().to_string());
            let ran = std::process::Command::new("sh").arg("-c").arg(&pasted).output().expect("a shell");
            let told = String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success(), "{place:?}: {pasted}\n{told}");
            assert!(!ran.stdout.is_empty(), "{place:?}: {pasted}");
        }
    }
}
