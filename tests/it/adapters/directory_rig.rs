//! A directory of the sandbox with numbered people, and an engine that has settled over it.

use sandbox::directory::{Options, Running, start};
use zendesk_dirsync::domain::id::DirectoryName;
use zendesk_dirsync::domain::settings::DirectorySettings;

use crate::support::ldif::Dialect;
use crate::support::memory::{MemoryClock, MemoryLedger, MemoryReport, MemoryZendesk};
use crate::support::rig::{AnyDirectory, Rig, no_limits};
use crate::support::rig_desk::{in_memory, memory_desk};
use crate::support::rig_host::{any_port, ldap, sandbox_kind, settings};
use crate::support::rig_small::{AGENTS, DIRECTORY, USERS, rules, seed};

pub const BASE: &str = "dc=example,dc=org";
pub const NOW: &str = "2026-11-02T08:00:00Z";

/// Where a numbered person is.
pub fn person_dn(number: usize) -> String {
    format!("cn=Person {number},ou=people,{BASE}")
}

/// LDIF of people 1 to `people`; the first `agents` of them are agents, all are users.
pub fn ldif(dialect: Dialect, people: usize, agents: usize) -> String {
    let mut out = format!("dn: {BASE}\nobjectClass: domain\ndc: example\n\n");
    for unit in ["people", "groups"] {
        out.push_str(&format!("dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n\n"));
    }
    for number in 1..=people {
        let login = match dialect {
            Dialect::OpenLdap => format!("objectClass: inetOrgPerson\nuid: p{number}\n"),
            Dialect::ActiveDirectory => {
                format!("objectClass: user\nsAMAccountName: p{number}\nuserAccountControl: 512\n")
            }
        };
        out.push_str(&format!(
            "dn: {}\n{login}cn: Person {number}\nsn: {number}\ndisplayName: Person {number}\nmail: person-{number}@example.org\n\n",
            person_dn(number)
        ));
    }
    for (dn, count) in [(AGENTS, agents), (USERS, people)] {
        let name = dn.split(['=', ',']).nth(1).unwrap_or_default();
        let (class, own) = match dialect {
            Dialect::OpenLdap => ("groupOfNames".to_owned(), format!("member: {dn}\n")),
            Dialect::ActiveDirectory => {
                (format!("group\nsAMAccountName: {name}\ngroupType: -2147483646"), String::new())
            }
        };
        out.push_str(&format!("dn: {dn}\nobjectClass: {class}\ncn: {name}\n"));
        (1..=count).for_each(|number| out.push_str(&format!("member: {}\n", person_dn(number))));
        // groupOfNames demands a member (RFC 4519 3.5).
        out.push_str(if count == 0 { &own } else { "" });
        out.push('\n');
    }
    out
}

/// A sandbox directory with these people.
pub async fn serve(dialect: Dialect, people: usize, agents: usize) -> Running {
    let options = Options::new(sandbox_kind(dialect), ldif(dialect, people, agents));
    start(any_port(), options).await.unwrap_or_else(|fault| panic!("{fault}"))
}

/// The settings of a directory that reads it.
pub fn reader(running: &Running, dialect: Dialect) -> DirectorySettings {
    let name = DirectoryName::new(DIRECTORY).expect("a name");
    settings(&name, dialect, BASE, &running.url(), &running.svc_dn())
}

/// An engine over the directory, with everything else in memory.
pub struct Settled {
    pub running: Running,
    pub rig: Rig<MemoryLedger, MemoryReport>,
    pub zendesk: MemoryZendesk,
}

impl Settled {
    /// Everybody has an account; then some leave the users' group, so that a whole read removes exactly them.
    pub async fn new(
        dialect: Dialect,
        people: usize,
        leavers: &[usize],
        edit: impl FnOnce(&mut DirectorySettings),
    ) -> Self {
        let running = serve(dialect, people, 2).await;
        let mut settings = reader(&running, dialect);
        edit(&mut settings);
        let clock = MemoryClock::at(NOW);
        let (app, zendesk) = in_memory(memory_desk(&seed(50)), rules(), &clock);
        let directory = AnyDirectory::Ldap(Box::new(ldap(settings, "svcpw")));
        let mut rig = Rig::over(directory, app, no_limits(), clock, MemoryLedger::default(), MemoryReport::default());
        let report = rig.cycle().await;
        assert!(report.faults.is_empty(), "{report:#?}");
        assert_eq!(report.summary.apps.values().next().map(|counts| counts.done), Some(people), "{report:#?}");
        for number in leavers {
            let dn = person_dn(*number);
            let ldif = format!("dn: {USERS}\nchangetype: modify\ndelete: member\nmember: {dn}\n-\n\n");
            running.apply_ldif(&ldif).unwrap_or_else(|fault| panic!("{fault}"));
        }
        Self { running, rig, zendesk }
    }

    /// Removals in the next plan, held or not, by mail.
    pub async fn removals(&mut self) -> (Vec<String>, Vec<String>) {
        let plan = self.rig.plan().await;
        let removals =
            plan.changes.iter().filter(|change| change.action == "deprovision" || change.action == "release");
        (
            removals.map(|change| change.user.clone()).collect(),
            plan.faults.values().map(|fault| fault.kind.clone()).collect(),
        )
    }
}
