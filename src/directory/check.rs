//! What `check` says of a directory: one finding per thing that must hold, each with the command that repeats it.

use std::sync::Arc;

use lber::structure::StructureTag;
use ldap3::Scope;

use super::canaries;
use super::decode::{RawEntry, domain_and_rid};
use super::filter::{ANYTHING, both, equals, group_named, with_id};
use super::line::{Paging, ldapsearch};
use super::members::{MembersFault, members};
use super::read::PRIMARY_GROUP;
use super::resolve::{FoundGroup, Resolution, group_id_attribute, outermost, resolve};
use super::search::{AtBase, Query, Session, Sink, Values, paged};
use super::session::{fit, open_at};
use super::standing::described;
use crate::domain::assignment::GroupRef;
use crate::domain::dn::Dn;
use crate::domain::scope::Tally;
use crate::domain::settings::{DirectorySettings, Protection, ServerUrl};
use crate::engine::ports::{GroupOrder, ReadFault, Secret};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Good,
    /// It works, and may not be what is meant.
    Doubtful,
    /// It doesn't work.
    Bad,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it stands.
    pub health: Health,
    /// What was found, with what to do about it.
    pub what: String,
    /// A command for a shell that repeats it. It holds no password.
    pub repeat: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>, repeat: Option<String>) -> Self {
        Self { health: Health::Good, what: what.into(), repeat }
    }

    fn doubtful(what: impl Into<String>, repeat: Option<String>) -> Self {
        Self { health: Health::Doubtful, what: what.into(), repeat }
    }

    fn bad(what: impl Into<String>, repeat: Option<String>) -> Self {
        Self { health: Health::Bad, what: what.into(), repeat }
    }

    fn fault(fault: &ReadFault, repeat: Option<String>) -> Self {
        Self::bad(format!("{fault}; {}", fault.hint()), repeat)
    }
}

/// Checks every server, and with the first that answers the bases, the groups and the people.
pub(super) async fn check(
    settings: &Arc<DirectorySettings>,
    secret: &dyn Secret,
    groups: &[GroupOrder],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(fault) = fit(settings) {
        findings.push(Finding::fault(&fault, None));
        return findings;
    }
    let mut first = None;
    for server in &settings.urls {
        let query = Query { base: "", scope: Scope::Base, filter: ANYTHING, attributes: &["namingContexts"] };
        let repeat = Some(ldapsearch(settings, server, &query, Paging::Off));
        match open_at(settings, secret, server).await {
            Ok(session) => {
                findings.push(connected(&session, server, repeat));
                match &first {
                    None => first = Some(session),
                    Some(_) => session.link.close().await,
                }
            }
            Err(fault) => {
                let refused = matches!(fault, ReadFault::BindRefused { .. } | ReadFault::Unfit(_));
                findings.push(Finding::fault(&fault, repeat));
                // A wrong password tried at every server locks the account out.
                if refused {
                    break;
                }
            }
        }
    }
    if let Some(mut session) = first {
        check_bases(&mut session, &mut findings).await;
        for group in groups {
            findings.push(check_group(&mut session, group).await);
        }
        check_canaries(&mut session, &mut findings).await;
        check_people(&mut session, &mut findings).await;
        session.link.close().await;
    }
    findings
}

fn connected(session: &Session, server: &ServerUrl, repeat: Option<String>) -> Finding {
    let identity = &session.root.identity;
    let name = if identity.name.is_empty() { "it doesn't say what it is" } else { &identity.name };
    let name = &format!("{name}; {}", described(identity));
    let bound = &session.settings.bind_dn;
    match server.protection {
        Protection::Ldaps => Finding::good(format!("{}: TLS, bound as {bound}; {name}", server.text), repeat),
        Protection::StartTls => Finding::good(format!("{}: StartTLS, bound as {bound}; {name}", server.text), repeat),
        Protection::Plaintext => {
            let what = format!("{}: bound as {bound}; {name}; the password travels in the clear", server.text);
            Finding::doubtful(what, repeat)
        }
    }
}

