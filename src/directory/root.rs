//! The root DSE: what the server says of itself. It is readable by anyone, so it proves nothing about who we are.

use super::decode::RawEntry;
use super::filter::ANYTHING;
use super::search::{AskFault, AtBase, Session, Values};
use crate::domain::dn::Dn;
use crate::domain::server::{Mark, ServerIdentity};

/// What is read of the root DSE (RFC 4512 5.1, MS-ADTS 3.1.1.3.2).
const ATTRIBUTES: [&str; 7] = [
    "objectClass",
    "namingContexts",
    "defaultNamingContext",
    "dsServiceName",
    "highestCommittedUSN",
    "vendorName",
    "vendorVersion",
];

/// What the server says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Root {
    /// Which server it is.
    pub(super) identity: ServerIdentity,
    /// AD's domain. Never used as a base for people: 389-ds says `cn=changelog` here.
    pub(super) default_context: Option<String>,
    /// AD's name of the entry that stands for this controller.
    pub(super) service: Option<String>,
    /// The naming contexts that hold a configured base.
    pub(super) contexts: Vec<Dn>,
}

/// Reads the root DSE. A server that doesn't show it has no name but its URL.
pub(super) async fn root(session: &mut Session) -> Result<Root, AskFault> {
    let url = session.link.url.clone();
    let entry = match session.at_base("", ANYTHING, &ATTRIBUTES, Values::Wanted).await {
        Ok(AtBase::Entry(entry)) => Some(entry),
        Ok(AtBase::Unmatched | AtBase::Absent) | Err(AskFault::Refused(_)) => None,
        Err(fault @ (AskFault::Lost(_) | AskFault::Odd(_) | AskFault::Unfit(_))) => return Err(fault),
    };
    let Some(entry) = entry else {
        let identity = ServerIdentity { url, ..ServerIdentity::default() };
        return Ok(Root { identity, ..Root::default() });
    };
    let contexts = entry.texts("namingContexts");
    let default_context = entry.text("defaultNamingContext").map(str::to_owned);
    let service = entry.text("dsServiceName").map(str::to_owned);
    let holding: Vec<String> = contexts.into_iter().filter(|context| holds_a_base(session, context)).collect();
    let first = holding.first().map_or("", String::as_str);
    let name = service.clone().unwrap_or_else(|| format!("{} {first}", vendor(&entry)).trim_end().to_owned());
    let usn = entry.text("highestCommittedUSN").and_then(|usn| usn.parse().ok());
    let mark = usn.map_or(Mark::Untold, |usn| Mark::Usn { invocation: None, usn });
    let identity = ServerIdentity { url, name, mark, ..ServerIdentity::default() };
    let contexts = holding.iter().filter_map(|context| Dn::parse(context).ok()).collect();
    Ok(Root { identity, default_context, service, contexts })
}

/// Whether a naming context holds a configured base: servers have others, of logs and configuration.
fn holds_a_base(session: &Session, context: &str) -> bool {
    Dn::parse(context).is_ok_and(|context| session.settings.bases.iter().any(|base| base.lies_within(&context)))
}

/// OpenLDAP names itself only by the object class of its root DSE (observed on slapd 2.5).
fn vendor(entry: &RawEntry) -> String {
    if let Some(vendor) = entry.text("vendorName") {
        return vendor.to_owned();
    }
    let openldap = entry.texts("objectClass").iter().any(|class| class.eq_ignore_ascii_case("OpenLDAProotDSE"));
    if openldap { "OpenLDAP" } else { "LDAP" }.to_owned()
}
