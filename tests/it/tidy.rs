//! Rules about the sources, held by reading them: who imports whom, how long files are, what tests may not do.
//!
//! A module that isn't there yet isn't checked. It reads text, not syntax: what it looks for is written plainly.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A Rust source: its path from the root, all of its text, and the text outside comments and test modules.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    /// The module at the top: `engine` for `src/engine/cycle.rs`.
    fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        // A fake peer, and a client's method for tests.
        let fakes = ["src/directory/peer.rs"];
        self.path.ends_with("tests.rs") || self.path.contains("/tests/") || fakes.contains(&self.path.as_str())
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(under: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(under), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source { code: code(&text), path, text });
        }
    }
}

/// The text without comments, and without what follows the first in-file test module.
fn code(text: &str) -> String {
    let tests = ["#[cfg(test)]\nmod ", "#[cfg(test)]\npub mod ", "#[cfg(test)]\npub(crate) mod "];
    let inline = |start: &str| {
        let body =
            |at: usize| text[at + 12..].find(['{', ';']).is_some_and(|brace| text[at + 12 + brace..].starts_with('{'));
        text.match_indices(start).map(|(at, _)| at).find(|at| body(*at))
    };
    let end = tests.iter().filter_map(|start| inline(start)).min().unwrap_or(text.len());
    let line = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    text[..end].lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What follows `prefix` wherever it stands on its own: names, and the names at the top of a braced list.
fn named_after(code: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let path = |text: &str| -> String {
            text.trim().chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '!')).collect()
        };
        match rest.strip_prefix('{') {
            Some(list) => names.extend(top_of_list(list).iter().map(|one| path(one))),
            None => names.push(path(rest)),
        }
    }
    names
}

/// The parts of a braced list, inner lists kept whole.
fn top_of_list(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for c in list.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => parts.push(String::new()),
            other => {
                depth += i32::from(other == '{') - i32::from(other == '}');
                parts.last_mut().unwrap().push(other);
            }
        }
    }
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

/// Which of our modules a module may name, by the beginnings of their paths.
const MODULES: &[(&str, &[&str])] = &[
    ("domain", &["domain"]),
    ("engine", &["domain", "engine"]),
    ("config", &["config", "domain"]),
    ("directory", &["directory", "domain", "engine::ports", "tls"]),
    ("tls", &["tls"]),
    ("zendesk", &["zendesk", "domain", "engine::ports"]),
    ("store", &["store", "domain", "engine::ports"]),
    ("report", &["report", "domain", "engine::ports"]),
    ("notify", &["notify", "domain", "engine::ports"]),
    ("ldif", &["ldif", "domain", "engine::ports"]),
    ("control", &["control", "domain", "engine", "report::render"]),
    ("daemon", &["daemon", "domain", "engine", "control"]),
    ("telemetry", &["telemetry"]),
];

/// Crates that only these modules may name. What isn't here is free outside of `domain` and `engine`.
const CRATES: &[(&str, &[&str])] = &[
    // The configuration has ldap3 judge filters, so that a wrong one is known before anything is started.
    ("ldap3", &["directory", "config"]),
    ("lber", &["directory"]),
    ("sled", &["store"]),
    ("postcard", &["store"]),
    ("reqwest", &["zendesk", "notify", "cli"]),
    ("oauth2", &["zendesk"]),
    ("axum", &["control"]),
    ("hyper", &["control", "daemon"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("indicatif", &["cli"]),
    ("comfy_table", &["cli", "report"]),
    ("anyhow", &["cli", "main"]),
    ("tokio_cron_scheduler", &["daemon"]),
    ("sd_notify", &["daemon"]),
    ("toml", &["config", "cli"]),
    ("tracing_subscriber", &["telemetry"]),
    ("tracing_journald", &["telemetry"]),
];

/// All that the rules may name.
const DOMAIN_CRATES: &[&str] = &[
    "std",
    "core",
    "thiserror",
    "chrono",
    "chrono_tz",
    "croner",
    "minijinja",
    "uuid",
    "sha2",
    "unicode_normalization",
    "email_address",
    "bitflags",
    "url",
];

/// All that the engine may name; of tokio only what waits and synchronises, and secrets only in its ports.
const ENGINE_CRATES: &[&str] = &["std", "core", "thiserror", "chrono", "tokio", "tracing", "secrecy", "futures_util"];
const ENGINE_TOKIO: &[&str] = &["time", "sync", "join!", "select!"];
/// What the engine shows travels over the control socket and to stdout: only these files of it know how.
const ENGINE_FORMATS: &[&str] = &[
    "src/engine/brake_view.rs",
    "src/engine/command.rs",
    "src/engine/hold_view.rs",
    "src/engine/lease_view.rs",
    "src/engine/progress.rs",
    "src/engine/saved.rs",
    "src/engine/undo/view.rs",
    "src/engine/reply.rs",
    "src/engine/view.rs",
    "src/engine/byhand.rs",
    "src/engine/groups.rs",
    "src/engine/kept.rs",
    "src/engine/servers.rs",
    "src/engine/pause.rs",
];

/// Every crate that Cargo.toml names, as Rust spells it.
fn dependencies() -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = matches!(line.trim(), "[dependencies]" | "[dev-dependencies]");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            names.insert(name.trim().replace('-', "_"));
        }
    }
    names
}

