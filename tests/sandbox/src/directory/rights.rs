//! Who asks, and what is kept from them.

use super::dn::Dn;
use super::schema;
use super::store::{Entry, Store};

/// The identity of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    Anonymous,
    /// Reads and writes everything.
    Admin,
    /// Reads everything but passwords and what is hidden; the name it bound with.
    Reader(String),
}

/// What readers can't see: below a name, one attribute or whole entries.
#[derive(Debug, Default)]
pub(super) struct Rights {
    hidden: Vec<(String, Option<String>)>,
}

impl Rights {
    pub(super) fn hide(&mut self, suffix: &str, attribute: Option<&str>) {
        let key = Dn::parse(suffix).unwrap_or_default().key();
        self.hidden.push((key, attribute.map(schema::base_name)));
    }

    pub(super) fn restore(&mut self) {
        self.hidden.clear();
    }

    /// Whether the entry exists for this reader.
    pub(super) fn sees(&self, store: &Store, who: &Who, entry: &Entry) -> bool {
        match who {
            Who::Anonymous => false,
            Who::Admin => true,
            Who::Reader(_) => !self.matches(store, entry, None),
        }
    }

    pub(super) fn hides_attribute(&self, store: &Store, who: &Who, entry: &Entry, lower: &str) -> bool {
        match who {
            Who::Anonymous => true,
            Who::Admin => false,
            Who::Reader(_) => matches!(lower, "userpassword" | "unicodepwd") || self.matches(store, entry, Some(lower)),
        }
    }

    fn matches(&self, store: &Store, entry: &Entry, lower: Option<&str>) -> bool {
        let mut rules = self.hidden.iter().filter(|(_, attribute)| attribute.as_deref() == lower).peekable();
        if rules.peek().is_none() {
            return false;
        }
        let key = store.dn_key(entry.id);
        rules.any(|(suffix, _)| {
            suffix.is_empty()
                || key.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with(','))
        })
    }
}
