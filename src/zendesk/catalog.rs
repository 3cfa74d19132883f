//! The catalog: groups and custom roles by name, and who must not be touched: the owner, ourselves, the active admins.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::Catalog;
use crate::domain::id::{AccountId, CustomRoleId};
use crate::engine::ports::{CallFault, Myself};

use super::call::Call;
use super::http::Caller;
use super::paging;
use super::wire::{CustomRoles, Group, OneAccount, User};

/// What our own account is called.
pub(super) const OURSELVES: &str = "our own API user";
/// What the owner's account is called.
pub(super) const OWNER: &str = "the account owner";

/// Reads the catalog.
pub(super) async fn read(caller: &mut Caller, me: &Myself) -> Result<Catalog, CallFault> {
    let mut catalog = Catalog::default();
    let groups: Vec<Group> = paging::list(caller, &Call::get("groups", &[]), "groups").await?;
    for group in &groups {
        let Some((id, name)) = group.live() else { continue };
        catalog.groups.entry(name.to_owned()).or_default().insert(id);
        if group.default == Some(true) {
            catalog.default_group = Some(id);
        }
    }
    catalog.custom_roles = custom_roles(caller).await?;
    catalog.active_admins = active_admins(caller).await?;
    catalog.untouchable.insert(me.account, OURSELVES);
    match owner(caller).await? {
        Some(owner) => {
            catalog.untouchable.insert(owner, OWNER);
        }
        None => tracing::warn!("owner of the zendesk account not told; list its mail under `protected`"),
    }
    Ok(catalog)
}

/// Custom roles by name; none on plans without them, which answer 403 or 404 (API reference, Custom Agent Roles:
/// Enterprise and above).
async fn custom_roles(caller: &mut Caller) -> Result<BTreeMap<String, BTreeSet<CustomRoleId>>, CallFault> {
    let (answer, _): (CustomRoles, _) = match caller.fetch(&Call::get("custom_roles", &[])).await {
        Err(CallFault::NotFound(_) | CallFault::Unauthorized(_)) => return Ok(BTreeMap::new()),
        other => other?,
    };
    let mut roles: BTreeMap<String, BTreeSet<CustomRoleId>> = BTreeMap::new();
    for role in answer.custom_roles.unwrap_or_default() {
        if let Some((id, name)) = role.named() {
            roles.entry(name.to_owned()).or_default().insert(id);
        }
    }
    Ok(roles)
}

/// The admins that are neither suspended nor deleted.
async fn active_admins(caller: &mut Caller) -> Result<BTreeSet<AccountId>, CallFault> {
    let call = Call::get("users", &[]).with("role", "admin");
    let admins: Vec<User> = paging::list(caller, &call, "users").await?;
    let garbled = |lacking| CallFault::Garbled(format!("users: {lacking}"));
    let mut active = BTreeSet::new();
    for admin in admins.iter().filter(|admin| admin.is_live() && !admin.is_suspended()) {
        // A server that doesn't know the filter lists everybody.
        if admin.role().map_err(garbled)? == crate::domain::assignment::Role::Admin {
            active.insert(admin.account().map_err(garbled)?);
        }
    }
    Ok(active)
}

/// Who owns the account, if Zendesk tells.
///
/// No published endpoint names the owner: `account/settings` doesn't hold it, a user's record doesn't either. Zendesk's
/// own clients read `account`, which is in no reference. So this asks once and takes no for an answer: Zendesk itself
/// refuses to delete an owner (API reference, Delete User), and the configuration can list more.
pub(super) async fn owner(caller: &mut Caller) -> Result<Option<AccountId>, CallFault> {
    match caller.fetch::<OneAccount>(&Call::get("account", &[])).await {
        Ok((answer, _)) => Ok(answer.owner()),
        Err(
            CallFault::NotFound(_)
            | CallFault::Unauthorized(_)
            | CallFault::Refused { .. }
            | CallFault::Garbled(_)
            | CallFault::SeatsShort(_),
        ) => Ok(None),
        Err(fault @ (CallFault::Unreachable(_) | CallFault::Unanswered(_) | CallFault::Throttled { .. })) => Err(fault),
    }
}
