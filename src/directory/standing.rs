//! How far a server's data have come, and of which tree they are: read once a session, to be compared with what earlier
//! reads met. What it means is judged elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::code::Code;
use super::decode::RawEntry;
use super::filter::ANYTHING;
use super::search::{AskFault, AtBase, Session, Values};
use crate::domain::dn::{Dn, normalise};
use crate::domain::id::EntryId;
use crate::domain::server::{Mark, ServerIdentity};
use crate::domain::settings::DirectoryKind;
use crate::engine::ports::ReadFault;

/// The name of a controller's database: another after it was restored (MS-ADTS 6.1.1.2.2.1.2.1.1).
const INVOCATION: &str = "invocationId";

/// What is read of the top of each tree. OpenLDAP keeps the last change of each provider there (slapo-syncprov(5)).
const TOP: [&str; 3] = ["objectGUID", "entryUUID", "contextCSN"];

/// Adds to the session's server what it is and how far its data have come.
///
/// # Errors
/// When the server can't tell just now; a right that is lacking is no fault.
pub(super) async fn take_standing(session: &mut Session) -> Result<(), ReadFault> {
    let url = session.server.text.clone();
    let told = told(session).await.map_err(|why| ReadFault::Unreachable { url, why: why.to_string() })?;
    (session.root.identity.trees, session.root.identity.mark) = told;
    Ok(())
}

type Told = (BTreeMap<String, Option<String>>, Mark);

async fn told(session: &mut Session) -> Result<Told, AskFault> {
    let mut trees = BTreeMap::new();
    let mut csns = BTreeMap::new();
    for context in session.root.contexts.clone() {
        let top = shown(session, context.as_str(), &TOP).await?;
        let name = normalise(context.as_str()).unwrap_or_else(|_| context.as_str().to_owned());
        for csn in top.iter().flat_map(|top| top.texts("contextCSN")) {
            let Some(provider) = provider(&csn) else { continue };
            csns.insert((name.clone(), provider.to_owned()), csn);
        }
        trees.insert(name, top.as_ref().and_then(tree_id));
    }
    let mark = match session.root.identity.mark.clone() {
        Mark::Usn { usn, .. } => Mark::Usn { invocation: invocation(session).await?, usn },
        Mark::Untold if !csns.is_empty() => Mark::Csn(csns),
        mark @ (Mark::Untold | Mark::Image | Mark::Csn(_)) => mark,
    };
    Ok((trees, mark))
}

/// What stands for a tree whatever it is called: the id of the entry at its top.
fn tree_id(top: &RawEntry) -> Option<String> {
    let guid = top.values("objectGUID").and_then(<[Vec<u8>]>::first).map(|guid| guid_text(guid));
    guid.or_else(|| top.text("entryUUID").map(str::to_ascii_lowercase))
}

/// The server ID in a change number: `20261124080000.000000Z#000000#001#000000`.
fn provider(csn: &str) -> Option<&str> {
    csn.split('#').nth(2).filter(|provider| !provider.is_empty())
}

async fn invocation(session: &mut Session) -> Result<Option<String>, AskFault> {
    let settings = Arc::clone(&session.settings);
    let service = session.root.service.clone().filter(|_| settings.kind == DirectoryKind::ActiveDirectory);
    let Some(service) = service else { return Ok(None) };
    let entry = shown(session, &service, &[INVOCATION]).await?;
    let value = entry.as_ref().and_then(|entry| entry.values(INVOCATION)?.first());
    Ok(value.map(|value| guid_text(value)))
}

/// What may be seen of one entry.
async fn shown(session: &mut Session, dn: &str, attributes: &[&str]) -> Result<Option<RawEntry>, AskFault> {
    if Dn::parse(dn).is_err() {
        return Ok(None);
    }
    match session.at_base(dn, ANYTHING, attributes, Values::Wanted).await {
        Ok(AtBase::Entry(entry)) => Ok(Some(entry)),
        Ok(AtBase::Unmatched | AtBase::Absent) => Ok(None),
        Err(fault) if fault.is(Code::INSUFFICIENT_ACCESS) || fault.is(Code::REFERRAL) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A GUID as AD prints it; whatever else it may be, in hexadecimal digits.
fn guid_text(bytes: &[u8]) -> String {
    let digits = || bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    EntryId::from_object_guid(bytes).map_or_else(|_| digits(), |id| id.dashed())
}

/// What a server says of itself, for an operator.
pub(super) fn described(identity: &ServerIdentity) -> String {
    match &identity.mark {
        Mark::Untold | Mark::Image => {
            "it doesn't say how far its data have come: a replica that lags can't be told from one that doesn't"
                .to_owned()
        }
        Mark::Usn { invocation: Some(invocation), usn } => format!("database {invocation}, change {usn}"),
        Mark::Usn { invocation: None, usn } => {
            format!("change {usn}; its {INVOCATION} can't be read, so a restored controller can't be told from before")
        }
        Mark::Csn(csns) => {
            let newest = csns.values().map(String::as_str).max().unwrap_or_default();
            let providers = if csns.len() == 1 { "1 provider".to_owned() } else { format!("{} providers", csns.len()) };
            format!("contextCSN of {providers}, the newest {newest}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_of_a_change_is_its_third_part() {
        assert_eq!(provider("20261124080000.000000Z#000000#00a#000000"), Some("00a"));
        for odd in ["", "20261124080000Z", "a#b", "a#b##c"] {
            assert_eq!(provider(odd), None, "{odd}");
        }
    }
}
