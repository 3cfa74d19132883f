//! The entries: a tree by name, an index by value, a log of changes.
//!
//! It knows no wire and no rights. Searching is in `matching` and `view`, writing in `write`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::Kind;
use super::clock;
use super::dn::{Dn, Rdn, Spelling};
use super::schema::{self, Syntax};

/// An entry's place in the order of creation; stable, and never used twice.
pub(super) type Id = u64;

/// When something was written: AD counts, OpenLDAP stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) usn: u64,
    pub(super) micros: u64,
}

impl Stamp {
    pub(super) fn csn(self) -> String {
        format!("{}.{:06}Z#000000#000#000000", clock::digits(self.micros), self.micros % 1_000_000)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Attribute {
    /// As first written.
    pub(super) name: String,
    /// For look-ups: lower case, with options.
    pub(super) lower: String,
    pub(super) values: Vec<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: Id,
    pub(super) uuid: Uuid,
    pub(super) parent: Option<Id>,
    pub(super) rdn: Rdn,
    pub(super) rdn_key: String,
    /// For the top of a naming context: what follows its RDN.
    pub(super) above: Dn,
    pub(super) children: HashMap<String, Id>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) created: Stamp,
    pub(super) changed: Stamp,
    /// An AD tombstone, or the container of tombstones.
    pub(super) deleted: bool,
}

impl Entry {
    /// The stored values of an attribute; `lower` has no options.
    pub(super) fn stored(&self, lower: &str) -> &[Vec<u8>] {
        self.attributes.iter().find(|attribute| attribute.lower == lower).map_or(&[], |found| &found.values)
    }

    pub(super) fn first_text(&self, lower: &str) -> Option<&str> {
        self.stored(lower).first().and_then(|value| std::str::from_utf8(value).ok())
    }

    pub(super) fn has_class(&self, class: &str) -> bool {
        self.stored("objectclass").iter().any(|value| value.eq_ignore_ascii_case(class.as_bytes()))
    }
}

/// What a write was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A new entry.
    Add,
    /// New values.
    Modify,
    /// A new name or place.
    Rename,
    /// Gone, or made a tombstone.
    Delete,
}

/// One write, for change tracking (DirSync, syncrepl) to build on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The update sequence number.
    pub usn: u64,
    /// The change sequence number.
    pub csn: String,
    /// objectGUID or entryUUID in its printed form.
    pub id: String,
    /// What was done.
    pub kind: ChangeKind,
    /// The attributes that were written, in lower case; none for an entry of the first LDIF.
    pub attributes: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Store {
    pub(super) kind: Kind,
    pub(super) refint: bool,
    pub(super) member_of: bool,
    pub(super) entries: BTreeMap<Id, Entry>,
    /// The tops of the naming contexts by their normal form.
    pub(super) tops: Vec<(Dn, Id)>,
    /// The first naming context; `cn=admin` and `cn=svc` are below it.
    pub(super) base: Dn,
    pub(super) changes: Vec<Change>,
    pub(super) domain_sid: Vec<u8>,
    pub(super) next_rid: u32,
    by_uuid: HashMap<Uuid, Id>,
    used: HashSet<Uuid>,
    index: HashMap<String, HashMap<Vec<u8>, BTreeSet<Id>>>,
    known: HashSet<String>,
    last_id: Id,
    last: Stamp,
}

impl Store {
    pub(super) fn new(kind: Kind, refint: bool, member_of: bool) -> Self {
        Self {
            kind,
            refint,
            member_of,
            entries: BTreeMap::new(),
            tops: Vec::new(),
            base: Dn::default(),
            changes: Vec::new(),
            domain_sid: Vec::new(),
            next_rid: 1103,
            by_uuid: HashMap::new(),
            used: HashSet::new(),
            index: HashMap::new(),
            known: HashSet::new(),
            last_id: 0,
            last: Stamp { usn: 4096, micros: clock::LOADED_MICROS },
        }
    }

    pub(super) fn spelling(&self) -> Spelling {
        match self.kind {
            Kind::ActiveDirectory => Spelling::Backslash,
            Kind::Openldap => Spelling::Hex,
        }
    }