async fn check_bases(session: &mut Session, findings: &mut Vec<Finding>) {
    for base in session.settings.bases.clone() {
        let query = Query { base: base.as_str(), scope: Scope::Base, filter: ANYTHING, attributes: &["1.1"] };
        let repeat = Some(ldapsearch(&session.settings, &session.server, &query, Paging::Off));
        findings.push(match session.at_base(base.as_str(), ANYTHING, &["1.1"], Values::Wanted).await {
            Ok(AtBase::Entry(_)) => Finding::good(format!("the base {base} is there"), repeat),
            Ok(AtBase::Unmatched) => {
                Finding::doubtful(format!("the base {base} may not be read itself; what lies below it may be"), repeat)
            }
            Ok(AtBase::Absent) => {
                Finding::bad(format!("the base {base} isn't there, or the account may not see it"), repeat)
            }
            Err(fault) => Finding::fault(&fault.of(format_args!("the base {base}")), repeat),
        });
    }
}

async fn check_group(session: &mut Session, order: &GroupOrder) -> Finding {
    let told = match &order.group {
        GroupRef::Dn(dn) => dn.to_string(),
        GroupRef::Name(name) => name.clone(),
        GroupRef::Id(id) => format!("guid:{}", id.dashed()),
    };
    let repeat = Some(group_line(session, &order.group));
    match resolve(session, order, &mut Tally::default()).await {
        Err(fault) => Finding::fault(&fault, repeat),
        Ok(Resolution::Missing) => Finding::bad(format!("the group {told} isn't found"), repeat),
        Ok(Resolution::Ambiguous(dns)) => {
            let what = format!("{} groups are named {told}: {}; name one by its DN", dns.len(), dns.join(", "));
            Finding::bad(what, repeat)
        }
        Ok(Resolution::Found(group)) => count_members(session, &group, &told).await,
    }
}

fn group_line(session: &Session, group: &GroupRef) -> String {
    let settings = &session.settings;
    let (base, scope, filter) = match group {
        GroupRef::Dn(dn) => (dn.clone(), Scope::Base, settings.group_filter.clone()),
        GroupRef::Name(name) => (first_base(settings), Scope::Subtree, group_named(settings, name)),
        GroupRef::Id(id) => (first_base(settings), Scope::Subtree, with_id(group_id_attribute(settings), *id)),
    };
    let attributes = [group_id_attribute(settings), settings.member_attribute.as_str()];
    let query = Query { base: base.as_str(), scope, filter: &filter, attributes: &attributes };
    ldapsearch(settings, &session.server, &query, Paging::Off)
}

fn first_base(settings: &DirectorySettings) -> Dn {
    // `fit` has seen to it that there is one.
    settings.bases[0].clone()
}

async fn count_members(session: &mut Session, group: &FoundGroup, told: &str) -> Finding {
    let repeat = Some(group_line(session, &GroupRef::Dn(group.dn.clone())));
    let mut count = 0_usize;
    let mut odd = 0_usize;
    let own = group.dn.key();
    let read = members(session, group.dn.as_str(), &mut Tally::default(), &mut |value| {
        match std::str::from_utf8(&value).ok().and_then(|text| Dn::parse(text).ok()) {
            Some(dn) if dn.key() == own => {}
            Some(_) => count += 1,
            None => odd += 1,
        }
        Ok(())
    })
    .await;
    match read {
        Err(MembersFault::Read(fault)) => Finding::fault(&fault, repeat),
        Err(MembersFault::Moved(what)) => Finding::bad(what, repeat),
        Ok(_) => {
            let members = if count == 1 { "1 direct member".to_owned() } else { format!("{count} direct members") };
            let what = format!("the group {told} is {} with guid:{}: {members}", group.dn, group.id.dashed());
            if count == 0 {
                return without_members(session, group, &what, repeat).await;
            }
            if odd > 0 {
                return Finding::doubtful(format!("{what}, and {odd} values that are no DN"), repeat);
            }
            Finding::good(what, repeat)
        }
    }
}

