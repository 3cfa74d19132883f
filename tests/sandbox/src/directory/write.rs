//! Changes to the entries: add, modify, delete, modrdn, with the result codes of the real servers.

use std::collections::HashMap;

use super::dn::{Dn, Rdn};
use super::message::{Attributes, ModKind, Modification, Outcome, Rename, code};
use super::schema::{self, Syntax};
use super::sid;
use super::store::{Attribute, ChangeKind, Entry, Id, Store};
use super::view::Missing;

/// What a control of the request permits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Leave {
    /// LDAP_SERVER_PERMISSIVE_MODIFY.
    pub(super) permissive: bool,
    /// LDAP_SERVER_TREE_DELETE.
    pub(super) tree: bool,
}

type Written = Result<(), Outcome>;

fn refuse(code: u32, message: impl Into<String>) -> Outcome {
    Outcome::new(code, message)
}

impl Store {
    /// Resolves the target of a write.
    pub(super) fn target(&self, text: &str) -> Result<Id, Outcome> {
        self.resolve(text).map_err(|missing| self.missing(missing, text))
    }

    /// The outcome for a name that leads to no entry.
    pub(super) fn missing(&self, missing: Missing, text: &str) -> Outcome {
        match missing {
            Missing::Syntax => refuse(code::INVALID_DN, "invalid DN"),
            Missing::Below(id) => {
                let matched = self.dn_text(id);
                let message = if self.is_ad() {
                    format!(
                        "0000208D: NameErr: DSID-0310028D, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'{matched}'\n"
                    )
                } else {
                    String::new()
                };
                Outcome { code: code::NO_SUCH_OBJECT, matched, message, referral: None }
            }
            // AD refers names of other domains to them (MS-ADTS 3.1.1.4.6).
            Missing::Nowhere if self.is_ad() && !text.trim().is_empty() && !text.starts_with('<') => Outcome {
                code: code::REFERRAL,
                message: "0000202B: RefErr: DSID-0310078A, data 0, 1 access points".to_owned(),
                referral: Some(format!("ldap://{}/{text}", realm(&Dn::parse(text).unwrap_or_default()))),
                ..Outcome::default()
            },
            Missing::Nowhere => refuse(code::NO_SUCH_OBJECT, ""),
        }
    }

    /// Adds an entry below an existing one.
    pub(super) fn add(&mut self, dn: &str, attributes: Attributes) -> Written {
        let parsed = Dn::parse(dn).filter(|dn| !dn.is_root()).ok_or_else(|| refuse(code::INVALID_DN, "invalid DN"))?;
        if self.find(&parsed).is_ok() {
            return Err(refuse(code::ENTRY_EXISTS, ""));
        }
        let parent_text = parsed.parent().text(self.spelling());
        let parent = self.target(&parent_text)?;
        if let Some((name, _)) =
            attributes.iter().find(|(name, _)| schema::server_owned(&schema::base_name(name), self.kind))
        {
            return Err(refuse(code::CONSTRAINT, format!("{name}: no user modification allowed")));
        }
        let mut attributes = self.checked(attributes)?;
        self.complete(&parsed, &mut attributes, true)?;
        self.check_references(&attributes)?;
        let id = self.create(&parsed, Some(parent), None, attributes, false);
        self.account_defaults(id, true);
        Ok(())
    }

    /// Puts values into stored form; refuses empty ones, duplicates, and second ones where one is allowed.
    pub(super) fn checked(&self, attributes: Attributes) -> Result<Vec<Attribute>, Outcome> {
        let mut checked: Vec<Attribute> = Vec::new();
        for (name, values) in attributes {
            let lower = schema::stored_name(&name);
            let base = schema::base_name(&name);
            let stored = values.iter().map(|value| self.stored_form(&base, value)).collect::<Result<Vec<_>, _>>()?;
            let at = checked.iter().position(|attribute| attribute.lower == lower);
            let at = at.unwrap_or_else(|| {
                checked.push(Attribute { name: schema::spelled(&name), lower, values: Vec::new() });
                checked.len() - 1
            });
            checked[at].values.extend(stored);
        }
        for attribute in &checked {
            self.check_values(attribute)?;
        }
        checked.retain(|attribute| !attribute.values.is_empty());
        Ok(checked)
    }

