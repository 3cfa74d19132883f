//! The last gate before the socket: who must never be written, whichever command asks.
//!
//! The way to the socket takes a [`Cleared`] request only, and [`Gate::admit`] alone makes one. A write passes when every
//! account that it is about was seen in this session and found unprotected, and when it gives nobody a protected mail.
//! What isn't known is refused, not let through: [`super::ZendeskClient`] looks before it asks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::account::ObservedAccount;
use crate::domain::id::{AccountId, Email, ExternalId};
use crate::engine::ports::CallFault;

use super::call::{Call, Purpose};

/// What a configured account that must not be written is called.
pub(super) const LISTED: &str = "a protected account";
/// What the marker of a lease is called.
pub(super) const MARKER: &str = "the marker of a lease";

/// How long what was learned counts as fresh: a daemon's client lives for months, and meanwhile an account gets another
/// mail, or the account another owner.
const SESSION_MAX: Duration = Duration::from_secs(60 * 60);

/// A request that may be sent. Only [`Gate::admit`] makes it.
#[derive(Debug)]
pub(super) struct Cleared<'c>(&'c Call);

impl<'c> Cleared<'c> {
    /// The request.
    pub(super) const fn call(&self) -> &'c Call {
        self.0
    }
}

/// On whose behalf a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// To read, or to write a person's account.
    People,
    /// To write the marker of our own lease, and no other account.
    Lease,
}

/// What was learned since own id and owner were asked for.
#[derive(Debug, Clone)]
struct Session {
    since: Instant,
    /// Accounts that were seen with all their mails, and are not protected.
    clear: BTreeSet<AccountId>,
}

/// Who must never be written.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate {
    /// Mails whose accounts are never written, and which nobody is given.
    listed: BTreeSet<Email>,
    /// Accounts that are never written, each with what it is.
    closed: BTreeMap<AccountId, &'static str>,
    /// The marker of our own lease: the only closed account that is written, and by its own errand only.
    marker: Option<AccountId>,
    session: Option<Session>,
}

impl Gate {
    /// A gate that knows of nobody yet: it lets reads pass only.
    pub(super) fn new(listed: BTreeSet<Email>) -> Self {
        Self { listed, ..Self::default() }
    }

    /// The mails of protected accounts.
    pub(super) const fn listed(&self) -> &BTreeSet<Email> {
        &self.listed
    }

    /// Begins anew: own id and owner, where Zendesk tells it, were asked for just now.
    pub(super) fn begin(&mut self, now: Instant, untouchable: &BTreeMap<AccountId, &'static str>) {
        self.closed.clone_from(untouchable);
        self.marker = None;
        self.session = Some(Session { since: now, clear: BTreeSet::new() });
    }

