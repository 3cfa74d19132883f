//! Search references: whether what they lead to could hold people. None is ever followed.

use crate::domain::dn::{Dn, normalise};
use crate::domain::settings::{DirectoryKind, DirectorySettings};

/// What a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// A part of the tree that wasn't read.
    Unread,
    /// A partition of AD that holds no people (configuration, schema, DNS zones), or one that is ignored.
    WithoutPeople,
}

/// AD's partitions that hold no people, by the normal form of what comes before the domain (MS-ADTS 3.1.1.1.5 and
/// 6.1.2). A search at the root of a domain always meets references to them.
const WITHOUT_PEOPLE: [&str; 4] =
    ["cn=configuration", "cn=schema,cn=configuration", "dc=domaindnszones", "dc=forestdnszones"];

/// Judges a reference by its addresses. One that can't be read counts as unread.
pub(super) fn elsewhere(addresses: &[Vec<u8>], settings: &DirectorySettings) -> Elsewhere {
    let passed_over = |address: &Vec<u8>| {
        let Some(dn) = named(address) else { return false };
        settings.ignored_contexts.iter().any(|context| dn.lies_within(context))
            || match settings.kind {
                DirectoryKind::ActiveDirectory => holds_no_people(&dn),
                DirectoryKind::OpenLdap | DirectoryKind::Generic => false,
            }
    };
    if !addresses.is_empty() && addresses.iter().all(passed_over) {
        Elsewhere::WithoutPeople
    } else {
        Elsewhere::Unread
    }
}

/// A reference, for people.
pub(super) fn told(addresses: &[Vec<u8>]) -> String {
    addresses.first().map_or_else(|| "no address".to_owned(), |address| String::from_utf8_lossy(address).into_owned())
}

/// The DN of an LDAP URL (RFC 4516); none if it names none.
fn named(address: &[u8]) -> Option<Dn> {
    let url = url::Url::parse(std::str::from_utf8(address).ok()?).ok()?;
    let path = percent_decoded(url.path().trim_start_matches('/'));
    let dn = String::from_utf8(path).ok().filter(|dn| !dn.trim().is_empty())?;
    Dn::parse(&dn).ok()
}

/// Whether a DN is of a partition without people, by its first parts: behind them only the domain's own may follow.
fn holds_no_people(dn: &Dn) -> bool {
    let Ok(dn) = normalise(dn.as_str()) else { return false };
    WITHOUT_PEOPLE.iter().any(|known| {
        let domain = dn.strip_prefix(known).and_then(|rest| rest.strip_prefix(','));
        domain.is_some_and(|domain| domain.split(',').all(|part| part.starts_with("dc=")))
    })
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        let pair = text.get(at + 1..at + 3).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match pair.filter(|_| byte == b'%') {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::peer::settings;
    use super::*;

    #[test]
    fn only_the_partitions_that_hold_no_people_are_passed_over() {
        for (address, without_people) in [
            ("ldap://ad.example.org/CN=Configuration,DC=ad,DC=example,DC=org", true),
            ("ldap://DomainDnsZones.ad.example.org/DC=DomainDnsZones,DC=ad,DC=example,DC=org", true),
            ("ldap://ForestDnsZones.ad.example.org/DC=ForestDnsZones%2cDC=ad,DC=example,DC=org", true),
            ("ldap://child.ad.example.org/DC=child,DC=ad,DC=example,DC=org", false),
            ("ldap://ad.example.org/CN=Configuration,OU=Sales,DC=ad,DC=example,DC=org", false),
            ("ldap://ad.example.org/CN=Configuration2,DC=ad", false),
            ("ldap://ad.example.org", false),
            ("nonsense", false),
        ] {
            let dn = named(address.as_bytes());
            assert_eq!(dn.is_some_and(|dn| holds_no_people(&dn)), without_people, "{address}");
        }
    }

    #[test]
    fn a_reference_is_passed_over_only_if_all_of_it_leads_into_what_is_ignored() {
        let mut settings = settings();
        settings.ignored_contexts = vec![Dn::parse("DC=child, dc=example,dc=org").unwrap()];
        let judged = |addresses: &[&str]| {
            let addresses: Vec<Vec<u8>> = addresses.iter().map(|one| one.as_bytes().to_vec()).collect();
            elsewhere(&addresses, &settings)
        };
        for addresses in [
            &["ldap://a/dc=child,dc=example,dc=org"][..],
            &["ldap://a/DC=Child,DC=Example,DC=Org??sub"],
            &["ldap://a/ou=sales,dc=child,dc=example,dc=org", "ldap://b/dc%3Dchild,dc=example,dc=org"],
        ] {
            assert_eq!(judged(addresses), Elsewhere::WithoutPeople, "{addresses:?}");
        }
        for addresses in [
            &[][..],
            &["ldap://a"],
            &["ldap://a/"],
            &["nonsense"],
            &["ldap://a/dc=example,dc=org"],
            &["ldap://a/dc=grandchild,dc=example,dc=org"],
            &["ldap://a/dc=child,dc=example,dc=org", "ldap://b/dc=other,dc=org"],
        ] {
            assert_eq!(judged(addresses), Elsewhere::Unread, "{addresses:?}");
        }
    }
}
