//! Reading users: by id, by external id, by mail; each whole, with its mail addresses and groups.
//!
//! Search is only a hint here: what it finds is read back by id, and what it doesn't find proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::ObservedAccount;
use crate::domain::assignment::Role;
use crate::domain::id::{AccountId, Email, ExternalId};
use crate::engine::ports::{CallFault, Myself};

use super::call::Call;
use super::http::Caller;
use super::paging;
use super::wire::{GroupMembership, Identity, Lacking, ManyUsers, OneUser, User};

/// Users a `show_many` (API reference, Users).
const MANY_MAX: usize = 100;
/// The most bytes of ids in one address: servers and proxies take 8 KiB of it, percent-encoding may treble some.
const IDS_BYTES_MAX: usize = 2400;
/// How many accounts that a search for one address finds are read back.
const HITS_MAX: usize = 25;

/// Users with what is known of their identities already.
type Rows = BTreeMap<AccountId, (User, BTreeSet<Email>)>;

fn lacking(endpoint: &str) -> impl Fn(Lacking) -> CallFault {
    move |lacking| CallFault::Garbled(format!("{endpoint}: {lacking}"))
}

/// Asks who we are.
pub(super) async fn who_am_i(caller: &mut Caller) -> Result<Myself, CallFault> {
    let (answer, _): (OneUser, _) = caller.fetch(&Call::get("users/me", &[])).await?;
    let user = answer.user.unwrap_or_default();
    let anonymous = || CallFault::Unauthorized("Zendesk answers as to an anonymous user".to_owned());
    // Without a login it answers 200 with "Anonymous user", no id and the role end-user.
    let account = user.account().map_err(|_| anonymous())?;
    let role = user.role().map_err(lacking("users/me"))?;
    if role == Role::EndUser || !user.is_live() {
        return Err(CallFault::Unauthorized(format!("account {account} is not an agent or admin")));
    }
    let label = super::error::clean(user.label().unwrap_or_default(), 100);
    Ok(Myself { account, role, label })
}

/// Reads accounts by id; deleted ones too, and those that aren't answered for are left out.
pub(super) async fn observe(caller: &mut Caller, ids: &[AccountId]) -> Result<Vec<ObservedAccount>, CallFault> {
    let wanted: Vec<AccountId> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let mut observed = Vec::new();
    for chunk in wanted.chunks(MANY_MAX) {
        let listed: Vec<String> = chunk.iter().map(ToString::to_string).collect();
        let mut rows = show_many(caller, "ids", &listed).await?;
        rows.retain(|id, _| chunk.contains(id));
        for &id in chunk {
            if !rows.contains_key(&id)
                && let Some(user) = show(caller, id).await?
            {
                rows.insert(id, (user, BTreeSet::new()));
            }
        }
        observed.extend(complete(caller, rows).await?);
    }
    Ok(observed)
}

/// Reads the accounts that carry external ids, whatever their case.
pub(super) async fn by_external_id(caller: &mut Caller, ids: &[ExternalId]) -> Result<Vec<ObservedAccount>, CallFault> {
    let wanted: BTreeSet<ExternalId> = ids.iter().cloned().collect();
    // A comma would make two ids of one.
    let (single, listable): (Vec<&ExternalId>, Vec<&ExternalId>) =
        wanted.iter().partition(|id| id.as_str().contains(','));
    let mut rows = Rows::new();
    for chunk in chunks(&listable) {
        rows.extend(show_many(caller, "external_ids", &chunk).await?);
    }
    for id in single {
        let call = Call::get("users/search", &[]).with("external_id", id.as_str());
        let (answer, _): (ManyUsers, _) = caller.fetch(&call).await?;
        rows.extend(rows_of(answer, "users/search")?);
    }
    rows.retain(|_, (user, _)| user.external_id().is_some_and(|id| wanted.contains(&id)));
    complete(caller, rows).await
}

/// Reads the accounts that hold a mail address.
pub(super) async fn by_email(caller: &mut Caller, email: &Email) -> Result<Vec<ObservedAccount>, CallFault> {
    // Quotes and backslashes would end the term; without them the search is wider, and its hits are read back.
    let term: String = email.as_str().chars().filter(|c| !matches!(c, '"' | '\\')).collect();
    let call = Call::get("users/search", &[]).with("query", format!("email:\"{term}\"")).with("per_page", MANY_MAX);
    let (answer, _): (ManyUsers, _) = caller.fetch(&call).await?;
    let found = rows_of(answer, "users/search")?;
    if found.len() > HITS_MAX {
        tracing::warn!(found = found.len(), read = HITS_MAX, "search for one address found many");
    }
    // Those that show the address themselves come first.
    let mut hits: Vec<(bool, AccountId)> =
        found.into_iter().map(|(id, (user, _))| (user.email().as_ref() != Some(email), id)).collect();
    hits.sort_unstable();
    let mut rows = Rows::new();
    for (_, id) in hits.into_iter().take(HITS_MAX) {
        if let Some(user) = show(caller, id).await? {
            rows.insert(id, (user, BTreeSet::new()));
        }
    }
    let mut observed = complete(caller, rows).await?;
    observed.retain(|account| account.emails.contains(email));
    Ok(observed)
}