    /// Whether own id and owner were asked for lately.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.session.as_ref().is_some_and(|session| now.saturating_duration_since(session.since) < SESSION_MAX)
    }

    /// Closes the gate for an account; in this session it isn't opened again.
    pub(super) fn protect(&mut self, account: AccountId, what: &'static str) {
        self.closed.entry(account).or_insert(what);
        if let Some(session) = &mut self.session {
            session.clear.remove(&account);
        }
    }

    /// Judges an account by its id, by all its mails and by its external id.
    pub(super) fn saw(&mut self, account: &ObservedAccount) {
        let listed = account.emails.iter().chain(&account.email).any(|email| self.listed.contains(email));
        let marks = account.external_id.as_ref().is_some_and(ExternalId::is_lease);
        match (listed, marks) {
            (true, _) => self.protect(account.id, LISTED),
            (false, true) => self.protect(account.id, MARKER),
            (false, false) => self.clear(account.id),
        }
    }

    /// Takes an account for the marker of our own lease, if nothing but that closes the gate for it.
    pub(super) fn bears_mark(&mut self, account: AccountId) -> bool {
        let bears = self.closed.get(&account) == Some(&MARKER);
        self.marker = bears.then_some(account);
        bears
    }

    /// Knows an account that was just made with an unprotected mail.
    pub(super) fn made(&mut self, account: AccountId) {
        self.clear(account);
    }

    fn clear(&mut self, account: AccountId) {
        if let Some(session) = self.session.as_mut().filter(|_| !self.closed.contains_key(&account)) {
            session.clear.insert(account);
        }
    }

    /// Whether an account was judged in this session.
    pub(super) fn knows(&self, account: AccountId) -> bool {
        let clear = self.session.as_ref().is_some_and(|session| session.clear.contains(&account));
        clear || self.closed.contains_key(&account)
    }

    /// Lets a request pass.
    ///
    /// # Errors
    /// [`CallFault::Refused`] with the kind `protected` for a write that is about a protected account, or about one that
    /// wasn't looked at.
    pub(super) fn admit<'c>(&self, call: &'c Call, errand: Errand) -> Result<Cleared<'c>, CallFault> {
        if call.purpose() == Purpose::Read {
            return Ok(Cleared(call));
        }
        let Some(session) = &self.session else {
            return Err(refused("it isn't known yet which accounts are protected: nothing is written".to_owned()));
        };
        let users: Vec<AccountId> = call.users().into_iter().map(AccountId).collect();
        for id in &users {
            match self.closed.get(id) {
                Some(&MARKER) if errand == Errand::Lease && self.marker == Some(*id) => {}
                Some(what) => return Err(refused(format!("account {id} is {what}: never written"))),
                None if errand == Errand::People && session.clear.contains(id) => {}
                None => return Err(refused(format!("account {id} was not looked at: not written"))),
            }
        }
        if users.is_empty() && !call.makes_user() {
            return Err(refused(format!("{} names no account: not written", call.endpoint)));
        }
        if let Some(email) = call.mails().iter().find(|email| self.listed.contains(email)) {
            return Err(refused(format!("{email} is a protected mail: nobody is given it")));
        }
        let ids = call.external_ids();
        match errand {
            Errand::People if ids.iter().any(ExternalId::is_lease) => {
                Err(refused("the external_id of a lease is for no person".to_owned()))
            }
            Errand::Lease if call.makes_user() && !ids.iter().any(ExternalId::is_lease) => {
                Err(refused("a marker carries the external_id of a lease".to_owned()))
            }
            Errand::People | Errand::Lease => Ok(Cleared(call)),
        }
    }
}

