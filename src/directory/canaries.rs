//! Canaries: configured entries and attributes that must be readable whenever the directory is read. A server hides what
//! may not be seen without a word, so that whoever reads must know of something that is there.

use super::filter::ANYTHING;
use super::search::{AtBase, Query, Session, Values};
use crate::domain::settings::Canary;
use crate::engine::ports::ReadFault;

/// Asks for each canary; the first that can't be seen ends the read.
///
/// # Errors
/// [`ReadFault::Incomplete`], with what can't be seen.
pub(super) async fn all_sing(session: &mut Session) -> Result<(), ReadFault> {
    for canary in session.settings.canaries.clone() {
        sings(session, &canary).await?;
    }
    Ok(())
}

/// Asks for one canary.
pub(super) async fn sings(session: &mut Session, canary: &Canary) -> Result<(), ReadFault> {
    let Canary { dn, attribute } = canary;
    let asked = [attribute.as_deref().unwrap_or("1.1")];
    let found = session.at_base(dn.as_str(), ANYTHING, &asked, Values::TypesOnly).await;
    let silent = |what: String| {
        let who = &session.settings.bind_dn;
        let why = format!("{who} can't see {what}: give the right back, or take it out of `canaries`");
        Err(ReadFault::Incomplete(why))
    };
    match (found.map_err(|fault| fault.of(format_args!("the canary {dn}")))?, attribute) {
        (AtBase::Entry(_), None) => Ok(()),
        (AtBase::Entry(entry), Some(attribute)) => {
            // A large attribute comes under a name with an option: `member;range=0-1499`.
            let is_it = |kind: &[u8]| {
                let base = kind.split(|byte| *byte == b';').next().unwrap_or_default();
                base.eq_ignore_ascii_case(attribute.as_bytes())
            };
            let shown = entry.attributes.iter().any(|(kind, _)| is_it(kind));
            if shown { Ok(()) } else { silent(format!("{attribute} of the canary {dn}")) }
        }
        (AtBase::Unmatched | AtBase::Absent, _) => silent(format!("the canary {dn}, or it isn't there any more")),
    }
}

/// What a canary is asked with.
pub(super) fn query<'a>(canary: &'a Canary, attributes: &'a [&'a str]) -> Query<'a> {
    Query { base: canary.dn.as_str(), scope: ldap3::Scope::Base, filter: ANYTHING, attributes }
}
