//! Steps: each carried out as the plan has it, in calls that a repetition finds already done.
//!
//! Nothing is decided here but how to ask; what Zendesk answers with success is checked where harm could hide in it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::assignment::Role;
use crate::domain::change::{NewAccount, OldEmail, Patch, SignIn, Step, Suspension, Welcome};
use crate::domain::id::{AccountId, Email, GroupId};
use crate::engine::ports::{CallFault, Effect, StepDone};

use super::call::Call;
use super::http::{Answer, Caller};
use super::users;
use super::wire::{GroupMembership, OneIdentity, OneUser, User, put_role, put_texts};

/// What a call had for an effect, and Zendesk's id of it.
type Did = Result<(Effect, Option<String>), CallFault>;

/// Carries a step out.
pub(super) async fn carry_out(
    caller: &mut Caller,
    account: Option<AccountId>,
    step: &Step,
) -> Result<StepDone, CallFault> {
    let id = match (step, account) {
        (Step::Create(new), None) => return create(caller, new).await,
        (Step::Create(_), Some(id)) => return Err(unfit(format!("account {id} exists already"))),
        (_, None) => return Err(unfit("the step names no account".to_owned())),
        (_, Some(id)) => id,
    };
    let did = match step {
        Step::Create(_) => Err(unfit(format!("account {id} exists already"))),
        Step::Write(patch) if patch.is_empty() => Ok((Effect::AlreadySo, None)),
        Step::Write(patch) => write(caller, id, patch).await,
        Step::Unmark => unmark(caller, id).await,
        Step::ChangeEmail { from, to, old } => change_email(caller, id, from.as_ref(), to, *old).await,
        Step::AddEmail(email) => add_further(caller, id, email).await,
        Step::EndSessions => done(caller.send(&Call::delete("users/{id}/sessions", &[id.0])).await),
        Step::Join(group) => join(caller, id, *group).await,
        Step::Leave(group) => leave(caller, id, *group).await,
        Step::MakeDefault(group) => make_default(caller, id, *group).await,
        Step::AddTags(tags) => done(caller.send(&Call::put("users/{id}/tags", &[id.0], listed(tags))).await),
        Step::RemoveTags(tags) => {
            done(caller.send(&Call::delete("users/{id}/tags", &[id.0]).with_body(listed(tags))).await)
        }
        Step::Downgrade(suspension) => downgrade(caller, id, *suspension).await,
    };
    did.map(|(effect, request_id)| StepDone { account: id, effect, request_id })
}

fn unfit(message: String) -> CallFault {
    CallFault::Refused { kind: "invalid", message }
}

fn done(answer: Result<Answer, CallFault>) -> Did {
    answer.map(|answer| (Effect::Done, answer.request_id))
}

fn listed(tags: &BTreeSet<String>) -> Value {
    json!({ "tags": tags })
}

/// What Zendesk is asked to make.
fn new_user(new: &NewAccount) -> Value {
    let mut user = Map::new();
    user.insert("name".to_owned(), Value::from(new.name.as_str()));
    user.insert("email".to_owned(), Value::from(new.email.as_str()));
    if let Some(id) = &new.external_id {
        user.insert("external_id".to_owned(), Value::from(id.as_str()));
    }
    put_role(&mut user, new.role, new.custom_role);
    put_texts(&mut user, &new.texts);
    user.retain(|_, value| !value.is_null());
    if !new.tags.is_empty() {
        user.insert("tags".to_owned(), json!(new.tags));
    }
    match new.welcome {
        Welcome::Mail => user.insert("skip_verify_email".to_owned(), Value::from(false)),
        Welcome::Silent => {
            // The directory vouches for the address; unverified, nobody could sign in with it.
            user.insert("verified".to_owned(), Value::from(true));
            user.insert("skip_verify_email".to_owned(), Value::from(true))
        }
    };
    json!({ "user": user })
}

/// Makes an account. Zendesk has no idempotency for users: this is sent once, and asked about when in doubt.
async fn create(caller: &mut Caller, new: &NewAccount) -> Result<StepDone, CallFault> {
    let (answer, request_id): (OneUser, _) = caller.fetch(&Call::post("users", &[], new_user(new))).await?;
    let made = answer.user.unwrap_or_default();
    let doubtful = |why: &str| CallFault::Unanswered(format!("a success that names {why}"));
    let account = made.account().map_err(|_| doubtful("no account"))?;
    // An answer about somebody else must never tie this person to that account.
    if made.email().is_some_and(|email| email != new.email) {
        return Err(doubtful("another mail address"));
    }
    if made.external_id().is_some() && made.external_id() != new.external_id {
        return Err(doubtful("another external id"));
    }
    // It carries the mail that we gave it: nothing else is to be known of it before it is written to.
    if made.email().is_some() {
        caller.gate.made(account);
    }
    Ok(StepDone { account, effect: Effect::Done, request_id })
}