fn refused(message: String) -> CallFault {
    CallFault::Refused { kind: "protected", message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    use crate::domain::account::{Existence, Suspended, Verified};
    use crate::domain::assignment::Role;

    const OWNER: AccountId = AccountId(7);
    const KIM: AccountId = AccountId(8);

    fn account(id: AccountId, emails: &[&str]) -> ObservedAccount {
        let emails: Vec<Email> = emails.iter().map(|email| Email::parse(email).unwrap()).collect();
        ObservedAccount {
            id,
            external_id: None,
            name: "Kim".into(),
            email: emails.first().cloned(),
            emails: emails.into_iter().collect(),
            verified: Verified::Yes,
            role: Role::EndUser,
            custom_role: None,
            suspended: Suspended::No,
            existence: Existence::Live,
            texts: BTreeMap::new(),
            groups: BTreeSet::new(),
            default_group: None,
            tags: BTreeSet::new(),
        }
    }

    fn gate() -> Gate {
        let mut gate = Gate::new(BTreeSet::from([Email::parse("glass@example.org").unwrap()]));
        gate.begin(Instant::now(), &BTreeMap::from([(OWNER, "the account owner")]));
        gate
    }

    /// Every shape in which a write can name an account.
    fn writes(id: u64) -> Vec<Call> {
        vec![
            Call::put("users/{id}", &[id], json!({"user": {"suspended": true}})),
            Call::delete("users/{id}", &[id]),
            Call::delete("users/{id}/sessions", &[id]),
            Call::delete("users/{id}/group_memberships/{id}", &[id, 1]),
            Call::put_empty("users/{id}/group_memberships/{id}/make_default", &[id, 1]),
            Call::post("users/{id}/identities", &[id], json!({"identity": {}})),
            Call::put_empty("users/{id}/identities/{id}/make_primary", &[id, 1]),
            Call::delete("users/{id}/tags", &[id]).with_body(json!({"tags": ["a"]})),
            Call::post("group_memberships", &[], json!({"group_membership": {"user_id": id, "group_id": 1}})),
            Call::put("users/update_many", &[], json!({"users": [{"id": 8}, {"id": id.to_string()}]})),
            Call::put("users/update_many", &[], json!({"user": {}})).with("ids", format!("8,{id}")),
            Call::delete("users/destroy_many", &[]).with("ids", id),
            Call::post("group_memberships/create_many", &[], json!({"user_ids": [8, id]})),
        ]
    }

    fn is_refused(admitted: Result<Cleared<'_>, CallFault>) -> bool {
        matches!(admitted, Err(CallFault::Refused { kind: "protected", .. }))
    }

    #[test]
    fn a_protected_account_is_not_written_by_any_route() {
        let mut gate = gate();
        gate.saw(&account(KIM, &["kim@example.org"]));
        gate.saw(&account(AccountId(9), &["nine@example.org", "glass@example.org"]));
        for id in [OWNER.0, 9] {
            for call in writes(id) {
                assert!(is_refused(gate.admit(&call, Errand::People)), "{call:?}");
                assert!(is_refused(gate.admit(&call, Errand::Lease)), "{call:?}");
            }
        }
        assert!(gate.admit(&Call::get("users/{id}", &[7]), Errand::People).is_ok());
        let named_like_one =
            Call::put("users/{id}", &[8], json!({"user": {"name": "7", "notes": "glass@example.org"}}));
        assert!(gate.admit(&named_like_one, Errand::People).is_ok());
    }

    #[test]
    fn an_account_that_was_not_looked_at_is_not_written_by_any_route() {
        for call in writes(11) {
            assert!(is_refused(gate().admit(&call, Errand::People)), "{call:?}");
        }
        let names_nobody = Call::post("groups", &[], json!({"group": {"name": "x"}}));
        assert!(is_refused(gate().admit(&names_nobody, Errand::People)));
    }

    #[test]
    fn nothing_is_written_before_anything_is_known() {
        let mut gate = Gate::default();
        gate.saw(&account(KIM, &["kim@example.org"]));
        let create = Call::post("users", &[], json!({"user": {"name": "x", "email": "x@example.org"}}));
        assert!(is_refused(gate.admit(&create, Errand::People)));
        assert!(writes(KIM.0).iter().all(|call| is_refused(gate.admit(call, Errand::People))));
    }

    #[test]
    fn a_protected_mail_is_given_to_nobody_however_it_is_spelled() {
        let mut gate = gate();
        gate.saw(&account(KIM, &["kim@example.org"]));
        for mail in ["glass@example.org", "Glass@Example.ORG"] {
            let calls = [
                Call::post("users", &[], json!({"user": {"name": "x", "email": mail}})),
                Call::put("users/{id}", &[8], json!({"user": {"email": mail}})),
                Call::post("users/{id}/identities", &[8], json!({"identity": {"type": "email", "value": mail}})),
                Call::post("users", &[], json!({"user": {"identities": [{"type": "email", "value": mail}]}})),
            ];
            for call in calls {
                assert!(is_refused(gate.admit(&call, Errand::People)), "{call:?}");
            }
        }
    }

    #[test]
    fn protection_is_never_taken_back_in_a_session() {
        let mut gate = gate();
        gate.protect(OWNER, LISTED);
        gate.saw(&account(OWNER, &["owner@example.org"]));
        gate.made(OWNER);
        let fault = gate.admit(&Call::delete("users/{id}", &[7]), Errand::People).unwrap_err();
        assert!(fault.to_string().contains("the account owner"));
        // Somebody who is given a protected mail is closed from then on.
        gate.saw(&account(KIM, &["kim@example.org"]));
        gate.saw(&account(KIM, &["kim@example.org", "glass@example.org"]));
        gate.saw(&account(KIM, &["kim@example.org"]));
        assert!(writes(KIM.0).iter().all(|call| is_refused(gate.admit(call, Errand::People))));
    }

    #[test]
    fn what_was_learned_is_forgotten_with_its_session() {
        let mut gate = gate();
        let begun = Instant::now();
        gate.saw(&account(KIM, &["kim@example.org"]));
        assert!(gate.knows(KIM) && gate.is_fresh(begun) && !gate.is_fresh(begun + SESSION_MAX));
        gate.begin(begun, &BTreeMap::from([(AccountId(9), "the account owner")]));
        assert!(!gate.knows(KIM) && !gate.knows(OWNER) && gate.knows(AccountId(9)));
    }
}
