//! Secrets are in their files and nowhere else: not in output, log, report or store, not where a process list shows.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use sandbox::zendesk::{Act, Fault};
use serde_json::json;

use crate::support::company::{LDAP_SECRET, SUPPORT, ZENDESK_SECRET};
use crate::support::rig_cli::Rig;

/// The most talkative that the log can be made.
const LOUD: (&str, &str) = ("ZENDESK_DIRSYNC_LOG", "trace");

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8], secrets: &[&str]) {
    for secret in secrets {
        assert!(!holds(bytes, secret), "{what} holds {secret}");
    }
}

#[track_caller]
fn assert_files_are_clean(rig: &Rig, secrets: &[&str]) {
    let mut found = Vec::new();
    files(rig.dir(), &mut found);
    found.retain(|path| path.extension().is_none_or(|end| end != "secret"));
    assert!(found.iter().any(|path| path.ends_with("report.log")), "{found:?}");
    assert!(found.iter().any(|path| path.starts_with(rig.path("state"))), "{found:?}");
    for path in found {
        assert_clean(&path.display().to_string(), &fs::read(&path).unwrap(), secrets);
    }
}

#[test]
fn a_loud_daemon_shows_no_secret() {
    let rig = Rig::unbraked();
    let secrets = [LDAP_SECRET, ZENDESK_SECRET];
    let daemon = rig.start_with(&[], &[LOUD]);
    daemon.says("daemon began");
    let mut shown = String::new();
    for args in [&["--once"][..], &["plan"], &["status"], &["check"], &["report"], &["holds"]] {
        shown += &rig.start_with(args, &[LOUD]).finish().all();
    }
    for name in ["cmdline", "environ"] {
        let path = format!("/proc/{}/{name}", daemon.id());
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.is_empty());
        assert_clean(&path, &bytes, &secrets);
    }
    daemon.signal(Signal::TERM);
    shown += &daemon.finish().expect(0).all();
    assert!(shown.contains("TRACE") || shown.contains("DEBUG"), "the log was not loud");
    assert_clean("the output", shown.as_bytes(), &secrets);
    rig.assert_served(&SUPPORT);
    assert_files_are_clean(&rig, &secrets);
}

#[test]
fn refused_secrets_are_not_repeated() {
    let rig = Rig::unbraked();
    let wrong = ["canary-wrong-ldap-1", "canary-wrong-desk-2"];
    rig.write_secret("ldap.secret", wrong[0]);
    let mut shown = rig.start_with(&["--once"], &[LOUD]).finish().expect(5).all();
    rig.write_secret("ldap.secret", LDAP_SECRET);
    rig.write_secret("zendesk.secret", wrong[1]);
    shown += &rig.start_with(&["--once"], &[LOUD]).finish().expect(6).all();
    shown += &rig.start_with(&["check"], &[LOUD]).finish().all();
    assert_clean("the output", shown.as_bytes(), &wrong);
    assert_files_are_clean(&rig, &[wrong[0], wrong[1], LDAP_SECRET]);
}

#[test]
fn a_token_is_shown_nowhere() {
    let token = "canarytoken0f1e2d3c4b5a69788796a5b4";
    let rig = Rig::unbraked();
    let body = json!({"access_token": token, "token_type": "bearer", "scope": "read write", "expires_in": 1800});
    rig.desk().push_faults(vec![Fault {
        method: Some("POST".to_owned()),
        path: "/oauth/tokens".to_owned(),
        nth: None,
        act: Act::Answer { status: 201, headers: std::collections::BTreeMap::new(), body },
    }]);
    // Zendesk doesn't know it: the refusal is told, the token isn't.
    let shown = rig.start_with(&["--once"], &[LOUD]).finish().expect(6).all();
    assert_clean("the output", shown.as_bytes(), &[token]);
    assert_files_are_clean(&rig, &[token]);
}

#[test]
fn files_that_the_product_makes_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let rig = Rig::unbraked();
    rig.once().expect(0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&rig.path("state")), 0o750, "the group reaches the control socket");
    assert_eq!(mode(&rig.path("report.log")) & 0o007, 0, "{:o}", mode(&rig.path("report.log")));
    let mut found = Vec::new();
    files(&rig.path("state"), &mut found);
    for path in found {
        assert_eq!(mode(&path) & 0o077, 0, "{}: {:o}", path.display(), mode(&path));
    }
}