/// Writes fields in one PUT, only what is set.
async fn write(caller: &mut Caller, id: AccountId, patch: &Patch) -> Did {
    let mut user = Map::new();
    if let Some(name) = &patch.name {
        user.insert("name".to_owned(), Value::from(name.as_str()));
    }
    if let Some(external_id) = &patch.external_id {
        user.insert("external_id".to_owned(), Value::from(external_id.as_str()));
    }
    put_texts(&mut user, &patch.texts);
    if let Some((role, custom)) = patch.role {
        put_role(&mut user, role, custom);
    }
    let suspended = patch.sign_in.map(|sign_in| match sign_in {
        SignIn::Suspend => true,
        SignIn::Lift => false,
    });
    if let Some(suspended) = suspended {
        user.insert("suspended".to_owned(), Value::from(suspended));
    }
    put(caller, id, user, patch.role.map(|(role, _)| role), suspended).await
}

/// Takes the external id off: null clears it, as it does every other attribute (API reference, Users).
async fn unmark(caller: &mut Caller, id: AccountId) -> Did {
    put(caller, id, Map::from_iter([("external_id".to_owned(), Value::Null)]), None, None).await
}

/// Sends a PUT of a user and sees that role and suspension are as they were sent: Zendesk answers with success when it
/// ignores an attribute.
async fn put(
    caller: &mut Caller,
    id: AccountId,
    user: Map<String, Value>,
    role: Option<Role>,
    suspended: Option<bool>,
) -> Did {
    let (answer, request_id): (OneUser, _) =
        caller.fetch(&Call::put("users/{id}", &[id.0], json!({ "user": user }))).await?;
    let written = answer.user.unwrap_or_default();
    if written.account() != Ok(id) {
        return Err(CallFault::Unanswered(format!("a success that doesn't name account {id}")));
    }
    if role.is_some_and(|role| written.role() != Ok(role)) {
        return Err(unfit("Zendesk answered with success and left the role as it was".to_owned()));
    }
    if suspended.is_some_and(|suspended| written.is_suspended() != suspended) {
        return Err(unfit("Zendesk answered with success and left the suspension as it was".to_owned()));
    }
    Ok((Effect::Done, request_id))
}

/// Makes another address the primary one: PUT of a user can't, it would only add one (recorded: PUT email).
async fn change_email(caller: &mut Caller, id: AccountId, from: Option<&Email>, to: &Email, old: OldEmail) -> Did {
    let identities = users::identities(caller, id).await?;
    let of = |email: &Email| identities.iter().find(|identity| identity.email().as_ref() == Some(email));
    let mut did = (Effect::AlreadySo, None);
    let primary = of(to).is_some_and(|identity| identity.is_primary());
    if !primary {
        let identity = match of(to).and_then(|identity| identity.id) {
            Some(identity) => identity,
            None => add_email(caller, id, to).await?,
        };
        let call = Call::put_empty("users/{id}/identities/{id}/make_primary", &[id.0, identity]);
        did = done(caller.send(&call).await)?;
    }
    let former = from.filter(|from| *from != to).and_then(of).and_then(|identity| identity.id);
    match (old, former) {
        (OldEmail::Removed, Some(former)) => {
            let call = Call::delete("users/{id}/identities/{id}", &[id.0, former]);
            match caller.send(&call).await {
                Ok(answer) => Ok((Effect::Done, answer.request_id)),
                Err(CallFault::NotFound(_)) => Ok(did),
                Err(fault) => Err(fault),
            }
        }
        (OldEmail::Removed, None) | (OldEmail::Kept, _) => Ok(did),
    }
}

/// Adds a further address, unless it is there.
async fn add_further(caller: &mut Caller, id: AccountId, email: &Email) -> Did {
    let identities = users::identities(caller, id).await?;
    if identities.iter().any(|identity| identity.email().as_ref() == Some(email)) {
        return Ok((Effect::AlreadySo, None));
    }
    add_email(caller, id, email).await.map(|_| (Effect::Done, None))
}