    fn check_values(&self, attribute: &Attribute) -> Written {
        let base = schema::base_name(&attribute.lower);
        if attribute.values.len() > 1 && schema::single_valued(&base, self.kind) {
            let message = format!("attribute '{}' cannot have multiple values", attribute.name);
            return Err(refuse(code::CONSTRAINT, message));
        }
        let syntax = self.syntax(&base);
        let mut seen = std::collections::HashSet::with_capacity(attribute.values.len());
        if attribute.values.iter().all(|value| seen.insert(schema::normal(syntax, value))) {
            return Ok(());
        }
        Err(refuse(code::VALUE_EXISTS, format!("{}: value provided more than once", attribute.name)))
    }

    fn stored_form(&self, lower: &str, value: &[u8]) -> Result<Vec<u8>, Outcome> {
        if value.is_empty() {
            return Err(refuse(code::INVALID_SYNTAX, format!("{lower}: value #0 invalid per syntax")));
        }
        match self.syntax(lower) {
            Syntax::Dn => {
                let text = std::str::from_utf8(value).map_err(|_| refuse(code::INVALID_SYNTAX, "invalid DN value"))?;
                // AD keeps a link, and shows the name of what it points to.
                if self.is_ad()
                    && let Ok(id) = self.resolve(text)
                {
                    return Ok(self.dn_text(id).into_bytes());
                }
                let dn = Dn::parse(text).ok_or_else(|| refuse(code::INVALID_SYNTAX, "invalid DN value"))?;
                Ok(dn.text(self.spelling()).into_bytes())
            }
            Syntax::Binary if lower == "objectsid" => Ok(sid::value(value)),
            Syntax::Text | Syntax::Exact | Syntax::Integer | Syntax::Time | Syntax::Binary => Ok(value.to_vec()),
        }
    }

    /// The naming attribute, and what the object classes require.
    pub(super) fn complete(&self, dn: &Dn, attributes: &mut Vec<Attribute>, strict: bool) -> Written {
        for ava in dn.0.first().map(|rdn| rdn.0.as_slice()).unwrap_or_default() {
            let lower = schema::base_name(&ava.name);
            let normal = schema::normal(self.syntax(&lower), &ava.value);
            let found = attributes.iter().position(|attribute| attribute.lower == lower);
            let has = found.is_some_and(|at| {
                attributes[at].values.iter().any(|value| schema::normal(self.syntax(&lower), value) == normal)
            });
            if has {
                continue;
            }
            if strict && !self.is_ad() {
                let message = format!("value of naming attribute '{}' is not present in entry", ava.name);
                return Err(refuse(code::NAMING_VIOLATION, message));
            }
            match found {
                Some(at) => attributes[at].values.push(ava.value.clone()),
                None => {
                    attributes.push(Attribute {
                        name: schema::spelled(&ava.name),
                        lower,
                        values: vec![ava.value.clone()],
                    });
                }
            }
        }
        let classes = attributes.iter().find(|attribute| attribute.lower == "objectclass");
        let classes = classes.map(|found| found.values.clone()).unwrap_or_default();
        if classes.is_empty() && strict {
            return Err(refuse(code::OBJECT_CLASS, "no objectClass attribute"));
        }
        if self.is_ad() {
            return Ok(());
        }
        for class in &classes {
            for need in schema::required(class) {
                let group = matches!(*need, "member" | "uniquemember");
                if (strict || group) && !attributes.iter().any(|attribute| attribute.lower == *need) {
                    let class = String::from_utf8_lossy(class);
                    let message = format!("object class '{class}' requires attribute '{need}'");
                    return Err(refuse(code::OBJECT_CLASS, message));
                }
            }
        }
        Ok(())
    }

