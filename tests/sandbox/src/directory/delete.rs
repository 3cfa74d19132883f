//! Deleting: leaves only, referential integrity, and AD's tombstones.

use std::collections::{BTreeSet, HashMap};

use super::dn::{Dn, Rdn};
use super::message::{Outcome, code};
use super::schema;
use super::store::{ChangeKind, Id, Store};
use super::write::Leave;

/// What a tombstone keeps (MS-ADTS 3.1.1.5.5.1.1; observed on Samba 4.17).
const KEPT: &[&str] = &["objectclass", "objectsid", "samaccountname", "useraccountcontrol", "cn", "ou"];

impl Store {
    /// Deletes an entry; on AD it becomes a tombstone.
    pub(super) fn delete(&mut self, dn: &str, leave: Leave) -> Result<(), Outcome> {
        let id = self.target(dn)?;
        let below = self.subtree(id);
        if below.len() > 1 && !leave.tree {
            return Err(Outcome::new(code::NON_LEAF, "subordinate objects must be deleted first"));
        }
        if self.entries.get(&id).is_some_and(|entry| entry.deleted || (self.is_ad() && entry.parent.is_none())) {
            return Err(Outcome::new(code::UNWILLING, "this object can't be deleted"));
        }
        for id in below.into_iter().rev() {
            self.delete_leaf(id);
        }
        Ok(())
    }

    fn delete_leaf(&mut self, id: Id) {
        if self.is_ad() || self.refint {
            let gone = HashMap::from([(self.dn_key(id), None)]);
            self.redirect(&gone);
        }
        let stamp = self.stamp(false);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.changed = stamp;
        }
        self.note(id, ChangeKind::Delete, vec!["isdeleted".to_owned()]);
        match self.deleted_container().filter(|_| self.is_ad()) {
            Some(container) => self.bury(id, container),
            None => self.erase(id),
        }
    }

    /// `CN=Deleted Objects` of the domain.
    fn deleted_container(&self) -> Option<Id> {
        self.find(&self.base.child(Rdn::new("CN", "Deleted Objects"))).ok()
    }

    fn bury(&mut self, id: Id, container: Id) {
        let parent = self.entries.get(&id).and_then(|entry| entry.parent);
        let last_parent = parent.map(|parent| self.dn_text(parent)).unwrap_or_default();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let mut rdn = entry.rdn.clone();
        if let Some(ava) = rdn.0.first_mut() {
            ava.value.extend_from_slice(format!("\nDEL:{}", entry.uuid.hyphenated()).as_bytes());
        }
        rdn.0.truncate(1);
        entry.deleted = true;
        let dropped: Vec<String> = entry
            .attributes
            .iter()
            .filter(|attribute| !KEPT.contains(&attribute.lower.as_str()))
            .map(|attribute| attribute.name.clone())
            .collect();
        for name in dropped {
            self.put(id, &name, Vec::new());
        }
        if let Some(ava) = rdn.0.first() {
            let (name, value) = (ava.name.to_ascii_lowercase(), ava.value.clone());
            self.put(id, &name, vec![value]);
        }
        self.put(id, "isDeleted", vec![b"TRUE".to_vec()]);
        self.put(id, "lastKnownParent", vec![last_parent.into_bytes()]);
        self.relocate(id, container, rdn);
    }

    /// Rewrites references by their normal form: to a new name, or away.
    ///
    /// Neither server counts this as a change of the entry that refers (observed on slapd 2.5 and Samba 4.17).
    pub(super) fn redirect(&mut self, moved: &HashMap<String, Option<String>>) {
        const REFERENCES: &[&str] = &["member", "uniquemember", "manager", "managedby", "owner", "secretary"];
        for &lower in REFERENCES {
            let holders: BTreeSet<Id> = moved
                .keys()
                .filter_map(|key| self.indexed(lower, key.as_bytes()))
                .flat_map(|ids| ids.iter().copied())
                .collect();
            for id in holders {
                self.redirect_in(id, lower, moved);
            }
        }
    }

    fn redirect_in(&mut self, id: Id, lower: &str, moved: &HashMap<String, Option<String>>) {
        let syntax = self.syntax(lower);
        let Some(attribute) =
            self.entries.get(&id).and_then(|entry| entry.attributes.iter().find(|attribute| attribute.lower == lower))
        else {
            return;
        };
        let name = attribute.name.clone();
        let mut values = Vec::with_capacity(attribute.values.len());
        for value in &attribute.values {
            let normal = schema::normal(syntax, value);
            match std::str::from_utf8(&normal).ok().and_then(|key| moved.get(key)) {
                None => values.push(value.clone()),
                Some(Some(new)) => values.push(new.clone().into_bytes()),
                Some(None) => {}
            }
        }
        // slapd's refint can't take a group's last member away: the class requires one.
        let required = matches!(lower, "member" | "uniquemember") && !self.is_ad();
        if values.is_empty() && required {
            return;
        }
        self.put(id, &name, values);
    }

    /// The domain's name without its top, for messages.
    pub(super) fn base_text(&self) -> String {
        self.base.text(self.spelling())
    }

    pub(super) fn base_child(&self, rdn: Rdn) -> Dn {
        self.base.child(rdn)
    }
}
