//! Names and identifiers: each a type of its own, parsed once, so that a mail can't stand where an id is meant.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;

/// A value that can't be what it is said to be; the text says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Invariant: 1 to 64 of `a-z 0-9 - _ .`, so that it can stand in a path, a key and a log line.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses a name from the configuration.
            ///
            /// # Errors
            /// When a character outside the allowed ones occurs, or the length is off.
            pub fn new(text: &str) -> Result<Self, Malformed> {
                let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
                if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
                    return Err(Malformed(format!(
                        "{text:?} is not a name: use 1 to 64 lower-case letters, digits, '-', '_' or '.'"
                    )));
                }
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name! {
    /// The name of a configured directory.
    DirectoryName
}
name! {
    /// The name of a configured app (one Zendesk account).
    AppName
}

macro_rules! zendesk_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

zendesk_id! {
    /// The id of a Zendesk user: an *account* in our words.
    AccountId
}
zendesk_id! {
    /// The id of a Zendesk group.
    GroupId
}
zendesk_id! {
    /// The id of a group membership, which a removal names.
    MembershipId
}
zendesk_id! {
    /// The id of a Zendesk custom role.
    CustomRoleId
}

/// The immutable id of a directory entry (`objectGUID`, `entryUUID`, `nsUniqueId`): 16 bytes in printed order.
///
/// AD stores `objectGUID` with its first three parts little-endian (MS-DTYP 2.3.4.2); [`EntryId::from_object_guid`]
/// turns them, so that the hex shown here is what AD's own tools print.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId([u8; 16]);

impl EntryId {
    /// An id from bytes that are in printed order already.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// An id from the 16 bytes of AD's `objectGUID` (or `mS-DS-ConsistencyGuid`).
    ///
    /// # Errors
    /// When the value isn't 16 bytes long.
    pub fn from_object_guid(value: &[u8]) -> Result<Self, Malformed> {
        let bytes: [u8; 16] =
            value.try_into().map_err(|_| Malformed(format!("a GUID has 16 bytes, this has {}", value.len())))?;
        Ok(Self(uuid::Uuid::from_bytes_le(bytes).into_bytes()))
    }

    /// An id from its text: dashed, plain, or 389-ds's four groups of eight.
    ///
    /// # Errors
    /// When it isn't 32 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let hex: String = text.chars().filter(|c| !matches!(c, '-' | '{' | '}')).collect();
        let malformed = || Malformed(format!("{text:?} is not an immutable id of 32 hexadecimal digits"));
        uuid::Uuid::try_parse(&hex).map(|id| Self(id.into_bytes())).map_err(|_| malformed())
    }

    /// The 16 bytes in printed order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 16 bytes as AD stores them, for an LDAP filter.
    pub fn to_object_guid(self) -> [u8; 16] {
        uuid::Uuid::from_bytes(self.0).to_bytes_le()
    }

    /// The dashed form, as `entryUUID` prints it.
    pub fn dashed(&self) -> String {
        uuid::Uuid::from_bytes(self.0).to_string()
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", uuid::Uuid::from_bytes(self.0).simple())
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A person: an entry of one directory. DN and mail are attributes of it, never its identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId {
    /// The directory that holds the entry.
    pub directory: DirectoryName,
    /// The entry's immutable id there.
    pub entry: EntryId,
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.directory, self.entry)
    }
}

/// A mail address, normalised as Zendesk compares it: NFC, lower case, no surrounding white space.
///
/// Invariant: it passes RFC 5321 syntax and has a domain with a dot or is `localhost`-like by explicit use in tests.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// Parses and normalises an address.
    ///
    /// # Errors
    /// When the syntax is off; the message shows the value.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let trimmed = text.trim();
        // Again after lowering: some letters have a composed form in lower case only (U+0048 U+0331, U+1E96).
        let lower = |text: &str| text.nfc().collect::<String>().to_lowercase().nfc().collect();
        // NFC leaves ASCII as it is.
        let normal: String = if trimmed.is_ascii() { trimmed.to_ascii_lowercase() } else { lower(trimmed) };
        if normal.is_empty() {
            return Err(Malformed("no mail address".into()));
        }
        let options = email_address::Options::default().without_display_text().without_domain_literal();
        match email_address::EmailAddress::parse_with_options(&normal, options.with_required_tld()) {
            Ok(_) => Ok(Self(normal)),
            Err(why) => Err(Malformed(format!("{text:?} is not a mail address: {why}"))),
        }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part behind the last `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Zendesk's `external_id`. Two that differ only in case are the same one there (API reference, Users).
#[derive(Clone)]
pub struct ExternalId(String);

impl ExternalId {
    /// The prefix of the ids that this product gives by itself.
    pub const OWN_PREFIX: &'static str = "dirsync-";

    /// The prefix of the ids that markers of leases carry: no person's, since a hexadecimal id has no `l`.
    pub const LEASE_PREFIX: &'static str = "dirsync-lease-";

    /// An id from a mapping or an answer.
    ///
    /// # Errors
    /// When it is empty, longer than 255 bytes or has control characters.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
            return Err(Malformed(format!(
                "{text:?} can't be an external_id: 1 to 255 bytes without control characters"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// The id that this product gives: the prefix and the immutable id, the same whichever host runs us.
    pub fn own(entry: EntryId) -> Self {
        Self(format!("{}{entry}", Self::OWN_PREFIX))
    }

    /// The id of the marker of an app's lease.
    pub fn lease(app: &AppName) -> Self {
        Self(format!("{}{app}", Self::LEASE_PREFIX))
    }

    /// Whether it is the id of a lease's marker.
    pub fn is_lease(&self) -> bool {
        self.folded().starts_with(Self::LEASE_PREFIX)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for ExternalId {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}
impl Eq for ExternalId {}
impl PartialOrd for ExternalId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ExternalId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(&other.folded())
    }
}
impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A SHA-256 over a canonical form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Parses 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed(format!("{text:?} is not a digest of 64 hexadecimal digits"));
        if text.len() != 64 || !text.is_ascii() {
            return Err(malformed());
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| malformed())?;
        }
        Ok(Self(bytes))
    }

    /// The first eight hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Builds a [`Digest`] over fields, each with its length before it, so that no two lists of fields run together.
#[derive(Default)]
pub struct Digester(Vec<u8>);

impl Digester {
    /// Starts a digest of one kind of thing; the label keeps kinds apart.
    pub fn new(label: &str) -> Self {
        let mut digester = Self::default();
        digester.text(label);
        digester
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Ends the digest.
    pub fn finish(self) -> Digest {
        Digest(Sha256::digest(&self.0).into())
    }
}

/// The name of a cycle: its start in UTC to the millisecond, so that names sort as the cycles ran.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CycleId(String);

impl CycleId {
    /// The name of a cycle that starts now.
    pub fn at(start: chrono::DateTime<chrono::Utc>) -> Self {
        Self(start.format("%Y%m%dT%H%M%S%.3fZ").to_string().replace('.', ""))
    }

    /// A name read back from the store or given by a person.
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CycleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
