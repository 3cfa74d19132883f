//! Secrets from files: read each time they are needed, and refused when others could have read or written them.
//!
//! A secret is never in the configuration, an argument or the environment, and it leaves here only in a type that
//! can't be printed. No error repeats what a file holds.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use crate::domain::settings::SecretPlace;

/// Longest secret, in bytes.
pub const SECRET_BYTES_MAX: usize = 16 * 1024;

/// A secret that can't be had, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is no credentials directory.
    #[error(
        "credential:{0} can't be had, because systemd set no CREDENTIALS_DIRECTORY: start the service with LoadCredential={0}:FILE in its unit, or name a file instead"
    )]
    NoCredentials(String),
    /// The credential's name could lead elsewhere.
    #[error("credential:{0:?} is not a credential's name: use letters, digits, '.', '_' and '-'")]
    CredentialName(String),
    /// The file isn't there.
    #[error("{0} doesn't exist: write the secret into it, then run chmod 600 {0}")]
    Missing(String),
    /// It is a link.
    #[error("{0} is a symbolic link, which could be turned elsewhere: name the file itself")]
    Link(String),
    /// It isn't a regular file.
    #[error("{0} is not a regular file: name a file that holds the secret and nothing else")]
    NotAFile(String),
    /// Somebody else owns it.
    #[error("{path} belongs to user {owner}, who could change it: run chown {expected} {path}")]
    Owner {
        /// The file.
        path: String,
        /// Whose it is.
        owner: u32,
        /// Whose it should be.
        expected: u32,
    },
    /// Others may use it.
    #[error("{path} can be used by others (mode {mode:04o}): run chmod 600 {path}")]
    Mode {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// It is too long.
    #[error("{0} has more than {SECRET_BYTES_MAX} bytes: put the secret alone into the file")]
    TooLong(String),
    /// It is empty or white space. An empty password would bind as nobody (RFC 4513 section 5.1.2).
    #[error("{0} is empty: write the secret into it")]
    Empty(String),
    /// It has several lines, or a NUL.
    #[error("{0} has a line break inside, or a NUL: put the secret alone into the file, in one line")]
    NotOneLine(String),
    /// It isn't text.
    #[error("{0} is not UTF-8 text: write the secret as UTF-8")]
    NotText(String),
    /// The system refused.
    #[error("{path} can't be read: {why}; let the service's user read it")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
}

/// Where a secret lies, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSecret {
    place: SecretPlace,
    credentials_dir: Option<PathBuf>,
}

/// Whose permissions are acceptable.
#[derive(Clone, Copy)]
enum Custody {
    /// A file of the operator: nobody else may use it.
    Operator,
    /// A file of systemd: with an access list the group's bits show its mask, 0440 (systemd.exec, LoadCredential).
    Systemd,
}

/// Whether a text is a credential's name, which can't leave its directory.
pub(super) fn is_credential_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=255).contains(&name.len()) && name.chars().all(fits) && !matches!(name, "." | "..")
}

impl FileSecret {
    /// A secret at a place. `credentials_dir` is what systemd's `$CREDENTIALS_DIRECTORY` said at the start.
    pub const fn new(place: SecretPlace, credentials_dir: Option<PathBuf>) -> Self {
        Self { place, credentials_dir }
    }

    /// The file that is read.
    ///
    /// # Errors
    /// When a credential is named and there is no directory of credentials.
    pub fn path(&self) -> Result<PathBuf, SecretError> {
        match &self.place {
            SecretPlace::File(path) => Ok(path.clone()),
            SecretPlace::Credential(name) if !is_credential_name(name) => {
                Err(SecretError::CredentialName(name.clone()))
            }
            SecretPlace::Credential(name) => match &self.credentials_dir {
                Some(dir) if dir.is_absolute() => Ok(dir.join(name)),
                Some(_) | None => Err(SecretError::NoCredentials(name.clone())),
            },
        }
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// When the file isn't there, isn't safe, or doesn't hold one line of text.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let path = self.path()?;
        let custody = match self.place {
            SecretPlace::File(_) => Custody::Operator,
            SecretPlace::Credential(_) => Custody::Systemd,
        };
        let name = path.display().to_string();
        // NONBLOCK: a pipe in the file's place would make the open wait for ever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::open(&path, flags, Mode::empty()).map_err(|why| refusal(&name, why))?;
        // What was opened is judged, not what the name leads to a moment later.
        let stat = rustix::fs::fstat(&file).map_err(|why| refusal(&name, why))?;
        judge(&name, &stat, custody)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 1));
        let mut whole = File::from(file).take(SECRET_BYTES_MAX as u64 + 1);
        whole
            .read_to_end(&mut bytes)
            .map_err(|why| SecretError::Unreadable { path: name.clone(), why: why.to_string() })?;
        secret(&name, &bytes)
    }
}

fn refusal(name: &str, why: Errno) -> SecretError {
    match why {
        Errno::NOENT | Errno::NOTDIR => SecretError::Missing(name.to_owned()),
        Errno::LOOP => SecretError::Link(name.to_owned()),
        // A socket can't be opened at all, nor a device without a driver.
        Errno::NXIO | Errno::NODEV => SecretError::NotAFile(name.to_owned()),
        why => SecretError::Unreadable { path: name.to_owned(), why: why.to_string() },
    }
}

/// Judges the opened file: a regular one, root's or our own, closed to others.
fn judge(name: &str, stat: &Stat, custody: Custody) -> Result<(), SecretError> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(SecretError::NotAFile(name.to_owned()));
    }
    let own = rustix::process::geteuid().as_raw();
    if stat.st_uid != 0 && stat.st_uid != own {
        return Err(SecretError::Owner { path: name.to_owned(), owner: stat.st_uid, expected: own });
    }
    let mode = stat.st_mode & 0o7777;
    let open = match custody {
        Custody::Operator => mode & 0o077,
        Custody::Systemd => mode & 0o037,
    };
    if open != 0 {
        return Err(SecretError::Mode { path: name.to_owned(), mode });
    }
    Ok(())
}

/// The secret in a file's bytes: one line of text, without the line break that editors add.
fn secret(name: &str, bytes: &[u8]) -> Result<SecretString, SecretError> {
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(SecretError::TooLong(name.to_owned()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SecretError::NotText(name.to_owned()))?;
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.trim().is_empty() {
        return Err(SecretError::Empty(name.to_owned()));
    }
    if line.contains(['\0', '\n', '\r']) {
        return Err(SecretError::NotOneLine(name.to_owned()));
    }
    Ok(SecretString::from(line.to_owned()))
}
