//! A directory server in memory: it tells of a company, whole or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use zendesk_dirsync::domain::account_state::AccountState;
use zendesk_dirsync::domain::assignment::{GroupRef, Membership};
use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::entry::{Entry, GroupPath, GroupStep};
use zendesk_dirsync::domain::id::{DirectoryName, EntryId};
use zendesk_dirsync::domain::scope::{CompleteRead, GroupSeen, Presence, ReadEnd, Resolved, Sight, Sighting, Tally};
use zendesk_dirsync::domain::server::ServerIdentity;
use zendesk_dirsync::engine::ports::{Directory, GroupLook, GroupOrder, GroupThere, Named, ReadFault, ReadOrder};

use super::company::{Company, Group, Person};
use super::lock;

/// Why a server isn't read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Unreachable,
    BindRefused,
    Untrusted,
    Unfit,
}

/// What of a read doesn't arrive, although it ends without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Short {
    Page,
    Range,
    Group,
    /// A search reference: a part of the tree is elsewhere.
    Reference,
}

/// What is wrong with the server just now.
#[derive(Debug, Clone, Default)]
pub struct ReadTrouble {
    /// It isn't read at all.
    pub refusal: Option<Refusal>,
    /// Something of the read doesn't arrive.
    pub short: Option<Short>,
    /// People whom the filter for people leaves out; a look-up by id still finds them.
    pub filtered: BTreeSet<EntryId>,
    /// Entries that can't be decoded, not even their ids.
    pub nameless: BTreeSet<EntryId>,
    /// Attributes that the bind account may not read, by lower-case type.
    pub withdrawn: BTreeSet<String>,
    /// The read breaks off before this person, counted from 0.
    pub break_at: Option<usize>,
    /// A search base answers nothing.
    pub base_fails: bool,
    /// The look-up of this number, counted from 0, breaks off.
    pub look_up_breaks_at: Option<usize>,
    /// People whom the bind account may not see, although groups go on naming them.
    pub hidden: BTreeSet<EntryId>,
    /// Groups that the bind account may not see.
    pub hidden_groups: BTreeSet<EntryId>,
    /// Entries that can't be decoded.
    pub unreadable: BTreeSet<EntryId>,
    /// After so many look-ups, this person can't be seen any more, and no group names them.
    pub vanishes_after: Option<(usize, EntryId)>,
    /// Any read that comes to this group breaks off.
    pub breaks_on: Option<EntryId>,
    /// An older state that this server still tells.
    pub lagging: Option<Arc<Company>>,
}

#[derive(Debug, Default)]
struct Served {
    company: Arc<Company>,
    trouble: ReadTrouble,
    /// What the server tells just now, made when it is first asked for.
    shown: Option<Arc<Company>>,
    look_ups: usize,
    /// How often it was read, and whether the last read was whole.
    reads: (usize, bool),
}

/// A directory in memory.
#[derive(Debug, Clone)]
pub struct MemoryDirectory {
    name: DirectoryName,
    served: Arc<Mutex<Served>>,
}

impl MemoryDirectory {
    /// A directory of people and groups.
    pub fn new(name: &str, people: impl IntoIterator<Item = Person>, groups: impl IntoIterator<Item = Group>) -> Self {
        let people = people.into_iter().map(|person| (person.id, person)).collect();
        let groups = groups.into_iter().map(|group| (group.id, group)).collect();
        let company = Company { people, groups, ..Company::default() };
        let served = Served { company: Arc::new(company), ..Served::default() };
        Self { name: DirectoryName::new(name).unwrap(), served: Arc::new(Mutex::new(served)) }
    }

    /// Looks at the company as it truly is.
    pub fn company(&self) -> Company {
        lock(&self.served).company.as_ref().clone()
    }

    /// The company as it truly is now; it isn't copied before it changes.
    pub fn truth(&self) -> Arc<Company> {
        Arc::clone(&lock(&self.served).company)
    }

    /// Changes the company.
    pub fn change<T>(&self, change: impl FnOnce(&mut Company) -> T) -> T {
        let mut served = lock(&self.served);
        served.shown = None;
        change(Arc::make_mut(&mut served.company))
    }

    /// Looks at the company without copying it.
    pub fn with<T>(&self, look: impl FnOnce(&Company) -> T) -> T {
        look(&lock(&self.served).company)
    }

    /// Looks at what is wrong with the server.
    pub fn trouble(&self) -> ReadTrouble {
        lock(&self.served).trouble.clone()
    }

    /// Makes the server fail, or mends it.
    pub fn trouble_is(&self, trouble: ReadTrouble) {
        let mut served = lock(&self.served);
        served.trouble = trouble;
        served.shown = None;
        served.look_ups = 0;
    }

    /// How often it was read so far, and whether the last read was whole.
    pub fn reads(&self) -> (usize, bool) {
        lock(&self.served).reads
    }

