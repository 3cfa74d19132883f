//! A directory and a Zendesk as the store recalls them: ports that answer from images, and reach nothing.
//!
//! What was never seen can't be recalled: entries outside of the assigned groups, accounts that nobody manages, and what
//! others changed at Zendesk since.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::domain::account::{Catalog, Existence, KnownAccount, ObservedAccount, Standing, Suspended, Verified};
use crate::domain::assignment::{GroupRef, Membership, PinKey, Role, RoleGrant, grants};
use crate::domain::change::Step;
use crate::domain::dn::Dn;
use crate::domain::id::{AccountId, AppName, DirectoryName, Email, EntryId, ExternalId};
use crate::domain::image::{ImageHead, Portrait};
use crate::domain::lease::{LeaseMark, Marker};
use crate::domain::mapping::ExternalIdRule;
use crate::domain::rules::AppRules;
use crate::domain::scope::{CompleteRead, Presence, ReadEnd, Resolved, Sight, Sighting, Tally};
use crate::domain::server::{Mark, ServerIdentity};

use super::ports::{
    CallFault, Directory, GroupLook, GroupOrder, Helpdesk, Ledger, LedgerFault, Myself, ReadFault, ReadOrder, StepDone,
};

/// A directory as its last complete read showed it.
#[derive(Debug)]
pub(super) struct RecalledDirectory {
    name: DirectoryName,
    head: Option<ImageHead>,
    portraits: BTreeMap<EntryId, Portrait>,
}

impl RecalledDirectory {
    /// Recalls a directory.
    pub(super) fn recall<L: Ledger>(ledger: &L, name: &DirectoryName) -> Result<Self, LedgerFault> {
        let head = ledger.image(name)?;
        let portraits = if head.is_some() { ledger.portraits(name)? } else { BTreeMap::new() };
        Ok(Self { name: name.clone(), head, portraits })
    }

    /// What its last complete read was asked and came to.
    pub(super) const fn head(&self) -> Option<&ImageHead> {
        self.head.as_ref()
    }

    pub(super) const fn portraits(&self) -> &BTreeMap<EntryId, Portrait> {
        &self.portraits
    }
}

/// Whether two texts of a configuration name a group in the same way.
pub(super) fn names_same(group: &GroupRef, text: &str) -> bool {
    match (group, GroupRef::parse(text)) {
        (GroupRef::Dn(dn), Ok(GroupRef::Dn(other))) => dn.key() == other.key(),
        (GroupRef::Name(name), Ok(GroupRef::Name(other))) => name.eq_ignore_ascii_case(&other),
        (GroupRef::Id(id), Ok(GroupRef::Id(other))) => *id == other,
        (GroupRef::Dn(_) | GroupRef::Name(_) | GroupRef::Id(_), _) => false,
    }
}

/// What became of a group when it was last asked for; nothing if it never was.
pub(super) fn recalled_root(head: &ImageHead, order: &GroupOrder) -> Option<Resolved> {
    let is_root = |id: &EntryId| head.roots.values().any(|root| *root == Resolved::Found(*id));
    if let Some(pin) = order.pin.filter(is_root) {
        return Some(Resolved::Found(pin));
    }
    head.roots.iter().find(|(text, _)| names_same(&order.group, text)).map(|(_, resolved)| resolved.clone())
}

impl Directory for RecalledDirectory {
    fn name(&self) -> &DirectoryName {
        &self.name
    }