    pub(super) fn is_ad(&self) -> bool {
        self.kind == Kind::ActiveDirectory
    }

    pub(super) fn syntax(&self, lower: &str) -> Syntax {
        schema::syntax(lower, self.kind)
    }

    pub(super) fn last(&self) -> Stamp {
        self.last
    }

    /// A new stamp for a write while loading (fixed time) or later (the clock's, always rising).
    pub(super) fn stamp(&mut self, loading: bool) -> Stamp {
        let micros = if loading { self.last.micros + 1 } else { clock::now_micros().max(self.last.micros + 1) };
        self.last = Stamp { usn: self.last.usn + 1, micros };
        self.last
    }

    pub(super) fn note(&mut self, entry: Id, kind: ChangeKind, attributes: Vec<String>) {
        let Some(found) = self.entries.get(&entry) else { return };
        let change = Change { usn: self.last.usn, csn: self.last.csn(), id: found.uuid.to_string(), kind, attributes };
        self.changes.push(change);
    }

    /// The full name of an entry.
    pub(super) fn dn(&self, id: Id) -> Dn {
        let mut rdns = Vec::new();
        let mut at = Some(id);
        while let Some(entry) = at.and_then(|id| self.entries.get(&id)) {
            rdns.push(entry.rdn.clone());
            rdns.extend(entry.above.0.iter().cloned());
            at = entry.parent;
        }
        Dn(rdns)
    }

    pub(super) fn dn_text(&self, id: Id) -> String {
        self.dn(id).text(self.spelling())
    }

    pub(super) fn dn_key(&self, id: Id) -> String {
        let mut key = String::new();
        let mut at = Some(id);
        while let Some(entry) = at.and_then(|id| self.entries.get(&id)) {
            if !key.is_empty() {
                key.push(',');
            }
            key.push_str(&entry.rdn_key);
            if !entry.above.is_root() {
                key.push(',');
                key.push_str(&entry.above.key());
            }
            at = entry.parent;
        }
        key
    }

    /// Finds an entry by name, or else the closest entry above it.
    pub(super) fn find(&self, dn: &Dn) -> Result<Id, Option<Id>> {
        let keys: Vec<String> = dn.0.iter().map(Rdn::key).collect();
        let top = self
            .tops
            .iter()
            .filter(|(top, _)| {
                top.0.len() <= keys.len()
                    && top.0.iter().rev().zip(keys.iter().rev()).all(|(rdn, key)| rdn.key() == *key)
            })
            .max_by_key(|(top, _)| top.0.len());
        let Some((top, id)) = top else { return Err(None) };
        let mut at = *id;
        for key in keys[..keys.len() - top.0.len()].iter().rev() {
            match self.entries.get(&at).and_then(|entry| entry.children.get(key)) {
                Some(&child) => at = child,
                None => return Err(Some(at)),
            }
        }
        Ok(at)
    }

    pub(super) fn find_text(&self, text: &str) -> Option<Id> {
        self.find(&Dn::parse(text)?).ok()
    }

    pub(super) fn by_uuid(&self, uuid: Uuid) -> Option<Id> {
        self.by_uuid.get(&uuid).copied()
    }

    /// The entries whose indexed attribute has this normal form.
    pub(super) fn indexed(&self, lower: &str, normal: &[u8]) -> Option<&BTreeSet<Id>> {
        self.index.get(lower)?.get(normal)
    }

    pub(super) fn index_add(&mut self, lower: &str, value: &[u8], id: Id) {
        if !self.known.contains(lower) {
            self.known.insert(lower.to_owned());
        }
        if schema::indexed(lower) {
            let normal = schema::normal(self.syntax(lower), value);
            self.index.entry(lower.to_owned()).or_default().entry(normal).or_default().insert(id);
        }
    }

    pub(super) fn index_remove(&mut self, lower: &str, value: &[u8], id: Id) {
        if !schema::indexed(lower) {
            return;
        }
        let normal = schema::normal(self.syntax(lower), value);
        let Some(values) = self.index.get_mut(lower) else { return };
        if let Some(ids) = values.get_mut(&normal) {
            ids.remove(&id);
            if ids.is_empty() {
                values.remove(&normal);
            }
        }
    }

