//! Filling the store from LDIF, and what an AD domain has besides.

use std::fmt;

use uuid::Uuid;

use super::dn::{Dn, Rdn};
use super::ldif::{self, LdifError, Record};
use super::message::{Attributes, Outcome};
use super::schema;
use super::sid;
use super::store::{Attribute, Id, Store};
use super::write::Leave;

/// Why an LDIF text was not taken as a whole; what came before the fault stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyError {
    /// It is no LDIF.
    Syntax(LdifError),
    /// A record was refused.
    Refused {
        /// The line at which the record starts.
        line: usize,
        /// The LDAP result code.
        code: u32,
        /// The diagnostic message.
        message: String,
    },
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(_) => f.write_str("the LDIF can't be read"),
            Self::Refused { line, code, message } => {
                write!(f, "line {line}: the record was refused with result {code}: {message}")
            }
        }
    }
}

impl std::error::Error for ApplyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Syntax(fault) => Some(fault),
            Self::Refused { .. } => None,
        }
    }
}

fn refused(line: usize, outcome: Outcome) -> ApplyError {
    ApplyError::Refused { line, code: outcome.code, message: outcome.message }
}

impl Store {
    /// Loads the first content; entries may come in any order, change records are carried out last.
    pub(super) fn load(&mut self, text: &str, base: Option<&str>) -> Result<(), ApplyError> {
        let invalid = |line| ApplyError::Refused {
            line,
            code: super::message::code::INVALID_DN,
            message: "invalid DN".to_owned(),
        };
        let mut content: Vec<(usize, Dn, Attributes)> = Vec::new();
        let mut later = Vec::new();
        for (line, record) in ldif::parse(text).map_err(ApplyError::Syntax)? {
            match record {
                Record::Content { dn, attributes } => {
                    content.push((line, Dn::parse(&dn).ok_or_else(|| invalid(line))?, attributes));
                }
                Record::Add { .. } | Record::Modify { .. } | Record::Delete { .. } | Record::Rename(_) => {
                    later.push((line, record));
                }
            }
        }
        content.sort_by_key(|(_, dn, _)| dn.0.len());
        let named = base.map(|text| Dn::parse(text).ok_or_else(|| invalid(0))).transpose()?;
        self.base = named.or_else(|| content.first().map(|(_, dn, _)| dn.clone())).ok_or_else(|| invalid(1))?;
        self.domain_sid = domain_sid(&self.base, &content);
        self.next_rid = content.iter().filter_map(|(_, _, attributes)| rid(attributes)).fold(1103, u32::max);
        for (line, dn, attributes) in content {
            let id = self.load_entry(&dn, attributes).map_err(|outcome| refused(line, outcome))?;
            self.account_defaults(id, false);
        }
        if self.is_ad() {
            self.load_domain();
            self.respell_links();
        }
        for (line, record) in later {
            self.apply_record(record).map_err(|outcome| refused(line, outcome))?;
        }
        Ok(())
    }

    fn load_entry(&mut self, dn: &Dn, mut attributes: Attributes) -> Result<Id, Outcome> {
        let parent = match self.find(&dn.parent()) {
            Ok(parent) => Some(parent),
            // A name outside all naming contexts begins a new one.
            Err(None) => None,
            Err(Some(closest)) => return Err(self.missing(super::view::Missing::Below(closest), "")),
        };
        if self.find(dn).is_ok() {
            return Err(Outcome::new(super::message::code::ENTRY_EXISTS, "the entry is there twice"));
        }
        let uuid = attributes.iter().find_map(|(name, values)| {
            let value = values.first()?;
            match schema::base_name(name).as_str() {
                "objectguid" if self.is_ad() && value.len() == 16 => {
                    Some(Uuid::from_bytes_le(value.as_slice().try_into().ok()?))
                }
                "objectguid" if self.is_ad() => std::str::from_utf8(value).ok()?.parse().ok(),
                "entryuuid" => std::str::from_utf8(value).ok()?.parse().ok(),
                _ => None,
            }
        });
        // What the server makes itself is left out, so that a dump of a real server loads.
        attributes.retain(|(name, _)| {
            let lower = schema::base_name(name);
            lower == "objectsid" || lower == "memberof" && !self.member_of || !schema::server_owned(&lower, self.kind)
        });
        let mut attributes = self.checked(attributes)?;
        self.complete(dn, &mut attributes, false)?;
        Ok(self.create(dn, parent, uuid, attributes, true))
    }