    /// What the server tells just now.
    pub fn shown(&self) -> Arc<Company> {
        let mut served = lock(&self.served);
        if let Some(shown) = &served.shown {
            return Arc::clone(shown);
        }
        let trouble = &served.trouble;
        let told = trouble.lagging.as_ref().unwrap_or(&served.company);
        if trouble.hidden.is_empty() && trouble.hidden_groups.is_empty() {
            return Arc::clone(told);
        }
        let mut company = told.as_ref().clone();
        for id in &trouble.hidden {
            if let Some(person) = company.people.remove(id) {
                company.former.insert(*id, person.dn);
            }
        }
        for id in &trouble.hidden_groups {
            if let Some(group) = company.groups.remove(id) {
                company.former.insert(*id, group.dn);
            }
        }
        let shown = Arc::new(company);
        served.shown = Some(Arc::clone(&shown));
        shown
    }

    fn state(trouble: &ReadTrouble, person: &Person, now: DateTime<Utc>) -> AccountState {
        if trouble.withdrawn.contains(STATE) {
            return AccountState::Unknown { why: format!("{STATE} can't be read") };
        }
        person.usable.state(now)
    }

    /// What a refused read ends with.
    fn refused(refusal: Refusal) -> ReadFault {
        let url = || "ldap://memory".to_owned();
        match refusal {
            Refusal::Unreachable => ReadFault::Unreachable { url: url(), why: "connection refused".into() },
            Refusal::BindRefused => {
                ReadFault::BindRefused { url: url(), identity: "cn=svc".into(), why: "invalidCredentials".into() }
            }
            Refusal::Untrusted => ReadFault::Untrusted { url: url(), why: "expired".into() },
            Refusal::Unfit => ReadFault::Unfit("the base is not there".into()),
        }
    }
}

/// The attribute that says whether a person may sign in, for [`ReadTrouble::withdrawn`].
pub const STATE: &str = "useraccountcontrol";

fn resolve(company: &Company, order: &GroupOrder) -> Resolved {
    if let Some(pin) = order.pin {
        return if company.groups.contains_key(&pin) { Resolved::Found(pin) } else { Resolved::Missing };
    }
    let fits = |group: &&Group| match &order.group {
        GroupRef::Dn(dn) => group.dn.key() == dn.key(),
        GroupRef::Name(name) => group.name.eq_ignore_ascii_case(name),
        GroupRef::Id(id) => group.id == *id,
    };
    let found: Vec<&Group> = company.groups.values().filter(fits).collect();
    match found.as_slice() {
        [] => Resolved::Missing,
        [one] => Resolved::Found(one.id),
        several => Resolved::Ambiguous(several.iter().map(|group| group.dn.to_string()).collect()),
    }
}

/// Walks one assigned group: nearest ways first, each group once.
struct Walk<'a> {
    company: &'a Company,
    seen: BTreeMap<EntryId, GroupSeen>,
    paths: BTreeMap<EntryId, Vec<Membership>>,
    dangling: BTreeSet<String>,
}

impl Walk<'_> {
    fn from(&mut self, at: usize, top: EntryId) {
        let mut level = vec![(top, Vec::new())];
        let mut visited = BTreeSet::new();
        let mut reached = BTreeSet::new();
        while !level.is_empty() {
            let mut next = Vec::new();
            for (id, way) in level {
                let Some(group) = self.company.groups.get(&id).filter(|_| visited.insert(id)) else { continue };
                let mut way: Vec<GroupStep> = way;
                way.push(GroupStep { id, name: group.name.clone() });
                self.seen.insert(id, GroupSeen { name: group.name.clone(), members: group.members.len() });
                for member in &group.members {
                    if self.company.people.contains_key(member) {
                        if reached.insert(*member) {
                            let membership = Membership { assignment: at, path: GroupPath(way.clone()) };
                            self.paths.entry(*member).or_default().push(membership);
                        }
                    } else if self.company.groups.contains_key(member) {
                        next.push((*member, way.clone()));
                    } else if let Some(dn) = self.company.dn_of(*member) {
                        self.dangling.insert(dn.to_string());
                    }
                }
            }
            level = next;
        }
    }
}

impl Directory for MemoryDirectory {
    fn name(&self) -> &DirectoryName {
        &self.name
    }

