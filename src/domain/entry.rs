//! A directory entry as it was read: an immutable id, a DN, and attributes without order.

use std::collections::BTreeMap;

use super::dn::Dn;
use super::id::EntryId;

/// Attribute values by attribute type. Types are compared without case, values are kept as bytes, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes(BTreeMap<String, Vec<Vec<u8>>>);

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds values to a type. LDAP values have no order, so they are kept sorted and once.
    pub fn insert(&mut self, kind: &str, values: impl IntoIterator<Item = Vec<u8>>) {
        let all = self.0.entry(kind.to_ascii_lowercase()).or_default();
        all.extend(values);
        all.sort();
        all.dedup();
    }

    /// All values of a type; none when the entry hasn't got it.
    pub fn values(&self, kind: &str) -> &[Vec<u8>] {
        self.0.get(&kind.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Whether the entry has the attribute, with values or without.
    pub fn has(&self, kind: &str) -> bool {
        self.0.contains_key(&kind.to_ascii_lowercase())
    }

    /// The values of a type as text.
    ///
    /// # Errors
    /// [`NotText`] when a value isn't UTF-8.
    pub fn texts(&self, kind: &str) -> Result<Vec<&str>, NotText> {
        let text =
            |value: &'_ Vec<u8>| std::str::from_utf8(value).map_err(|_| NotText { attribute: kind.to_owned() }).err();
        if let Some(fault) = self.values(kind).iter().find_map(text) {
            return Err(fault);
        }
        Ok(self.values(kind).iter().filter_map(|value| std::str::from_utf8(value).ok()).collect())
    }

    /// The smallest value of a type as text, if there is one that is text.
    pub fn text(&self, kind: &str) -> Option<&str> {
        self.values(kind).iter().find_map(|value| std::str::from_utf8(value).ok())
    }

    /// The types that are there, in lower case.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<K: AsRef<str>, V: Into<Vec<u8>>> FromIterator<(K, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut attributes = Self::new();
        for (kind, value) in pairs {
            attributes.insert(kind.as_ref(), [value.into()]);
        }
        attributes
    }
}

/// A value that should be text isn't UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a value of {attribute} is not UTF-8 text")]
pub struct NotText {
    /// The attribute type.
    pub attribute: String,
}

/// A directory object in scope. It can't be made without its immutable id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The immutable id.
    pub id: EntryId,
    /// Where the object is now.
    pub dn: Dn,
    /// What was read of it.
    pub attributes: Attributes,
}

/// One way in which an assigned group holds a person: the assigned group first, then each nested one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupPath(pub Vec<GroupStep>);

/// One group on the way from an assigned group to a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupStep {
    /// The group's immutable id.
    pub id: EntryId,
    /// Its name, for people.
    pub name: String,
}

impl std::fmt::Display for GroupPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { " ▸ " }, step.name)?;
        }
        Ok(())
    }
}