    /// The containers of an AD domain that searches rely on: tombstones, and the server's own object.
    fn load_domain(&mut self) {
        let make = |store: &mut Self, dn: &Dn, class: &str| {
            if let Ok(id) = store.find(dn) {
                return id;
            }
            let parent = store.find(&dn.parent()).ok();
            // CN=Configuration is a naming context of its own, though its name is below the domain's.
            let parent = parent.filter(|_| !store.is_configuration(dn));
            let ava = dn.0.first().and_then(|rdn| rdn.0.first());
            let name = ava.map(|ava| ava.value.clone()).unwrap_or_default();
            let attribute =
                |name: &str, values| Attribute { name: name.to_owned(), lower: name.to_ascii_lowercase(), values };
            let attributes = vec![
                attribute("objectClass", vec![b"top".to_vec(), class.as_bytes().to_vec()]),
                attribute("cn", vec![name]),
            ];
            store.create(dn, parent, None, attributes, true)
        };
        let deleted = make(self, &self.base_child(Rdn::new("CN", "Deleted Objects")), "container");
        self.put(deleted, "isDeleted", vec![b"TRUE".to_vec()]);
        if let Some(entry) = self.entries.get_mut(&deleted) {
            entry.deleted = true;
        }
        let mut dn = self.configuration();
        make(self, &dn, "configuration");
        for name in ["Sites", "Default-First-Site-Name", "Servers", "SANDBOX"] {
            dn = dn.child(Rdn::new("CN", name));
            make(self, &dn, "container");
        }
        let service = make(self, &self.service(), "nTDSDSA");
        let invocation = Uuid::new_v5(&Uuid::NAMESPACE_X500, format!("invocation {}", self.base.key()).as_bytes());
        self.put(service, "invocationId", vec![invocation.to_bytes_le().to_vec()]);
    }

    /// The configuration naming context.
    pub(super) fn configuration(&self) -> Dn {
        self.base_child(Rdn::new("CN", "Configuration"))
    }

    fn is_configuration(&self, dn: &Dn) -> bool {
        dn.key() == self.configuration().key()
    }

    /// The directory service's own object, `dsServiceName`.
    pub(super) fn service(&self) -> Dn {
        ["Sites", "Default-First-Site-Name", "Servers", "SANDBOX", "NTDS Settings"]
            .iter()
            .fold(self.configuration(), |dn, name| dn.child(Rdn::new("CN", name)))
    }

    /// AD shows a link as its target is spelled, whatever was written.
    fn respell_links(&mut self) {
        let ids: Vec<Id> = self.entries.keys().copied().collect();
        for id in ids {
            let Some(entry) = self.entries.get(&id) else { continue };
            let links: Vec<(String, Vec<Vec<u8>>)> = entry
                .attributes
                .iter()
                .filter(|attribute| schema::reference(&attribute.lower))
                .map(|attribute| {
                    let spelled = |value: &Vec<u8>| {
                        let target = std::str::from_utf8(value).ok().and_then(|text| self.resolve(text).ok());
                        target.map_or_else(|| value.clone(), |target| self.dn_text(target).into_bytes())
                    };
                    (attribute.lower.clone(), attribute.values.iter().map(spelled).collect())
                })
                .collect();
            for (lower, values) in links {
                let attributes = self.entries.get_mut(&id).map(|entry| &mut entry.attributes);
                if let Some(attribute) = attributes.and_then(|all| all.iter_mut().find(|one| one.lower == lower)) {
                    attribute.values = values;
                }
            }
        }
    }

    /// Carries out records as the administrator.
    pub(super) fn apply(&mut self, text: &str) -> Result<(), ApplyError> {
        for (line, record) in ldif::parse(text).map_err(ApplyError::Syntax)? {
            self.apply_record(record).map_err(|outcome| refused(line, outcome))?;
        }
        Ok(())
    }

    fn apply_record(&mut self, record: Record) -> Result<(), Outcome> {
        match record {
            Record::Content { dn, attributes } | Record::Add { dn, attributes } => self.add(&dn, attributes),
            Record::Modify { dn, changes } => self.modify(&dn, changes, Leave::default()),
            Record::Delete { dn } => self.delete(&dn, Leave::default()),
            Record::Rename(rename) => self.rename(&rename),
        }
    }

    /// Gives the domain controller another database identity, as a restore does.
    pub(super) fn renew_invocation(&mut self) {
        let Ok(service) = self.find(&self.service()) else { return };
        self.put(service, "invocationId", vec![Uuid::new_v4().to_bytes_le().to_vec()]);
    }
}

/// The domain's identifier: from any account that brings one, else made from the name.
fn domain_sid(base: &Dn, content: &[(usize, Dn, Attributes)]) -> Vec<u8> {
    let brought = content.iter().find_map(|(_, dn, attributes)| {
        let sid = given_sid(attributes)?;
        if dn.key() == base.key() { Some(sid) } else { sid::split(&sid).map(|(domain, _)| domain) }
    });
    brought.unwrap_or_else(|| sid::domain(Uuid::new_v5(&Uuid::NAMESPACE_X500, base.key().as_bytes()).as_bytes()))
}

fn given_sid(attributes: &Attributes) -> Option<Vec<u8>> {
    let (_, values) = attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case("objectSid"))?;
    values.first().map(|value| sid::value(value))
}

fn rid(attributes: &Attributes) -> Option<u32> {
    sid::split(&given_sid(attributes)?).map(|(_, rid)| rid)
}