    /// Whether any entry ever had this attribute; filters on others are Undefined.
    pub(super) fn knows(&self, lower: &str) -> bool {
        self.known.contains(lower)
            || schema::server_owned(lower, self.kind)
            || schema::indexed(lower)
            || schema::single_valued(lower, self.kind)
            || self.syntax(lower) != Syntax::Text
            || matches!(lower, "objectclass" | "ou" | "dc" | "o" | "description" | "sn" | "givenname")
    }

    /// An id never used before: the wanted one, or one that follows from the name.
    fn fresh_uuid(&self, wanted: Option<Uuid>, key: &str) -> Uuid {
        if let Some(uuid) = wanted.filter(|uuid| !self.used.contains(uuid)) {
            return uuid;
        }
        let mut uuid = Uuid::new_v5(&Uuid::NAMESPACE_X500, key.as_bytes());
        // A recreated entry is another one.
        let mut n = 2;
        while self.used.contains(&uuid) {
            uuid = Uuid::new_v5(&Uuid::NAMESPACE_X500, format!("{key}#{n}").as_bytes());
            n += 1;
        }
        uuid
    }

    /// Puts a new entry into the tree and the indexes.
    pub(super) fn insert(
        &mut self,
        dn: &Dn,
        parent: Option<Id>,
        wanted: Option<Uuid>,
        attributes: Vec<Attribute>,
        stamp: Stamp,
    ) -> Option<Id> {
        let rdn = dn.0.first()?.clone();
        let uuid = self.fresh_uuid(wanted, &dn.key());
        self.last_id += 1;
        let id = self.last_id;
        let rdn_key = rdn.key();
        let above = if parent.is_some() { Dn::default() } else { dn.parent() };
        match parent.and_then(|parent| self.entries.get_mut(&parent)) {
            Some(parent) => {
                parent.children.insert(rdn_key.clone(), id);
            }
            None => self.tops.push((dn.clone(), id)),
        }
        self.used.insert(uuid);
        self.by_uuid.insert(uuid, id);
        for attribute in &attributes {
            for value in &attribute.values {
                self.index_add(&attribute.lower, value, id);
            }
        }
        let entry = Entry {
            id,
            uuid,
            parent,
            rdn,
            rdn_key,
            above,
            children: HashMap::new(),
            attributes,
            created: stamp,
            changed: stamp,
            deleted: false,
        };
        self.entries.insert(id, entry);
        Some(id)
    }

    /// Takes an entry out for good.
    pub(super) fn erase(&mut self, id: Id) {
        let Some(entry) = self.entries.remove(&id) else { return };
        for attribute in &entry.attributes {
            for value in &attribute.values {
                self.index_remove(&attribute.lower, value, id);
            }
        }
        self.by_uuid.remove(&entry.uuid);
        self.tops.retain(|(_, top)| *top != id);
        if let Some(parent) = entry.parent.and_then(|parent| self.entries.get_mut(&parent)) {
            parent.children.remove(&entry.rdn_key);
        }
    }

    /// Gives an entry another name or place; everything below moves along.
    pub(super) fn relocate(&mut self, id: Id, parent: Id, rdn: Rdn) {
        let key = rdn.key();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let (old_parent, old_key) = (entry.parent.replace(parent), std::mem::replace(&mut entry.rdn_key, key.clone()));
        entry.rdn = rdn;
        if let Some(old) = old_parent.and_then(|old| self.entries.get_mut(&old)) {
            old.children.remove(&old_key);
        }
        if let Some(new) = self.entries.get_mut(&parent) {
            new.children.insert(key, id);
        }
    }

    /// The entry and everything below it, the entry first.
    pub(super) fn subtree(&self, id: Id) -> Vec<Id> {
        let mut all = vec![id];
        let mut at = 0;
        while let Some(entry) = all.get(at).and_then(|id| self.entries.get(id)) {
            let mut children: Vec<Id> = entry.children.values().copied().collect();
            children.sort_unstable();
            all.extend(children);
            at += 1;
        }
        all
    }
}
