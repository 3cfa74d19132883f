//! Search references: whether what they lead to could hold people. None is ever followed.

use lber::structure::StructureTag;

use super::search::addresses;
use crate::domain::dn::{Dn, normalise};
use crate::domain::settings::DirectoryKind;

/// What a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// A part of the tree that wasn't read.
    Unread,
    /// A partition of AD that holds no people: configuration, schema, DNS zones.
    WithoutPeople,
}

/// AD's partitions that hold no people, by the normal form of what comes before the domain (MS-ADTS 3.1.1.1.5 and
/// 6.1.2). A search at the root of a domain always meets references to them.
const WITHOUT_PEOPLE: [&str; 4] =
    ["cn=configuration", "cn=schema,cn=configuration", "dc=domaindnszones", "dc=forestdnszones"];

/// Judges a reference. One that can't be read counts as unread.
pub(super) fn elsewhere(reference: StructureTag, kind: DirectoryKind) -> Elsewhere {
    match kind {
        DirectoryKind::OpenLdap | DirectoryKind::Generic => Elsewhere::Unread,
        DirectoryKind::ActiveDirectory => {
            let addresses = addresses(reference);
            if !addresses.is_empty() && addresses.iter().all(|address| holds_no_people(address)) {
                Elsewhere::WithoutPeople
            } else {
                Elsewhere::Unread
            }
        }
    }
}

/// The DN of an LDAP URL (RFC 4516), judged by its first parts: behind them only the domain's own may follow.
fn holds_no_people(address: &[u8]) -> bool {
    let Ok(address) = std::str::from_utf8(address) else { return false };
    let Ok(url) = url::Url::parse(address) else { return false };
    let path = url.path().trim_start_matches('/');
    let dn = String::from_utf8_lossy(&percent_decoded(path)).into_owned();
    let Ok(dn) = Dn::parse(&dn).and_then(|dn| normalise(dn.as_str())) else { return false };
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
            assert_eq!(holds_no_people(address.as_bytes()), without_people, "{address}");
        }
    }
}