    async fn read(&mut self, order: ReadOrder, sights: mpsc::Sender<Sight>) -> Result<CompleteRead, ReadFault> {
        let Some(head) = &self.head else {
            let why = format!("directory {} was never read in full: nothing of it is known here", self.name);
            return Err(ReadFault::Unfit(why));
        };
        let resolved: Vec<Resolved> =
            order.groups.iter().map(|one| recalled_root(head, one).unwrap_or(Resolved::Missing)).collect();
        let led_by = |root: EntryId| {
            let fits = move |(at, one): (usize, &Resolved)| (*one == Resolved::Found(root)).then_some(at);
            resolved.iter().enumerate().filter_map(fits)
        };
        let former_roots: BTreeSet<EntryId> = head.roots.values().filter_map(found).collect();
        let (mut led, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
        for (id, portrait) in &self.portraits {
            let sight = match portrait {
                Portrait::Held { entry, state, paths } => {
                    let mut memberships = Vec::new();
                    for path in paths {
                        let steps = path.0.iter().map(|step| step.id);
                        let Some(root) = path.0.first().map(|step| step.id) else { continue };
                        let before = memberships.len();
                        memberships
                            .extend(led_by(root).map(|assignment| Membership { assignment, path: path.clone() }));
                        if memberships.len() > before { led.extend(steps) } else { elsewhere.extend(steps) }
                    }
                    if memberships.is_empty() {
                        continue;
                    }
                    Sight::Person(Sighting { entry: entry.clone(), state: state.clone(), memberships })
                }
                Portrait::Unreadable { why } => Sight::Unreadable { id: Some(*id), why: why.clone() },
                Portrait::LookedUp(_) => continue,
            };
            if sights.send(sight).await.is_err() {
                return Err(ReadFault::Incomplete("nobody listens any more".to_owned()));
            }
        }
        led.extend(resolved.iter().filter_map(found));
        // A group of which nothing shows by which way it was reached is still there.
        let there = |id: &EntryId| led.contains(id) || !(elsewhere.contains(id) || former_roots.contains(id));
        let groups = head.groups.iter().filter(|(id, _)| there(id)).map(|(id, seen)| (*id, seen.clone())).collect();
        let end = ReadEnd {
            directory: self.name.clone(),
            server: ServerIdentity { name: head.server.clone(), mark: Mark::Image, ..ServerIdentity::default() },
            tally: Tally { pages_asked: 1, pages_whole: 1, entries: self.portraits.len() as u64, ..Tally::default() },
            resolved,
            groups,
            dangling: Vec::new(),
        };
        CompleteRead::try_new(end).map_err(|why| ReadFault::Incomplete(why.to_string()))
    }

    async fn look_up(
        &mut self,
        entry: EntryId,
        _last_dn: &Dn,
        groups: &BTreeSet<EntryId>,
        _now: DateTime<Utc>,
    ) -> Result<Presence, ReadFault> {
        Ok(match self.portraits.get(&entry) {
            Some(Portrait::Held { entry, state, paths }) => {
                let holders = paths.iter().filter_map(|path| path.0.last());
                let held_by: BTreeSet<String> =
                    holders.filter(|step| groups.contains(&step.id)).map(|step| step.name.clone()).collect();
                Presence::Found { state: state.clone(), dn: entry.dn.clone(), held_by: held_by.into_iter().collect() }
            }
            Some(Portrait::Unreadable { why }) => Presence::NotFound { named_by: vec![why.clone()] },
            Some(Portrait::LookedUp(answers)) => {
                let same = answers.iter().find(|(tested, _)| tested == groups).or_else(|| answers.first());
                same.map_or(Presence::NotFound { named_by: Vec::new() }, |(_, presence)| presence.clone())
            }
            None => Presence::NotFound { named_by: Vec::new() },
        })
    }

    async fn look_for(&mut self, _groups: &[GroupOrder]) -> Result<Vec<GroupLook>, ReadFault> {
        Err(ReadFault::Unfit("where groups are now isn't known without a network".to_owned()))
    }
}

const fn found(resolved: &Resolved) -> Option<EntryId> {
    match resolved {
        Resolved::Found(id) => Some(*id),
        Resolved::Missing | Resolved::Ambiguous(_) => None,
    }
}

/// A Zendesk as it was left: the accounts that are managed, as they were last written.
#[derive(Debug)]
pub(super) struct RecalledDesk {
    app: AppName,
    catalog: Catalog,
    accounts: BTreeMap<AccountId, ObservedAccount>,
}

impl RecalledDesk {
    /// Recalls an app's Zendesk. `carried_out` are the rules by which its accounts were last written.
    pub(super) fn recall<L: Ledger>(
        ledger: &L,
        carried_out: &AppRules,
        directories: &[RecalledDirectory],
    ) -> Result<Self, LedgerFault> {
        let app = &carried_out.app;
        let catalog = ledger.catalog(app)?.unwrap_or_default();
        let pins = ledger.pins()?;
        let mut accounts = BTreeMap::new();
        for name in ledger.directories(app)? {
            let portraits = directories.iter().find(|one| one.name == name).map(RecalledDirectory::portraits);
            for trace in ledger.traces(app, &name)? {
                let person = crate::domain::id::PersonId { directory: name.clone(), entry: trace.entry };
                let Some(known) = ledger.known(app, &person)? else { continue };
                let portrait = portraits.and_then(|all| all.get(&person.entry));
                let (external_id, default_group) = written(carried_out, &pins, &known, portrait);
                let account = as_written(&known, &catalog, external_id, default_group.as_deref());
                accounts.insert(account.id, account);
            }
        }
        Ok(Self { app: app.clone(), catalog, accounts })
    }
}

/// What rules gave a person that the store doesn't note: the external id, and the default group.
fn written(
    rules: &AppRules,
    pins: &BTreeMap<PinKey, EntryId>,
    known: &KnownAccount,
    portrait: Option<&Portrait>,
) -> (Option<ExternalId>, Option<String>) {
    let Some(Portrait::Held { entry, paths, .. }) = portrait else {
        let own = *rules.mapping.external_id() == ExternalIdRule::Own;
        return (own.then(|| ExternalId::own(known.person.entry)), None);
    };
    let external_id = match rules.mapping.external_id() {
        ExternalIdRule::Own => Some(ExternalId::own(entry.id)),
        ExternalIdRule::Template(_) => {
            rules.mapping.apply(&entry.attributes, &known.chosen).ok().and_then(|mapped| mapped.external_id)
        }
        ExternalIdRule::Off => None,
    };
    let roots: BTreeSet<EntryId> = paths.iter().filter_map(|path| path.0.first()).map(|step| step.id).collect();
    let holds = |at: &usize| {
        let one = &rules.assignments[*at];
        one.directory == known.person.directory && pins.get(&one.pin_key()).is_some_and(|id| roots.contains(id))
    };
    let holding = (0..rules.assignments.len()).filter(holds).collect();
    (external_id, grants(&rules.assignments, &holding).default_group)
}

fn as_written(
    known: &KnownAccount,
    catalog: &Catalog,
    external_id: Option<ExternalId>,
    default_group: Option<&str>,
) -> ObservedAccount {
    let group = |name: &str| catalog.groups.get(name).and_then(|ids| ids.first()).copied();
    let (role, custom_role) = match &known.written.role {
        _ if !known.standing.in_use() => (Role::EndUser, None),
        RoleGrant::Plain(role) => (*role, None),
        RoleGrant::Custom(name) => (Role::Agent, catalog.custom_roles.get(name).and_then(|ids| ids.first()).copied()),
    };
    let suspended = match known.standing {
        Standing::Active | Standing::Downgraded => Suspended::No,
        Standing::Ending | Standing::SuspendedByUs | Standing::SuspendedByOthers => Suspended::Yes,
    };
    ObservedAccount {
        id: known.account,
        external_id,
        name: known.written.name.clone(),
        email: Some(known.written.email.clone()),
        emails: BTreeSet::from([known.written.email.clone()]),
        verified: Verified::Yes,
        role,
        custom_role,
        suspended,
        existence: Existence::Live,
        texts: known.written.texts.clone(),
        groups: known.given_groups.iter().filter_map(|name| group(name)).collect(),
        default_group: default_group.and_then(group),
        tags: known.given_tags.clone(),
    }
}

impl Helpdesk for RecalledDesk {
    fn app(&self) -> &AppName {
        &self.app
    }