/// Reads one user; none when Zendesk doesn't answer for it.
pub(super) async fn show(caller: &mut Caller, id: AccountId) -> Result<Option<User>, CallFault> {
    let (answer, _): (OneUser, _) = match caller.fetch(&Call::get("users/{id}", &[id.0])).await {
        Err(CallFault::NotFound(_)) => return Ok(None),
        other => other?,
    };
    let user = answer.user.unwrap_or_default();
    if user.account().map_err(lacking("users/{id}"))? != id {
        return Err(CallFault::Garbled(format!("users/{{id}}: another user than {id}")));
    }
    Ok(Some(user))
}

/// Reads the identities of a user.
pub(super) async fn identities(caller: &mut Caller, id: AccountId) -> Result<Vec<Identity>, CallFault> {
    let listed: Vec<Identity> =
        paging::list(caller, &Call::get("users/{id}/identities", &[id.0]), "identities").await?;
    Ok(listed.into_iter().filter(|identity| identity.user_id.is_none_or(|user| user == id.0)).collect())
}

/// Reads the memberships of a user.
pub(super) async fn memberships(caller: &mut Caller, id: AccountId) -> Result<Vec<GroupMembership>, CallFault> {
    let call = Call::get("users/{id}/group_memberships", &[id.0]);
    let listed: Vec<GroupMembership> = paging::list(caller, &call, "group_memberships").await?;
    Ok(listed.into_iter().filter(|membership| membership.is_of(id)).collect())
}

/// Reads up to [`MANY_MAX`] users; the answer's order is free, and it may leave some out.
async fn show_many(caller: &mut Caller, parameter: &'static str, listed: &[String]) -> Result<Rows, CallFault> {
    // Identities come along where the account offers it (Side-Loading); where not, they are read one by one.
    let call = Call::get("users/show_many", &[]).with(parameter, listed.join(",")).with("include", "identities");
    let (answer, _): (ManyUsers, _) = caller.fetch(&call).await?;
    rows_of(answer, "users/show_many")
}

fn rows_of(answer: ManyUsers, endpoint: &str) -> Result<Rows, CallFault> {
    let Some(users) = answer.users else { return Err(CallFault::Garbled(format!("{endpoint}: no users"))) };
    let mut emails: BTreeMap<AccountId, BTreeSet<Email>> = BTreeMap::new();
    for identity in answer.identities.unwrap_or_default() {
        if let (Some(user), Some(email)) = (identity.user_id, identity.email()) {
            emails.entry(AccountId(user)).or_default().insert(email);
        }
    }
    let row = |user: User| {
        let id = user.account().map_err(lacking(endpoint))?;
        Ok((id, (user, emails.get(&id).cloned().unwrap_or_default())))
    };
    users.into_iter().map(row).collect()
}

/// Adds what a user's own record doesn't tell: further mail addresses, and an agent's groups.
async fn complete(caller: &mut Caller, rows: Rows) -> Result<Vec<ObservedAccount>, CallFault> {
    let mut observed = Vec::with_capacity(rows.len());
    for (id, (user, mut emails)) in rows {
        // Side-loaded identities without the primary address aren't all of them.
        let whole = user.email().is_some_and(|primary| emails.contains(&primary));
        if user.is_live() && !whole {
            emails.extend(or_gone(identities(caller, id).await)?.iter().filter_map(Identity::email));
        }
        let staff = user.role().map_err(lacking("users"))? != Role::EndUser;
        let memberships = if user.is_live() && staff { or_gone(memberships(caller, id).await)? } else { Vec::new() };
        observed.push(user.observed(emails, &memberships).map_err(lacking("users"))?);
    }
    Ok(observed)
}

/// Nothing, for a user that was deleted between two reads.
fn or_gone<T>(listed: Result<Vec<T>, CallFault>) -> Result<Vec<T>, CallFault> {
    match listed {
        Err(CallFault::NotFound(_)) => Ok(Vec::new()),
        other => other,
    }
}

/// Lists of ids, each short enough for one address.
fn chunks(ids: &[&ExternalId]) -> Vec<Vec<String>> {
    let mut chunks: Vec<Vec<String>> = Vec::new();
    let mut bytes = IDS_BYTES_MAX;
    for id in ids.iter().map(|id| id.as_str()) {
        let full = chunks.last().is_none_or(|chunk| chunk.len() >= MANY_MAX);
        if full || bytes + id.len() + 1 > IDS_BYTES_MAX {
            chunks.push(Vec::new());
            bytes = 0;
        }
        bytes += id.len() + 1;
        chunks.iter_mut().next_back().into_iter().for_each(|chunk| chunk.push(id.to_owned()));
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_listed_within_both_limits_and_none_is_lost() {
        for (count, length) in [(0, 1), (1, 255), (100, 8), (101, 8), (250, 40), (30, 255)] {
            let ids: Vec<ExternalId> =
                (0..count).map(|n| ExternalId::parse(&format!("{n:0>length$}")).unwrap()).collect();
            let listed: Vec<&ExternalId> = ids.iter().collect();
            let chunks = chunks(&listed);
            assert_eq!(chunks.iter().map(Vec::len).sum::<usize>(), count);
            for chunk in chunks {
                assert!(!chunk.is_empty() && chunk.len() <= MANY_MAX);
                assert!(chunk.join(",").len() <= IDS_BYTES_MAX);
            }
        }
    }
}