/// A group that shows no member may be the primary one of many (AD's Domain Users), or empty, or not readable.
async fn without_members(session: &mut Session, group: &FoundGroup, what: &str, repeat: Option<String>) -> Finding {
    let Some((_, rid)) = group.sid.as_deref().and_then(domain_and_rid) else {
        return Finding::doubtful(format!("{what}; is it empty, or may its members not be read?"), repeat);
    };
    let primary = equals(PRIMARY_GROUP, rid.to_string().as_bytes());
    let filter = both(&session.settings.people_filter, &primary);
    let mut sample = Sample::default();
    for base in outermost(&session.settings.bases) {
        let query = Query { base: base.as_str(), scope: Scope::Subtree, filter: &filter, attributes: &["1.1"] };
        if let Err(fault) = paged(session, &query, &mut Tally::default(), &mut sample).await {
            return Finding::fault(&fault, repeat);
        }
    }
    match sample.people {
        0 => Finding::doubtful(format!("{what}; is it empty, or may its members not be read?"), repeat),
        people => Finding::good(format!("{what}, and the primary group of {people} people"), repeat),
    }
}

/// Counts people, and how many of them show no id.
#[derive(Debug, Default)]
struct Sample {
    people: u64,
    without_id: u64,
    id_attribute: String,
}

impl Sink for Sample {
    fn entry(&mut self, entry: StructureTag) -> Result<(), String> {
        self.people += 1;
        let entry = RawEntry::take(entry)?;
        self.without_id += u64::from(entry.id(&self.id_attribute).is_err());
        Ok(())
    }

    async fn page_end(&mut self) -> Result<(), ReadFault> {
        Ok(())
    }
}

async fn check_canaries(session: &mut Session, findings: &mut Vec<Finding>) {
    for canary in session.settings.canaries.clone() {
        let attributes = [canary.attribute.as_deref().unwrap_or("1.1")];
        let line = ldapsearch(&session.settings, &session.server, &canaries::query(&canary, &attributes), Paging::Off);
        findings.push(match canaries::sings(session, &canary).await {
            Ok(()) => {
                let of = canary.attribute.as_ref().map(|attribute| format!("{attribute} of ")).unwrap_or_default();
                Finding::good(format!("{of}the canary {} can be read", canary.dn), Some(line))
            }
            Err(fault) => Finding::fault(&fault, Some(line)),
        });
    }
}

async fn check_people(session: &mut Session, findings: &mut Vec<Finding>) {
    let filter = session.settings.people_filter.clone();
    let id_attribute = session.settings.id_attribute.clone();
    let attributes = [id_attribute.as_str()];
    for base in outermost(&session.settings.bases) {
        let query = Query { base: base.as_str(), scope: Scope::Subtree, filter: &filter, attributes: &attributes };
        let repeat =
            Some(ldapsearch(&session.settings, &session.server, &query, Paging::Pages(session.settings.page_size)));
        let mut sample = Sample { people: 0, without_id: 0, id_attribute: id_attribute.clone() };
        let mut tally = Tally::default();
        let read = paged(session, &query, &mut tally, &mut sample).await;
        let Sample { people, without_id, .. } = sample;
        findings.push(match read {
            Err(fault) => Finding::fault(&fault, repeat),
            Ok(()) if tally.references > 0 => {
                let elsewhere = session.referred.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                let what = format!(
                    "{people} people under {base}, and {} references to other servers ({elsewhere}): such a read is never \
                     whole; narrow `base`, or name the contexts that hold nobody of yours in `ignored_contexts`",
                    tally.references
                );
                Finding::bad(what, repeat)
            }
            Ok(()) if people == 0 => Finding::bad(format!("nobody under {base} fits {filter}"), repeat),
            Ok(()) if without_id > 0 => {
                let what = format!("{without_id} of {people} people under {base} show no usable {id_attribute}");
                Finding::bad(what, repeat)
            }
            Ok(()) => Finding::good(format!("{people} people under {base}"), repeat),
        });
    }
}