    /// AD takes links to existing objects only, and account names that are free.
    fn check_references(&self, attributes: &[Attribute]) -> Written {
        if !self.is_ad() {
            return Ok(());
        }
        for attribute in attributes {
            if schema::reference(&attribute.lower) {
                for value in &attribute.values {
                    let text = String::from_utf8_lossy(value);
                    if self.resolve(&text).is_err() {
                        return Err(refuse(code::NO_SUCH_OBJECT, format!("{}: {text} does not exist", attribute.name)));
                    }
                }
            }
            if attribute.lower == "samaccountname"
                && attribute.values.iter().any(|value| {
                    let normal = schema::normal(Syntax::Text, value);
                    let holders = self.indexed("samaccountname", &normal).into_iter().flatten();
                    holders.filter_map(|id| self.entries.get(id)).any(|entry| !entry.deleted)
                })
            {
                return Err(refuse(
                    code::ENTRY_EXISTS,
                    "00000524: UpdErr: DSID-031A11FA, problem 6005 (ENTRY_EXISTS), data 0",
                ));
            }
        }
        Ok(())
    }

    /// Makes the entry and notes it; attributes are in stored form.
    pub(super) fn create(
        &mut self,
        dn: &Dn,
        parent: Option<Id>,
        uuid: Option<uuid::Uuid>,
        attributes: Vec<Attribute>,
        loading: bool,
    ) -> Id {
        // What was loaded has all of its attributes new; a list for each would only take memory.
        let names = if loading { Vec::new() } else { attributes.iter().map(|new| new.lower.clone()).collect() };
        let stamp = self.stamp(loading);
        let id = self.insert(dn, parent, uuid, attributes, stamp).unwrap_or_default();
        self.note(id, ChangeKind::Add, names);
        id
    }

    /// objectSid, primaryGroupID and userAccountControl, as AD's account manager gives them (MS-SAMR 3.1.1.8).
    pub(super) fn account_defaults(&mut self, id: Id, made_over_ldap: bool) {
        let Some(entry) = self.entries.get(&id).filter(|_| self.kind == super::Kind::ActiveDirectory) else { return };
        let user = entry.has_class("user");
        if !user && !entry.has_class("group") {
            return;
        }
        let well_known = match entry.first_text("samaccountname").map(str::to_ascii_lowercase).as_deref() {
            Some("administrator") => Some(500),
            Some("domain admins") => Some(512),
            Some("domain users") => Some(513),
            Some("domain guests") => Some(514),
            Some("domain computers") => Some(515),
            _ => None,
        };
        let mut defaults: Vec<(&str, Vec<u8>)> = Vec::new();
        if entry.stored("objectsid").is_empty() {
            let rid = well_known.unwrap_or_else(|| {
                self.next_rid += 1;
                self.next_rid
            });
            defaults.push(("objectSid", sid::with_rid(&self.domain_sid, rid)));
        }
        if user && entry.stored("primarygroupid").is_empty() {
            defaults.push(("primaryGroupID", b"513".to_vec()));
        }
        if user && made_over_ldap && entry.stored("useraccountcontrol").is_empty() {
            // UF_NORMAL_ACCOUNT, UF_ACCOUNTDISABLE, UF_PASSWD_NOTREQD.
            defaults.push(("userAccountControl", b"546".to_vec()));
        }
        for (name, value) in defaults {
            self.put(id, name, vec![value]);
        }
    }

    /// Sets an attribute without any check; no values removes it.
    pub(super) fn put(&mut self, id: Id, name: &str, values: Vec<Vec<u8>>) {
        let lower = schema::stored_name(name);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let at = entry.attributes.iter().position(|attribute| attribute.lower == lower);
        let old = at.map(|at| entry.attributes.swap_remove(at).values).unwrap_or_default();
        if !values.is_empty() {
            entry.attributes.push(Attribute {
                name: schema::spelled(name),
                lower: lower.clone(),
                values: values.clone(),
            });
        }
        for value in &old {
            self.index_remove(&lower, value, id);
        }
        for value in &values {
            self.index_add(&lower, value, id);
        }
    }

