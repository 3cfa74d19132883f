//! Values that people and servers write: ids, mails, DNs, templates.

use std::collections::BTreeMap;

use proptest::prelude::*;
use zendesk_dirsync::domain::dn::{Dn, normalise};
use zendesk_dirsync::domain::entry::Attributes;
use zendesk_dirsync::domain::id::{Digest, Email, EntryId, ExternalId};
use zendesk_dirsync::domain::mapping::{ExternalIdRule, Field, Mapping};

/// A value spelled as RFC 4514 wants it, with every special character escaped as hexadecimal digits.
fn escaped(value: &str) -> String {
    value.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}

/// The same value with as little escaped as may be.
fn plain(value: &str) -> String {
    value
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || (c as u32) >= 0xa0 { c.to_string() } else { escaped(&c.to_string()) })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_id_comes_back_from_every_spelling(bytes in any::<[u8; 16]>()) {
        let id = EntryId::from_bytes(bytes);
        prop_assert_eq!(EntryId::parse(&id.to_string()).unwrap(), id);
        prop_assert_eq!(EntryId::parse(&id.dashed()).unwrap(), id);
        prop_assert_eq!(EntryId::parse(&format!("{{{}}}", id.dashed().to_uppercase())).unwrap(), id);
        prop_assert_eq!(EntryId::from_object_guid(&id.to_object_guid()).unwrap(), id);
        prop_assert_eq!(*id.as_bytes(), bytes);
        prop_assert_eq!(ExternalId::own(id), ExternalId::parse(&ExternalId::own(id).as_str().to_uppercase()).unwrap());
    }

    #[test]
    fn what_is_no_id_is_refused_without_a_panic(text in "\\PC{0,80}") {
        let _ = (EntryId::parse(&text), Digest::parse(&text), ExternalId::parse(&text), Dn::parse(&text));
        if let Ok(email) = Email::parse(&text) {
            prop_assert_eq!(Email::parse(email.as_str()).unwrap(), email);
        }
    }

    #[test]
    fn a_mail_is_the_same_in_any_case_and_with_spaces_around(local in "[a-z0-9]{1,12}", host in "[a-z]{1,12}") {
        let text = format!("{local}@{host}.example");
        let email = Email::parse(&text).unwrap();
        prop_assert_eq!(Email::parse(&format!("  {} ", text.to_uppercase())).unwrap(), email.clone());
        let domain = format!("{host}.example");
        prop_assert_eq!(email.domain(), domain.as_str());
    }

    #[test]
    fn a_dn_has_one_key_however_it_is_escaped(values in prop::collection::vec("[a-zA-Zäö0-9 ,+=#;<>\"\\\\]{1,10}", 1..5)) {
        let values: Vec<String> = values.iter().map(|v| format!("a{v}b")).collect();
        let spelled = |how: fn(&str) -> String, types: [&str; 2], comma: &str| {
            (0..).zip(&values).map(|(n, v)| format!("{}={}", types[n % 2], how(v))).collect::<Vec<_>>().join(comma)
        };
        let one = Dn::parse(&spelled(escaped, ["cn", "ou"], ",")).unwrap();
        let other = Dn::parse(&spelled(plain, ["CN", "Ou"], ", ")).unwrap();
        prop_assert_eq!(one.key(), other.key());
        prop_assert_eq!(normalise(one.as_str()).unwrap(), normalise(other.as_str()).unwrap());
        let below = Dn::parse(&format!("uid=x,{}", other.as_str())).unwrap();
        prop_assert!(below.lies_within(&one) && !one.lies_within(&below));
        prop_assert_ne!(below.key(), one.key());
    }

    #[test]
    fn different_values_have_different_keys(a in "[a-z,+=]{1,8}", b in "[a-z,+=]{1,8}") {
        let key = |value: &str| Dn::parse(&format!("cn={},dc=x", escaped(value))).unwrap().key();
        prop_assert_eq!(key(&a) == key(&b), a == b);
    }

    #[test]
    fn a_mapping_never_panics(
        template in "(\\{\\{ ?(cn|mail|tel)( ?\\| ?(lower|upper|all|first|last|join|split|default|replace|title|trim|length|nosuch)(\\('[a-z]*'(, ?'[a-z]*')?\\))?)* ?\\}\\}|[ -~]|\\{% (if|for|else|endif|endfor|set x = cn)[ a-z]* %\\}){0,6}",
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..4),
    ) {
        let sources = BTreeMap::from([
            (Field::Name, "{{ cn }}".to_owned()),
            (Field::Email, "{{ mail }}".to_owned()),
            (Field::Notes, template),
        ]);
        let mut entry = Attributes::new();
        entry.insert("mail", [b"a@example.org".to_vec()]);
        entry.insert("cn", [b"Alice".to_vec()]);
        entry.insert("tel", values);
        if let Ok(mapping) = Mapping::compile(sources, BTreeMap::new(), ExternalIdRule::Own)
            && let Ok(mapped) = mapping.apply(&entry, &BTreeMap::new())
        {
            prop_assert!(!mapped.name.is_empty());
            let clean = |text: &String| text.trim() == text && !text.contains(0x1b as char);
            prop_assert!(mapped.texts.values().all(clean));
            // The same entry maps to the same, whatever stood in last time is kept.
            prop_assert_eq!(mapping.apply(&entry, &mapped.chosen).unwrap(), mapped);
        }
    }
}
