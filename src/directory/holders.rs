//! Who is held by which groups: members' DNs as keys of 16 bytes, and sets of groups kept once each.
//!
//! It is all that a read keeps per person: 300,000 members take about 15 MB.

use std::collections::{HashMap, HashSet};

use crate::domain::dn::{Dn, DnKey, normalise};

/// Members by DN, with the groups that hold them directly.
#[derive(Debug, Default)]
pub(super) struct Holders {
    held: HashMap<DnKey, Held>,
    /// The sets, by number; set 0 is empty.
    sets: Vec<Vec<u32>>,
    /// Which set comes of adding a group to one.
    grown: HashMap<(u32, u32), u32>,
    /// A cheap key for each member: what isn't here is nobody's member.
    loose: HashSet<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    set: u32,
    met: Met,
}

/// Whether the search for people came upon a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    Yes,
    NotYet,
}

impl Holders {
    /// Notes that a group holds a DN.
    pub(super) fn add(&mut self, dn: &Dn, group: u32) {
        if self.sets.is_empty() {
            self.sets.push(Vec::new());
        }
        let key = dn.key();
        let before = self.held.get(&key).map_or(0, |held| held.set);
        if before == 0 {
            self.loose.insert(loose_of(dn.as_str()));
        }
        let set = self.grow(before, group);
        self.held.insert(key, Held { set, met: Met::NotYet });
    }

    fn grow(&mut self, set: u32, group: u32) -> u32 {
        if let Some(&grown) = self.grown.get(&(set, group)) {
            return grown;
        }
        let mut groups = self.sets[set as usize].clone();
        let grown = if groups.contains(&group) {
            set
        } else {
            groups.push(group);
            self.sets.push(groups);
            u32::try_from(self.sets.len() - 1).unwrap_or(u32::MAX)
        };
        self.grown.insert((set, group), grown);
        grown
    }

    /// Whether a DN, as it was spelled, is nobody's member; told without parsing it. Where it can't be told, it may be.
    pub(super) fn surely_hold_not(&self, spelled: &str) -> bool {
        loose_of_plain(spelled).is_some_and(|loose| !self.loose.contains(&loose))
    }

    /// The groups that hold a DN directly, and notes that it was met.
    pub(super) fn meet(&mut self, key: DnKey) -> &[u32] {
        match self.held.get_mut(&key) {
            Some(held) => {
                held.met = Met::Yes;
                &self.sets[held.set as usize]
            }
            None => &[],
        }
    }

    /// The groups that hold a DN directly.
    pub(super) fn groups(&self, key: DnKey) -> &[u32] {
        self.held.get(&key).map_or(&[], |held| &self.sets[held.set as usize])
    }

    /// Whether a member was met; none when it is no member.
    pub(super) fn met(&self, key: DnKey) -> Option<Met> {
        self.held.get(&key).map(|held| held.met)
    }

    /// How many members weren't met.
    pub(super) fn unmet(&self) -> usize {
        self.held.values().filter(|held| held.met == Met::NotYet).count()
    }

    /// How many members there are.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

/// A cheap key of a DN: its ASCII letters and digits in lower case, hashed. All spellings of one DN have the same;
/// different DNs may share one.
fn loose_of(spelled: &str) -> u64 {
    loose_of_plain(spelled).unwrap_or_else(|| hash(normalise(spelled).as_deref().unwrap_or(spelled).bytes()))
}

/// The same, for spellings without anything that another spelling could write with other letters and digits: escapes,
/// quotes, hexadecimal values, several parts in any order, characters outside ASCII.
fn loose_of_plain(spelled: &str) -> Option<u64> {
    let plain = spelled.bytes().all(|byte| byte.is_ascii() && !matches!(byte, b'\\' | b'"' | b'#' | b'+'));
    plain.then(|| hash(spelled.bytes()))
}

/// FNV-1a.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    let letters = bytes.filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    letters.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn a_member_is_found_in_any_spelling() {
        let mut holders = Holders::default();
        holders.add(&dn(r"cn=M\c3\bcller\2C J,dc=x"), 7);
        holders.add(&dn("CN=Müller\\, J, DC=x"), 3);
        holders.add(&dn("cn=m\u{fc}ller\\, j,dc=X"), 7);
        holders.add(&dn("cn=plain,dc=x"), 3);
        assert_eq!(holders.len(), 2);
        assert_eq!(holders.groups(dn("cn=Müller\\, J,dc=x").key()), [7, 3]);
        for spelling in ["cn=Müller\\, J,dc=x", "CN=Plain, DC=X", r"cn=plai\6e,dc=x"] {
            assert!(!holders.surely_hold_not(spelling), "{spelling}");
        }
        assert!(holders.surely_hold_not("cn=other,dc=x"));
    }

    #[test]
    fn who_was_met_is_remembered() {
        let mut holders = Holders::default();
        holders.add(&dn("cn=a"), 1);
        holders.add(&dn("cn=b"), 1);
        assert_eq!(holders.meet(dn("cn=A").key()), [1]);
        assert!(holders.meet(dn("cn=c").key()).is_empty());
        assert_eq!((holders.unmet(), holders.met(dn("cn=b").key())), (1, Some(Met::NotYet)));
    }

    #[test]
    fn members_of_the_same_groups_share_one_set() {
        let mut holders = Holders::default();
        for group in 0..3 {
            for member in 0..100 {
                holders.add(&dn(&format!("cn={member}")), group);
            }
        }
        assert_eq!(holders.sets.len(), 4);
    }

    proptest! {
        #[test]
        fn the_cheap_key_never_calls_a_member_a_stranger(
            member in "(cn|OU)=[a-zA-Z0-9 ,+\\\\#\"üÜß;=-]{1,12}(,dc=[a-z ]{1,4})?",
            spelled in "(cn|OU)=[a-zA-Z0-9 ,+\\\\#\"üÜß;=-]{1,12}(,dc=[a-z ]{1,4})?",
        ) {
            if let (Ok(member), Ok(other)) = (Dn::parse(&member), Dn::parse(&spelled)) {
                let mut holders = Holders::default();
                holders.add(&member, 0);
                prop_assert!(!holders.surely_hold_not(member.as_str()));
                if member.key() == other.key() {
                    prop_assert!(!holders.surely_hold_not(&spelled));
                }
            }
        }
    }
}
