//! Opening a session: the servers in their order, connect and bind within one timeout each.
//!
//! A server that can't be reached makes room for the next; one that refuses the bind doesn't, since a wrong password
//! tried at every server locks the account out.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::bind::bind;
use super::filter::check_filter;
use super::root::Root;
use super::search::Session;
use super::standing::take_standing;
use super::transport::connect;
use crate::domain::server::Acquaintance;
use crate::domain::settings::{DirectoryKind, DirectorySettings, ServerUrl};
use crate::engine::ports::{ReadFault, Secret};

/// AD's ports of the global catalog, which holds part of the attributes and of the memberships (MS-ADTS 3.1.1.1.11).
const GLOBAL_CATALOG: [u16; 2] = [3268, 3269];

/// Opens a session with the first server that can be reached and isn't behind what is known; answers its place in the
/// list, too.
pub(super) async fn open_any(
    settings: &Arc<DirectorySettings>,
    secret: &dyn Secret,
    known: Option<&Acquaintance>,
) -> Result<(Session, usize), ReadFault> {
    fit(settings)?;
    let mut before: Vec<ReadFault> = Vec::new();
    for (at, server) in settings.urls.iter().enumerate() {
        match open_known(settings, secret, server, known).await {
            Ok(session) => return Ok((session, at)),
            Err(fault @ (ReadFault::Unreachable { .. } | ReadFault::Untrusted { .. } | ReadFault::Behind { .. })) => {
                tracing::debug!(directory = %settings.name, url = server.text, %fault, "server skipped");
                before.push(fault);
            }
            Err(
                fault @ (ReadFault::BindRefused { .. }
                | ReadFault::Foreign { .. }
                | ReadFault::Incomplete(_)
                | ReadFault::Unfit(_)),
            ) => return Err(fault),
        }
    }
    Err(summed_up(before))
}

/// Opens a session with a server that isn't behind what is known, nor another tree's.
async fn open_known(
    settings: &Arc<DirectorySettings>,
    secret: &dyn Secret,
    server: &ServerUrl,
    known: Option<&Acquaintance>,
) -> Result<Session, ReadFault> {
    let session = open_at(settings, secret, server).await?;
    let Some(Err(estranged)) = known.map(|known| known.judge(&session.root.identity)) else { return Ok(session) };
    session.link.close().await;
    Err(ReadFault::estranged(&server.text, estranged))
}

/// One fault for several servers: a certificate that isn't trusted first, and a server that is behind next, since these
/// don't mend themselves.
fn summed_up(mut faults: Vec<ReadFault>) -> ReadFault {
    let untrusted = faults.iter().position(|fault| matches!(fault, ReadFault::Untrusted { .. }));
    let behind = || faults.iter().position(|fault| matches!(fault, ReadFault::Behind { .. }));
    let Some(last) = untrusted.or_else(behind).or_else(|| faults.len().checked_sub(1)) else {
        return ReadFault::Unfit("`urls` is empty: name at least one server".to_owned());
    };
    let mut told = faults.remove(last);
    let others: Vec<String> = faults.iter().map(ToString::to_string).collect();
    if let (
        ReadFault::Unreachable { why, .. } | ReadFault::Untrusted { why, .. } | ReadFault::Behind { why, .. },
        false,
    ) = (&mut told, others.is_empty())
    {
        why.push_str("; and ");
        why.push_str(&others.join("; "));
    }
    told
}

/// Opens a session with one server.
pub(super) async fn open_at(
    settings: &Arc<DirectorySettings>,
    secret: &dyn Secret,
    server: &ServerUrl,
) -> Result<Session, ReadFault> {
    if settings.kind == DirectoryKind::ActiveDirectory && GLOBAL_CATALOG.contains(&server.port) {
        return Err(ReadFault::Unfit(format!(
            "{} is the global catalog, which doesn't hold all memberships: use port 636 or 389",
            server.text
        )));
    }
    let deadline = Instant::now() + settings.timeout;
    let link = connect(server, settings, deadline).await?;
    let mut session = Session {
        link,
        settings: Arc::clone(settings),
        server: server.clone(),
        root: Root::default(),
        referred: BTreeSet::new(),
        broken: None,
    };
    let opened = async {
        bind(&mut session, secret).await?;
        take_standing(&mut session).await
    };
    let bound = timeout_at(deadline, opened).await;
    bound.map_err(|_| ReadFault::Unreachable {
        url: server.text.clone(),
        why: format!("connecting and binding took longer than {}", humantime::format_duration(settings.timeout)),
    })??;
    Ok(session)
}

/// What can be said of the settings before anybody is asked.
pub(super) fn fit(settings: &DirectorySettings) -> Result<(), ReadFault> {
    for (key, filter) in [("people_filter", &settings.people_filter), ("group_filter", &settings.group_filter)] {
        check_filter(filter).map_err(|why| ReadFault::Unfit(format!("`{key}`: {why}")))?;
    }
    if settings.bases.is_empty() {
        return Err(ReadFault::Unfit("`base` is empty: say where people and groups lie".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_faults_the_certificate_is_told_first_and_none_is_lost() {
        let unreachable = |url: &str| ReadFault::Unreachable { url: url.into(), why: "refused".into() };
        let untrusted = ReadFault::Untrusted { url: "ldaps://b".into(), why: "expired".into() };
        let told = summed_up(vec![unreachable("ldaps://a"), untrusted, unreachable("ldaps://c")]);
        assert!(matches!(&told, ReadFault::Untrusted { url, .. } if url == "ldaps://b"), "{told}");
        assert!(told.to_string().contains("ldaps://a: refused; ldaps://c: refused"), "{told}");
        assert!(
            matches!(summed_up(vec![unreachable("a"), unreachable("b")]), ReadFault::Unreachable { url, .. } if url == "b")
        );
        assert!(matches!(summed_up(Vec::new()), ReadFault::Unfit(_)));
    }
}