    async fn who_am_i(&mut self) -> Result<Myself, CallFault> {
        Ok(Myself { account: AccountId(0), role: Role::Admin, label: "nobody was asked".to_owned() })
    }

    async fn catalog(&mut self) -> Result<Catalog, CallFault> {
        Ok(self.catalog.clone())
    }

    async fn observe(&mut self, ids: &[AccountId]) -> Result<Vec<ObservedAccount>, CallFault> {
        Ok(ids.iter().filter_map(|id| self.accounts.get(id).cloned()).collect())
    }

    async fn find_by_external_id(&mut self, ids: &[ExternalId]) -> Result<Vec<ObservedAccount>, CallFault> {
        let marked = |one: &&ObservedAccount| one.external_id.as_ref().is_some_and(|id| ids.contains(id));
        Ok(self.accounts.values().filter(marked).cloned().collect())
    }

    async fn find_by_email(&mut self, email: &Email) -> Result<Vec<ObservedAccount>, CallFault> {
        Ok(self.accounts.values().filter(|one| one.emails.contains(email)).cloned().collect())
    }

    async fn carry_out(&mut self, _account: Option<AccountId>, _step: &Step) -> Result<StepDone, CallFault> {
        Err(CallFault::Unreachable("nothing is carried out offline".to_owned()))
    }
    async fn read_lease(&mut self) -> Result<Marker, CallFault> {
        Ok(Marker::Off)
    }

    async fn write_lease(&mut self, _over: Option<AccountId>, _mark: &LeaseMark) -> Result<(), CallFault> {
        Err(CallFault::Unreachable("nothing is carried out offline".to_owned()))
    }
}
