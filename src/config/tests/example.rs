//! The example file: it loads, shows every key, and its defaults are the true ones. And files that were damaged.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use expect_test::expect;
use proptest::prelude::*;

use super::{now, read};
use crate::config::{Colour, LoadFault, known_keys, load};

const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// The example with every default that it shows taken in.
fn with_defaults() -> String {
    let shown = |line: &str| {
        let rest = line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        rest.unwrap_or(line).to_owned()
    };
    EXAMPLE.lines().map(shown).collect::<Vec<_>>().join("\n")
}

fn described(text: &str) -> String {
    let settings = read(text).unwrap_or_else(|faults| panic!("{}", faults.render(Colour::Plain)));
    let digests: Vec<String> = settings.apps.iter().map(|app| app.rules.digest().to_string()).collect();
    format!("{settings:#?}{digests:?}")
}

#[test]
fn the_example_loads_and_the_defaults_it_shows_are_the_true_ones() {
    assert_eq!(described(EXAMPLE), described(&with_defaults()));
}

#[test]
fn the_example_sets_every_key_or_shows_its_default() {
    let document = toml::Value::Table(with_defaults().parse().unwrap());
    let mut unset = Vec::new();
    for (table, names) in known_keys(EXAMPLE, now()) {
        let mut below = vec![&document];
        for part in table.replace("[]", "").split('.').filter(|part| !part.is_empty()) {
            below = below.into_iter().filter_map(|value| value.get(part)).collect();
            below = below
                .into_iter()
                .flat_map(|value| value.as_array().map_or(vec![value], |all| all.iter().collect()))
                .collect();
        }
        let is_set = |name: &&&str| !below.iter().any(|value| value.get(name).is_some());
        unset.extend(names.iter().filter(is_set).map(|name| format!("{table}.{name}")));
    }
    // What stands for another key, in its stead.
    assert_eq!(unset, ["app[].base_url", "app[].auth.email", "app[].auth.token_file"]);
}

