//! The root DSE (RFC 4512 5.1, MS-ADTS 3.1.1.3.2).

use super::clock;
use super::controls;
use super::message::Attributes;
use super::store::Store;
use super::write::realm;

/// What the server says of itself, and whether an attribute comes without being asked for.
pub(super) fn attributes(store: &Store, start_tls: bool, who_am_i: bool, names: &[String]) -> Attributes {
    let wanted = |name: &str, user: bool| {
        let by_name = names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
        let all = names.is_empty() || names.iter().any(|wanted| wanted == "*");
        by_name || (all && user) || (!user && names.iter().any(|wanted| wanted == "+"))
    };
    let (list, all_are_user) = if store.is_ad() {
        (active_directory(store, start_tls, who_am_i), true)
    } else {
        (openldap(store, start_tls, who_am_i), false)
    };
    list.into_iter()
        .filter(|(name, _)| wanted(name, all_are_user || *name == "objectClass"))
        .map(|(name, values)| (name.to_owned(), values.into_iter().map(String::into_bytes).collect()))
        .collect()
}

type Lines = Vec<(&'static str, Vec<String>)>;

fn extensions(start_tls: bool, who_am_i: bool) -> Vec<String> {
    let mut list = Vec::new();
    if start_tls {
        list.push(controls::START_TLS.to_owned());
    }
    if who_am_i {
        list.push(controls::WHO_AM_I.to_owned());
    }
    list
}

fn openldap(store: &Store, start_tls: bool, who_am_i: bool) -> Lines {
    let tops = store.tops.iter().map(|(dn, _)| dn.text(store.spelling())).collect();
    vec![
        ("objectClass", vec!["top".to_owned(), "OpenLDAProotDSE".to_owned()]),
        ("structuralObjectClass", vec!["OpenLDAProotDSE".to_owned()]),
        ("namingContexts", tops),
        ("supportedControl", controls::supported(store.kind)),
        ("supportedExtension", extensions(start_tls, who_am_i)),
        // All operational attributes, absolute true and false filters.
        ("supportedFeatures", vec!["1.3.6.1.4.1.4203.1.5.1".to_owned(), "1.3.6.1.4.1.4203.1.5.3".to_owned()]),
        ("supportedLDAPVersion", vec!["3".to_owned()]),
        ("vendorName", vec!["The OpenLDAP Project".to_owned()]),
        ("entryDN", vec![String::new()]),
        ("subschemaSubentry", vec!["cn=Subschema".to_owned()]),
    ]
}

fn active_directory(store: &Store, start_tls: bool, who_am_i: bool) -> Lines {
    let base = store.base_text();
    let configuration = store.configuration().text(store.spelling());
    let service = store.service();
    let realm = realm(&store.base);
    vec![
        ("currentTime", vec![clock::digits(clock::now_micros()) + ".0Z"]),
        ("dsServiceName", vec![service.text(store.spelling())]),
        ("namingContexts", store.tops.iter().map(|(dn, _)| dn.text(store.spelling())).collect()),
        ("defaultNamingContext", vec![base.clone()]),
        ("rootDomainNamingContext", vec![base]),
        ("configurationNamingContext", vec![configuration]),
        ("supportedControl", controls::supported(store.kind)),
        ("supportedExtension", extensions(start_tls, who_am_i)),
        ("supportedLDAPVersion", vec!["3".to_owned(), "2".to_owned()]),
        ("supportedSASLMechanisms", vec!["GSSAPI".to_owned(), "EXTERNAL".to_owned()]),
        ("highestCommittedUSN", vec![store.last().usn.to_string()]),
        ("dnsHostName", vec![format!("sandbox.{realm}")]),
        ("ldapServiceName", vec![format!("{realm}:sandbox$@{}", realm.to_uppercase())]),
        ("serverName", vec![service.parent().text(store.spelling())]),
        // LDAP_CAP_ACTIVE_DIRECTORY_OID, _V51_OID, _LDAP_INTEG_OID (MS-ADTS 3.1.1.3.4.3).
        (
            "supportedCapabilities",
            ["1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670", "1.2.840.113556.1.4.1791"].map(str::to_owned).into(),
        ),
        ("isSynchronized", vec!["TRUE".to_owned()]),
        ("isGlobalCatalogReady", vec!["TRUE".to_owned()]),
        ("domainFunctionality", vec!["7".to_owned()]),
        ("forestFunctionality", vec!["7".to_owned()]),
        ("domainControllerFunctionality", vec!["7".to_owned()]),
        ("vendorName", vec!["sandbox".to_owned()]),
    ]
}