    async fn read(&mut self, order: ReadOrder, sights: mpsc::Sender<Sight>) -> Result<CompleteRead, ReadFault> {
        let (company, trouble) = (self.shown(), self.trouble());
        {
            let reads = &mut lock(&self.served).reads;
            *reads = (reads.0 + 1, false);
        }
        if let Some(refusal) = trouble.refusal {
            return Err(Self::refused(refusal));
        }
        let mut walk =
            Walk { company: &company, seen: BTreeMap::new(), paths: BTreeMap::new(), dangling: BTreeSet::new() };
        let resolved: Vec<Resolved> = order.groups.iter().map(|one| resolve(&company, one)).collect();
        for (at, one) in resolved.iter().enumerate() {
            if let Resolved::Found(id) = one {
                walk.from(at, *id);
            }
        }
        if trouble.breaks_on.is_some_and(|id| walk.seen.contains_key(&id)) {
            return Err(ReadFault::Incomplete("a group can't be walked".into()));
        }
        let mut sent = 0;
        for (id, memberships) in &walk.paths {
            if trouble.break_at == Some(sent) {
                return Err(Self::refused(Refusal::Unreachable));
            }
            if trouble.filtered.contains(id) {
                continue;
            }
            sent += 1;
            let person = &company.people[id];
            let sight = if trouble.nameless.contains(id) {
                Sight::Unreadable { id: None, why: "the id can't be decoded".into() }
            } else if trouble.unreadable.contains(id) {
                Sight::Unreadable { id: Some(*id), why: "a value can't be decoded".into() }
            } else {
                let attributes = person
                    .attributes
                    .iter()
                    .filter(|(kind, _)| order.attributes.contains(*kind) && !trouble.withdrawn.contains(*kind))
                    .flat_map(|(kind, values)| values.iter().map(move |value| (kind.clone(), value.clone())))
                    .collect();
                let entry = Entry { id: *id, dn: person.dn.clone(), attributes };
                let state = Self::state(&trouble, person, order.now);
                Sight::Person(Sighting { entry, state, memberships: memberships.clone() })
            };
            if sights.send(sight).await.is_err() {
                return Err(ReadFault::Incomplete("nobody listens any more".into()));
            }
        }
        let bases_whole = u64::from(!trouble.base_fails);
        let groups = walk.seen.len() as u64;
        lock(&self.served).reads.1 = !trouble.base_fails && trouble.short.is_none();
        let tally = Tally {
            pages_asked: 2,
            pages_whole: 2 - u64::from(trouble.short == Some(Short::Page)),
            ranges_asked: 1,
            ranges_whole: 1 - u64::from(trouble.short == Some(Short::Range)),
            groups_asked: groups + 1,
            groups_whole: groups + u64::from(trouble.short != Some(Short::Group)),
            bases_asked: 1,
            bases_whole,
            references: u64::from(trouble.short == Some(Short::Reference)),
            entries: sent as u64,
        };
        let server = ServerIdentity { url: "ldap://memory".into(), name: "memory".into(), ..ServerIdentity::default() };
        let end = ReadEnd {
            directory: self.name.clone(),
            server,
            tally,
            resolved,
            groups: walk.seen,
            dangling: walk.dangling.into_iter().collect(),
        };
        CompleteRead::try_new(end).map_err(|why| ReadFault::Incomplete(why.to_string()))
    }

    async fn look_up(
        &mut self,
        entry: EntryId,
        last_dn: &Dn,
        groups: &BTreeSet<EntryId>,
        now: DateTime<Utc>,
    ) -> Result<Presence, ReadFault> {
        let (mut company, trouble) = (self.shown(), self.trouble());
        {
            let mut served = lock(&self.served);
            let at = served.look_ups;
            served.look_ups += 1;
            if let Some((_, id)) = trouble.vanishes_after.filter(|(after, _)| at >= *after) {
                Arc::make_mut(&mut company).people.remove(&id);
            }
            if trouble.look_up_breaks_at == Some(at) {
                return Err(ReadFault::Unreachable { url: "ldap://memory".into(), why: "the connection broke".into() });
            }
        }
        let naming = |dn: &Dn| {
            // Nobody spells a DN in two ways here; the keys of a thousand members would take all the time.
            let names = |id: &EntryId| company.dn_of(*id).is_some_and(|one| one == dn);
            let groups = groups.iter().filter_map(|id| company.groups.get(id));
            groups.filter(|group| group.members.iter().any(names)).map(|group| group.name.clone()).collect::<Vec<_>>()
        };
        Ok(match company.people.get(&entry) {
            Some(person) => Presence::Found {
                state: Self::state(&trouble, person, now),
                dn: person.dn.clone(),
                held_by: naming(&person.dn),
            },
            None if company.tombstones.contains(&entry) => Presence::Tombstone,
            None => Presence::NotFound { named_by: naming(last_dn) },
        })
    }

    async fn look_for(&mut self, groups: &[GroupOrder]) -> Result<Vec<GroupLook>, ReadFault> {
        let (company, trouble) = (self.shown(), self.trouble());
        if trouble.base_fails {
            return Err(ReadFault::Incomplete("a search base answers nothing".into()));
        }
        let there = |id: EntryId| {
            let group = &company.groups[&id];
            GroupThere { id, dn: group.dn.clone(), members: group.members.len() }
        };
        let look = |order: &GroupOrder| {
            let pinned = order.pin.filter(|pin| company.groups.contains_key(pin)).map(there);
            let named = match resolve(&company, &GroupOrder { group: order.group.clone(), pin: None }) {
                Resolved::Found(id) => Named::Found(there(id)),
                Resolved::Missing => Named::Missing,
                Resolved::Ambiguous(dns) => Named::Ambiguous(dns),
            };
            GroupLook { pinned, named }
        };
        Ok(groups.iter().map(look).collect())
    }
}
