//! Files with secrets: the good ones, and every bad one.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use crate::config::secrets::{FileSecret, SECRET_BYTES_MAX, SecretError};
use crate::domain::settings::SecretPlace;

fn written(dir: &Path, content: &[u8], mode: u32) -> PathBuf {
    let path = dir.join("secret");
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

fn file(path: &Path) -> Result<String, SecretError> {
    let secret = FileSecret::new(SecretPlace::File(path.to_owned()), None);
    secret.read().map(|secret| secret.expose_secret().to_owned())
}

fn credential(dir: &Path, name: &str) -> Result<String, SecretError> {
    let secret = FileSecret::new(SecretPlace::Credential(name.to_owned()), Some(dir.to_owned()));
    secret.read().map(|secret| secret.expose_secret().to_owned())
}

#[test]
fn a_secret_is_read_without_the_line_break_that_editors_add() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[u8], &str); 6] = [
        (b"pass", "pass"),
        (b"pass\n", "pass"),
        (b"pass\r\n", "pass"),
        (b" p w \n", " p w "),
        ("pässwörd\n".as_bytes(), "pässwörd"),
        (b"#=\"'\\\n", "#=\"'\\"),
    ];
    for (content, secret) in cases {
        for mode in [0o600, 0o400] {
            assert_eq!(file(&written(dir.path(), content, mode)).unwrap(), secret);
        }
    }
    let longest = vec![b'x'; SECRET_BYTES_MAX];
    assert_eq!(file(&written(dir.path(), &longest, 0o600)).unwrap().len(), SECRET_BYTES_MAX);
}

#[test]
fn a_new_secret_counts_at_the_next_read() {
    let dir = tempfile::tempdir().unwrap();
    let secret = FileSecret::new(SecretPlace::File(written(dir.path(), b"old", 0o600)), None);
    assert_eq!(secret.read().unwrap().expose_secret(), "old");
    written(dir.path(), b"new", 0o600);
    assert_eq!(secret.read().unwrap().expose_secret(), "new");
}

#[test]
fn what_a_file_holds_decides_whether_it_is_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(Vec<u8>, &str); 11] = [
        (b"".to_vec(), "is empty"),
        (b"\n".to_vec(), "is empty"),
        (b"\r\n".to_vec(), "is empty"),
        (b" \t \n".to_vec(), "is empty"),
        ("\u{a0}\n".as_bytes().to_vec(), "is empty"),
        (b"pa\0ss".to_vec(), "a NUL"),
        (b"one\ntwo\n".to_vec(), "line break inside"),
        (b"pass\n\n".to_vec(), "line break inside"),
        (b"pass\r".to_vec(), "line break inside"),
        (b"p\xffss".to_vec(), "not UTF-8"),
        (vec![b'x'; SECRET_BYTES_MAX + 1], "more than 16384 bytes"),
    ];
    for (content, says) in cases {
        let fault = file(&written(dir.path(), &content, 0o600)).unwrap_err().to_string();
        assert!(fault.contains(says), "{content:?}: {fault}");
        assert!(!fault.contains("pass"), "the secret is in: {fault}");
    }
}

#[test]
fn a_file_that_others_could_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666, 0o777, 0o440] {
        let fault = file(&written(dir.path(), b"pass", mode)).unwrap_err();
        assert!(matches!(fault, SecretError::Mode { .. }), "{mode:o}: {fault}");
        assert!(fault.to_string().contains("chmod 600"), "{fault}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let target = written(dir.path(), b"pass", 0o600);
    let link = dir.path().join("link");
    symlink(&target, &link).unwrap();
    assert!(matches!(file(&link).unwrap_err(), SecretError::Link(_)));
    let dangling = dir.path().join("dangling");
    symlink("/nowhere/at/all", &dangling).unwrap();
    assert!(matches!(file(&dangling).unwrap_err(), SecretError::Link(_)));
    assert!(matches!(file(dir.path()).unwrap_err(), SecretError::NotAFile(_)));
    assert!(matches!(file(Path::new("/dev/null")).unwrap_err(), SecretError::NotAFile(_)));
    assert!(matches!(file(&dir.path().join("none")).unwrap_err(), SecretError::Missing(_)));
    assert!(matches!(file(&target.join("below")).unwrap_err(), SecretError::Missing(_)));
    // A pipe without a writer would make a careless reader wait for ever.
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::from(0o600), 0).unwrap();
    assert!(matches!(file(&pipe).unwrap_err(), SecretError::NotAFile(_)));
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(matches!(file(&socket).unwrap_err(), SecretError::NotAFile(_)));
}

#[test]
fn a_file_of_another_user_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), b"pass", 0o600);
    // Only root can give a file away; without that right there is nothing to try.
    if std::os::unix::fs::chown(&path, Some(12345), None).is_err() {
        return;
    }
    let fault = file(&path).unwrap_err();
    assert!(matches!(fault, SecretError::Owner { owner: 12345, .. }), "{fault}");
}

#[test]
fn a_credential_lies_in_systemds_directory() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o400, 0o440, 0o600] {
        written(dir.path(), b"pass\n", mode);
        assert_eq!(credential(dir.path(), "secret").unwrap(), "pass", "{mode:o}");
    }
    for mode in [0o444, 0o460, 0o404, 0o644] {
        written(dir.path(), b"pass\n", mode);
        assert!(matches!(credential(dir.path(), "secret").unwrap_err(), SecretError::Mode { .. }), "{mode:o}");
    }
}

#[test]
fn a_credential_cannot_lead_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["", ".", "..", "a/b", "/etc/passwd", "a b", "ä", "a\0"] {
        assert!(matches!(credential(dir.path(), name).unwrap_err(), SecretError::CredentialName(_)), "{name:?}");
    }
    let nowhere = FileSecret::new(SecretPlace::Credential("ldap".into()), None);
    let fault = nowhere.read().unwrap_err();
    assert!(fault.to_string().contains("LoadCredential=ldap:FILE"), "{fault}");
    let relative = FileSecret::new(SecretPlace::Credential("ldap".into()), Some("creds".into()));
    assert!(matches!(relative.read().unwrap_err(), SecretError::NoCredentials(_)));
}

#[test]
fn a_secret_is_never_printed() {
    let dir = tempfile::tempdir().unwrap();
    let secret = FileSecret::new(SecretPlace::File(written(dir.path(), b"hunter2", 0o600)), None);
    assert!(!format!("{:?}{secret:?}", secret.read()).contains("hunter2"));
}