#[test]
fn the_shortest_file_in_the_example_loads() {
    let lines = EXAMPLE.lines().skip_while(|line| !line.contains("The shortest whole file")).skip(1);
    let block: Vec<&str> =
        lines.take_while(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#')).collect();
    described(&block.join("\n"));
    assert!(block.len() > 15, "{block:?}");
}

/// Words before an equals sign, by the section they stand in, in settings and in words alike.
fn words() -> BTreeMap<String, Vec<String>> {
    let mut section = String::new();
    let mut words: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut begun = false;
    for line in EXAMPLE.lines() {
        if let Some(heading) = line.strip_prefix('[') {
            section = heading.trim_matches(['[', ']']).to_owned();
            words.entry(section.clone()).or_default();
            begun = true;
        }
        if !begun {
            continue;
        }
        let parts: Vec<&str> = line.split('=').collect();
        for before in &parts[..parts.len() - 1] {
            let word = before.trim_end().rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
            words.entry(section.clone()).or_default().extend(word.map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_example_shows_every_key() {
    let known = known_keys(EXAMPLE, now());
    let words = words();
    let mut keys = Vec::new();
    for (table, names) in &known {
        for name in names {
            let full = if table.is_empty() { (*name).to_owned() } else { format!("{table}.{name}") }.replace("[]", "");
            let (parent, _) = full.rsplit_once('.').unwrap_or(("", &full));
            // A key stands in its own section, as its heading, or in an inline table of a section above.
            let mut above = parent;
            let found = words.contains_key(&full)
                || std::iter::from_fn(|| {
                    let this = above;
                    above = above.rsplit_once('.').map_or("", |(above, _)| above);
                    (!this.is_empty()).then_some(this)
                })
                .any(|section| words.get(section).is_some_and(|words| words.iter().any(|word| word == name)));
            assert!(found, "config.example.toml doesn't show {full}");
            keys.push(full);
        }
    }
    expect![[r#"
        app
        brake
        daemon
        directory
        report
        state
        app.admins_min
        app.agent_email_domains
        app.assignment
        app.auth
        app.base_url
        app.create
        app.deprovision
        app.deprovisioning
        app.lease
        app.mapping
        app.matching
        app.name
        app.protected
        app.rate_share
        app.reactivate
        app.subdomain
        app.timeout
        app.update
        app.welcome_mail
        app.assignment.custom_role
        app.assignment.default_group
        app.assignment.directory
        app.assignment.group
        app.assignment.groups
        app.assignment.may_be_empty
        app.assignment.role
        app.assignment.tags
        app.auth.client_id
        app.auth.client_secret_file
        app.auth.email
        app.auth.scopes
        app.auth.token_file
        app.deprovisioning.disabled
        app.deprovisioning.expired
        app.deprovisioning.gone
        app.deprovisioning.out_of_scope
        app.lease.email
        app.lease.enabled
        app.mapping.alias
        app.mapping.details
        app.mapping.email
        app.mapping.name
        app.mapping.notes
        app.mapping.phone
        app.mapping.signature
        app.mapping.notes.mode
        app.mapping.notes.template
        app.mapping.phone.mode
        app.mapping.phone.template
        app.matching.adopt
        app.matching.adopt_domains
        app.matching.external_id
        brake.creations
        brake.first_cycle
        brake.removals_24h
        brake.removals_7d
        brake.removals_by_absence
        brake.removals_shown
        brake.source_gone
        brake.takes_or_raises
        brake.takes_or_raises_24h
        brake.updates
        brake.creations.count
        brake.creations.percent
        brake.removals_24h.count
        brake.removals_24h.percent
        brake.removals_7d.count
        brake.removals_7d.percent
        brake.removals_by_absence.count
        brake.removals_by_absence.percent
        brake.removals_shown.count
        brake.removals_shown.percent
        brake.source_gone.count
        brake.source_gone.percent
        brake.takes_or_raises.count
        brake.takes_or_raises.percent
        brake.takes_or_raises_24h.count
        brake.takes_or_raises_24h.percent
        brake.updates.count
        brake.updates.percent
        daemon.jitter
        daemon.schedule
        daemon.timezone
        directory.base
        directory.bind
        directory.ca_file
        directory.canaries
        directory.group_filter
        directory.id_attribute
        directory.ignored_contexts
        directory.kind
        directory.member_attribute
        directory.name
        directory.page_size
        directory.people_filter
        directory.plaintext
        directory.ranges
        directory.read_timeout
        directory.starttls
        directory.timeout
        directory.urls
        directory.bind.dn
        directory.bind.password_file
        directory.canaries.attribute
        directory.canaries.dn
        report.file
        report.max_age
        report.max_size
        report.max_total
        report.redact
        state.dir
    "#]]
    .assert_eq(&format!("{}\n", keys.join("\n")));
}

#[test]
fn a_file_is_loaded_and_its_digest_follows_its_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, EXAMPLE).unwrap();
    let first = load(&path, now()).unwrap();
    assert_eq!(first.path, path);
    assert_eq!(load(&path, now()).unwrap().digest, first.digest);
    std::fs::write(&path, format!("{EXAMPLE}\n# more")).unwrap();
    assert_ne!(load(&path, now()).unwrap().digest, first.digest);
}

#[test]
fn a_file_that_cannot_be_used_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    let load = || load(&path, now()).unwrap_err();
    let missing = load();
    assert!(matches!(missing, LoadFault::Unreadable { .. }) && missing.render(Colour::Plain).contains("--config"));
    std::fs::write(&path, [b'a', 0xff]).unwrap();
    assert!(matches!(load(), LoadFault::NotText(_)));
    std::fs::write(&path, "#".repeat(1024 * 1024 + 1)).unwrap();
    assert!(matches!(load(), LoadFault::TooLong(_)));
    std::fs::write(&path, "x = 1").unwrap();
    let faults = load();
    assert!(faults.render(Colour::Plain).contains("`x` is not a key of the file's top level"), "{faults}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o646)).unwrap();
    let writable = load();
    assert!(matches!(writable, LoadFault::Writable(_)) && writable.render(Colour::Plain).contains("chmod o-w"));
    assert!(matches!(super::super::load(dir.path(), now()).unwrap_err(), LoadFault::Unreadable { .. }));
}

/// Text that could have been meant as a configuration: the example with some of it damaged.
fn damaged() -> impl Strategy<Value = String> {
    let text = with_defaults();
    let edit = (
        0..text.len(),
        prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            prop::sample::select(b"[]{}\"'=#.,\n0-9truefals".to_vec()).prop_map(|byte| vec![byte]),
            "\\PC{1,12}".prop_map(String::into_bytes),
            Just(b"\n[[app]]\n".to_vec()),
            Just(b"\n[[app.assignment]]\n".to_vec()),
        ],
        0..40_usize,
    );
    prop::collection::vec(edit, 1..6).prop_map(move |edits| {
        let mut bytes = text.clone().into_bytes();
        for (at, new, removed) in edits {
            let at = at.min(bytes.len());
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, new);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_text_is_read_or_refused_with_its_lines(text in damaged()) {
        if let Err(faults) = read(&text) {
            prop_assert!(faults.count() >= 1);
            let lines = text.matches('\n').count() + 1;
            for fault in &faults {
                prop_assert!((1..=lines).contains(&fault.line), "{fault}");
                prop_assert!(fault.column >= 1 && !fault.what.is_empty() && !fault.remedy.is_empty());
            }
            let obeyed = faults.render(Colour::Plain).contains('\x1b');
            prop_assert!(!obeyed, "a terminal would obey this");
            faults.render(Colour::Coloured);
        }
    }
}