    /// Modifies an entry: all changes or none.
    pub(super) fn modify(&mut self, dn: &str, changes: Vec<Modification>, leave: Leave) -> Written {
        let id = self.target(dn)?;
        let Some(entry) = self.entries.get(&id) else { return Err(refuse(code::NO_SUCH_OBJECT, "")) };
        let mut draft: HashMap<String, Attribute> = HashMap::new();
        for change in changes {
            let lower = schema::stored_name(&change.name);
            if schema::server_owned(&schema::base_name(&lower), self.kind) {
                let message = format!("{}: no user modification allowed", change.name);
                return Err(refuse(code::CONSTRAINT, message));
            }
            let before = draft.remove(&lower).unwrap_or_else(|| Attribute {
                name: change.name.clone(),
                lower: lower.clone(),
                values: entry.stored(&lower).to_vec(),
            });
            let after = self.modified(before, change, leave.permissive)?;
            self.check_values(&after)?;
            draft.insert(lower, after);
        }
        self.check_draft(entry, &draft)?;
        let stamp = self.stamp(false);
        let mut names: Vec<String> = draft.keys().cloned().collect();
        names.sort();
        for attribute in draft.into_values() {
            let kept = self.entries.get(&id).and_then(|entry| {
                entry.attributes.iter().find(|old| old.lower == attribute.lower).map(|old| old.name.clone())
            });
            self.put(id, &kept.unwrap_or(attribute.name), attribute.values);
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.changed = stamp;
        }
        self.note(id, ChangeKind::Modify, names);
        Ok(())
    }

    fn modified(&self, mut attribute: Attribute, change: Modification, permissive: bool) -> Result<Attribute, Outcome> {
        let base = schema::base_name(&change.name);
        let syntax = self.syntax(&base);
        let values =
            change.values.iter().map(|value| self.stored_form(&base, value)).collect::<Result<Vec<_>, Outcome>>()?;
        let fresh = Attribute { name: change.name.clone(), lower: attribute.lower.clone(), values };
        match change.kind {
            ModKind::Replace => {
                if schema::reference(&base) {
                    self.check_references(std::slice::from_ref(&fresh))?;
                }
                attribute.values = fresh.values;
            }
            ModKind::Add if fresh.values.is_empty() => return Err(refuse(code::PROTOCOL_ERROR, "no values given")),
            ModKind::Add => {
                self.check_references(std::slice::from_ref(&fresh))?;
                self.check_values(&fresh)?;
                let old: std::collections::HashSet<Vec<u8>> =
                    attribute.values.iter().map(|value| schema::normal(syntax, value)).collect();
                for value in fresh.values {
                    if !old.contains(&schema::normal(syntax, &value)) {
                        attribute.values.push(value);
                    } else if !permissive {
                        let message = format!("modify/add: {}: value #0 already exists", change.name);
                        return Err(refuse(code::VALUE_EXISTS, message));
                    }
                }
            }
            ModKind::Delete if fresh.values.is_empty() => {
                if attribute.values.is_empty() && !permissive {
                    let message = format!("modify/delete: {}: no such attribute", change.name);
                    return Err(refuse(code::NO_SUCH_ATTRIBUTE, message));
                }
                attribute.values.clear();
            }
            ModKind::Delete => {
                let gone: std::collections::HashSet<Vec<u8>> =
                    fresh.values.iter().map(|value| schema::normal(syntax, value)).collect();
                let before = attribute.values.len();
                attribute.values.retain(|value| !gone.contains(&schema::normal(syntax, value)));
                if before - attribute.values.len() < gone.len() && !permissive {
                    let message = format!("modify/delete: {}: no such value", change.name);
                    return Err(refuse(code::NO_SUCH_ATTRIBUTE, message));
                }
            }
        }
        Ok(attribute)
    }