/// Adds a verified address, without a mail to the person (API reference, User Identities).
async fn add_email(caller: &mut Caller, id: AccountId, email: &Email) -> Result<u64, CallFault> {
    let identity = json!({"type": "email", "value": email.as_str(), "verified": true, "skip_verify_email": true});
    let call = Call::post("users/{id}/identities", &[id.0], json!({ "identity": identity }));
    let (answer, _): (OneIdentity, _) = caller.fetch(&call).await?;
    let made = answer.identity.unwrap_or_default();
    match (made.email().as_ref() == Some(email), made.id) {
        (true, Some(identity)) => Ok(identity),
        (false, _) | (true, None) => Err(CallFault::Unanswered("a success that names no identity".to_owned())),
    }
}

/// Joins a group.
async fn join(caller: &mut Caller, id: AccountId, group: GroupId) -> Did {
    let membership = json!({"user_id": id.0, "group_id": group.0});
    let call = Call::post("group_memberships", &[], json!({ "group_membership": membership }));
    match done(caller.send(&call).await) {
        // The wording of a duplicate isn't documented: whether it is one is looked up.
        Err(fault @ CallFault::Refused { kind, .. }) if kind != "protected" => {
            let there = membership_of(caller, id, group).await?.is_some();
            if there { Ok((Effect::AlreadySo, None)) } else { Err(fault) }
        }
        did => did,
    }
}

/// Leaves a group. The path names the user, so that the gate sees whom it is about.
async fn leave(caller: &mut Caller, id: AccountId, group: GroupId) -> Did {
    let Some(membership) = membership_of(caller, id, group).await?.and_then(|found| found.membership()) else {
        return Ok((Effect::AlreadySo, None));
    };
    let call = Call::delete("users/{id}/group_memberships/{id}", &[id.0, membership.0]);
    match done(caller.send(&call).await) {
        Err(CallFault::NotFound(_)) => Ok((Effect::AlreadySo, None)),
        did => did,
    }
}

/// Makes a group the default one.
async fn make_default(caller: &mut Caller, id: AccountId, group: GroupId) -> Did {
    let found = membership_of(caller, id, group).await?;
    if found.is_some_and(|membership| membership.default == Some(true)) {
        return Ok((Effect::AlreadySo, None));
    }
    let Some(membership) = found.and_then(|found| found.membership()) else {
        return Err(CallFault::NotFound(format!("account {id} is not a member of group {group}")));
    };
    let call = Call::put_empty("users/{id}/group_memberships/{id}/make_default", &[id.0, membership.0]);
    done(caller.send(&call).await)
}

async fn membership_of(
    caller: &mut Caller,
    id: AccountId,
    group: GroupId,
) -> Result<Option<GroupMembership>, CallFault> {
    let memberships = users::memberships(caller, id).await?;
    Ok(memberships.into_iter().find(|membership| membership.group() == Some(group)))
}

async fn set_role_end_user(caller: &mut Caller, id: AccountId) -> Did {
    let mut user = Map::new();
    put_role(&mut user, Role::EndUser, None);
    put(caller, id, user, Some(Role::EndUser), None).await
}

async fn set_suspended(caller: &mut Caller, id: AccountId, suspended: bool) -> Did {
    let user = Map::from_iter([("suspended".to_owned(), Value::from(suspended))]);
    put(caller, id, user, None, Some(suspended)).await
}

/// Makes an end user. Whether Zendesk takes that from a suspended user isn't documented; if it refuses, our own
/// suspension is lifted for the moment of the downgrade, and put back whatever comes of it. Nobody else's is touched.
async fn downgrade(caller: &mut Caller, id: AccountId, suspension: Suspension) -> Did {
    let refusal = match set_role_end_user(caller, id).await {
        Err(fault @ CallFault::Refused { kind: "invalid", .. }) => fault,
        did => return did,
    };
    let user = users::show(caller, id).await?;
    if suspension == Suspension::NotOurs || !user.as_ref().is_some_and(User::is_suspended) {
        return Err(refusal);
    }
    let did = match set_suspended(caller, id, false).await {
        Ok(_) => set_role_end_user(caller, id).await,
        Err(fault) => Err(fault),
    };
    // An account that stays open is worse than one that keeps its seat: this fault is the one to be told.
    set_suspended(caller, id, true).await?;
    did
}