#[test]
fn modules_name_only_the_modules_below_them() {
    let mut broken = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        let Some((_, allowed)) = MODULES.iter().find(|(module, _)| *module == source.module()) else { continue };
        for name in named_after(&source.code, "crate::") {
            // A macro of a crate begins with `$crate::`, and an item at the crate's root is anybody's.
            let fits = |one: &&str| name == **one || name.starts_with(&format!("{one}::"));
            if name != "planted" && !allowed.iter().any(fits) {
                broken.push(format!("{} names crate::{name}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn crates_are_named_only_where_they_belong() {
    let mut broken = Vec::new();
    let all = dependencies();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        let module = source.module();
        for name in &all {
            let used = named_after(&source.code, &format!("{name}::"));
            if used.is_empty() {
                continue;
            }
            let only = CRATES.iter().find(|(one, _)| one == name).map(|(_, only)| *only);
            let fits = match module {
                "domain" => DOMAIN_CRATES.contains(&name.as_str()),
                "engine" if name.starts_with("serde") => ENGINE_FORMATS.contains(&source.path.as_str()),
                "engine" => ENGINE_CRATES.contains(&name.as_str()),
                other => only.is_none_or(|only| only.contains(&other)),
            };
            if !fits {
                broken.push(format!("{} names {name}", source.path));
            }
            let tokio = |one: &String| {
                let part = one.split("::").next().unwrap_or_default();
                !ENGINE_TOKIO.contains(&part)
            };
            if module == "engine" && name == "tokio" && used.iter().any(tokio) {
                broken.push(format!("{} names tokio::{}", source.path, used.join(", tokio::")));
            }
            if module == "engine" && name == "secrecy" && source.path != "src/engine/ports/mod.rs" {
                broken.push(format!("{} names secrecy", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_rules_know_no_time_no_files_no_network_and_no_logging() {
    let never = ["std::fs", "std::net", "std::env", "std::process", "::now()", "async fn", "println!", "thread_rng"];
    let mut broken = Vec::new();
    for source in sources("src").iter().filter(|source| source.module() == "domain" && !source.is_test()) {
        let met = never.iter().filter(|what| source.code.contains(**what));
        broken.extend(met.map(|what| format!("{} has {what}", source.path)));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn nothing_unwraps_outside_tests() {
    let mut broken = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        for what in [".unwrap()", ".expect(", "unimplemented!(", "todo!(", "dbg!("] {
            if source.code.contains(what) {
                broken.push(format!("{} has {what}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    const LINES_MAX: usize = 500;
    let mut broken = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        if !source.text.starts_with("//!") {
            broken.push(format!("{} doesn't begin with //!", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            broken.push(format!("{} has {lines} lines, more than {LINES_MAX}", source.path));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn no_test_is_left_out_or_waits_for_the_clock() {
    let mut broken = Vec::new();
    // One place waits for other processes, by looking again after a moment.
    let own = ["tests/it/tidy.rs", "tests/it/support/until.rs"];
    for source in sources("src").iter().chain(&sources("tests")).filter(|source| !own.contains(&source.path.as_str())) {
        if source.text.contains("#[ignore") {
            broken.push(format!("{} leaves a test out", source.path));
        }
        let tests = if source.path.starts_with("src") && !source.is_test() {
            source.text.split("#[cfg(test)]").nth(1).unwrap_or_default()
        } else if source.path.starts_with("tests/sandbox") && !source.is_test() {
            ""
        } else {
            &source.text
        };
        let real = !source.text.contains("start_paused");
        if tests.contains("thread::sleep") || (real && tests.contains("time::sleep(")) {
            broken.push(format!("{} sleeps in a test", source.path));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_reader_of_these_rules_sees_what_it_should() {
    let text = "//! x\nuse crate::{a::b, c::{d, e}};\nlet x = crate::f::g(); // crate::comment\nuse mycrate::h;\n\
                #[cfg(test)]\nmod tests;\nuse crate::late::i;\n#[cfg(test)]\nmod inner {\n use crate::hidden::j;\n}";
    let code = code(text);
    assert_eq!(named_after(&code, "crate::"), ["a::b", "c::", "f::g", "late::i"]);
    assert_eq!(
        named_after("use tokio::join;\n let a = ::tokio::spawn(x); tokio::select! {", "tokio::"),
        ["join", "select!"]
    );
}