    /// The entry after the change still has its name and what its classes require.
    fn check_draft(&self, entry: &Entry, draft: &HashMap<String, Attribute>) -> Written {
        for ava in &entry.rdn.0 {
            let lower = schema::base_name(&ava.name);
            let Some(attribute) = draft.get(&lower) else { continue };
            let syntax = self.syntax(&lower);
            let normal = schema::normal(syntax, &ava.value);
            if !attribute.values.iter().any(|value| schema::normal(syntax, value) == normal) {
                return Err(refuse(code::NOT_ON_RDN, format!("{}: is part of the name", ava.name)));
            }
        }
        let mut after: Vec<Attribute> =
            entry.attributes.iter().filter(|attribute| !draft.contains_key(&attribute.lower)).cloned().collect();
        after.extend(draft.values().filter(|attribute| !attribute.values.is_empty()).cloned());
        self.complete(&Dn(vec![entry.rdn.clone()]), &mut after, true)
    }

    /// Renames or moves an entry with everything below it.
    pub(super) fn rename(&mut self, rename: &Rename) -> Written {
        let id = self.target(&rename.dn)?;
        let rdn = Rdn::parse(&rename.new_rdn).ok_or_else(|| refuse(code::INVALID_DN, "invalid new RDN"))?;
        let old_parent = self.entries.get(&id).and_then(|entry| entry.parent);
        let parent = match &rename.new_superior {
            Some(superior) => Some(self.target(superior)?),
            None => old_parent,
        };
        let (Some(parent), Some(_)) = (parent, old_parent) else {
            return Err(refuse(code::UNWILLING, "cannot rename the top of a naming context"));
        };
        let below = self.subtree(id);
        if below.contains(&parent) {
            return Err(refuse(code::UNWILLING, "new superior is below the entry"));
        }
        let sibling = self.entries.get(&parent).and_then(|parent| parent.children.get(&rdn.key())).copied();
        if sibling.is_some_and(|sibling| sibling != id) {
            return Err(refuse(code::ENTRY_EXISTS, ""));
        }
        // slapd's refint follows the entry itself; what is below it keeps dangling names (observed on slapd 2.5).
        let followed: Vec<Id> = if self.is_ad() { below } else { vec![id] };
        let before: Vec<(Id, String)> = followed.into_iter().map(|id| (id, self.dn_key(id))).collect();
        self.rename_values(id, &rdn, rename.delete_old || self.is_ad());
        self.relocate(id, parent, rdn);
        if self.is_ad() || self.refint {
            let moved = before.into_iter().map(|(id, key)| (key, Some(self.dn_text(id)))).collect();
            self.redirect(&moved);
        }
        let stamp = self.stamp(false);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.changed = stamp;
        }
        self.note(id, ChangeKind::Rename, vec!["name".to_owned()]);
        Ok(())
    }

    fn rename_values(&mut self, id: Id, rdn: &Rdn, delete_old: bool) {
        let Some(entry) = self.entries.get(&id) else { return };
        let mut drop: Vec<(String, Vec<u8>)> = Vec::new();
        if delete_old {
            drop.extend(entry.rdn.0.iter().map(|ava| (ava.name.clone(), ava.value.clone())));
        }
        let keep: Vec<(String, Vec<u8>)> = rdn.0.iter().map(|ava| (ava.name.clone(), ava.value.clone())).collect();
        for (name, value, wanted) in drop
            .into_iter()
            .map(|(name, value)| (name, value, false))
            .chain(keep.into_iter().map(|(n, v)| (n, v, true)))
        {
            let lower = schema::base_name(&name);
            let syntax = self.syntax(&lower);
            let normal = schema::normal(syntax, &value);
            let Some(entry) = self.entries.get(&id) else { return };
            let spelled = entry.attributes.iter().find(|attribute| attribute.lower == lower);
            let spelled = spelled.map_or(name, |attribute| attribute.name.clone());
            let mut values = entry.stored(&lower).to_vec();
            values.retain(|value| schema::normal(syntax, value) != normal);
            if wanted {
                values.push(value);
            }
            self.put(id, &spelled, values);
        }
    }
}

/// The DNS name of a naming context: its `dc` parts.
pub(super) fn realm(dn: &Dn) -> String {
    let parts = dn.0.iter().flat_map(|rdn| &rdn.0).filter(|ava| ava.name.eq_ignore_ascii_case("dc"));
    parts.map(|ava| String::from_utf8_lossy(&ava.value).to_ascii_lowercase()).collect::<Vec<_>>().join(".")
}
