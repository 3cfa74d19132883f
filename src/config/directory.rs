//! A `[[directory]]`: its servers, who reads, and what is read there.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::{Spot, Table};
use super::values::{Wrong, attribute, file_path, filter, secret_place, shown};
use crate::domain::dn::Dn;
use crate::domain::id::DirectoryName;
use crate::domain::settings::{Canary, DirectoryKind, DirectorySettings, Protection, Ranges, SecretPlace, ServerUrl};

/// The attribute that holds a group's members, in every kind of directory.
pub const MEMBER_ATTRIBUTE_DEFAULT: &str = "member";
/// Entries a page. AD answers 1,000 at most unless its policy says otherwise (MS-ADTS 3.1.1.3.4.6, MaxPageSize).
pub const PAGE_SIZE_DEFAULT: u32 = 1000;
const PAGE_SIZE_BOUNDS: RangeInclusive<u32> = 10..=5000;
/// Members in a range that is forced; 0 leaves it to the server.
const RANGES_BOUNDS: RangeInclusive<u32> = 0..=100_000;
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const TIMEOUT_BOUNDS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(5 * 60);
const READ_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10 * 60);
const READ_TIMEOUT_BOUNDS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);

/// A directory as far as it could be read: its name counts even when the rest has faults.
pub(super) struct Read<'a> {
    pub name: Option<Spot<&'a str>>,
    pub has_valid_name: bool,
    pub settings: Option<DirectorySettings>,
}

const KINDS: [(&str, DirectoryKind); 3] = [
    ("active-directory", DirectoryKind::ActiveDirectory),
    ("openldap", DirectoryKind::OpenLdap),
    ("generic", DirectoryKind::Generic),
];

/// What an `ldap://` URL may come to.
#[derive(Clone, Copy)]
enum Unprotected {
    /// StartTLS.
    StartTls,
    /// Plaintext, by explicit wish.
    Allowed,
    /// Nothing was said of it.
    Refused,
}

/// Reads a directory.
pub(super) fn read(mut table: Table<'_>) -> Read<'_> {
    table.need("name", "give it a name for assignments and reports: name = \"corp\"");
    let name = table.text("name");
    let valid = |text: &str| DirectoryName::new(text).map_err(|why| Wrong::new(why.0, "write a name like \"corp\""));
    let valid_name = name.as_ref().and_then(|spot| table.understood(spot, valid));
    let kind = kind(&mut table);
    let assumed = kind.unwrap_or(DirectoryKind::Generic);
    let urls = urls(&mut table);
    let bases = bases(&mut table);
    let ca_file = table.parsed("ca_file", file_path).map(Spot::into_value);
    let bind = bind(&mut table, assumed);
    let id_attribute = table.parsed("id_attribute", attribute);
    let people_filter = table.parsed("people_filter", filter);
    let group_filter = table.parsed("group_filter", filter);
    let member_attribute = table.parsed("member_attribute", attribute);
    let canaries = canaries(&mut table);
    let ignored_contexts = ignored_contexts(&mut table, &bases);
    let ranges = match table.whole("ranges", RANGES_BOUNDS).unwrap_or_default() {
        0 => Ranges::AsServed,
        number => Ranges::Forced(number),
    };
    let page_size = table.whole("page_size", PAGE_SIZE_BOUNDS);
    let (timeout, read_timeout) = timeouts(&mut table);
    table.finish();
    let text = |spot: Option<Spot<String>>, default: &str| spot.map_or_else(|| default.to_owned(), |spot| spot.value);
    let has_valid_name = valid_name.is_some();
    let settings = match (valid_name, kind, bind) {
        (Some(name), Some(kind), Some((bind_dn, bind_password))) => Some(DirectorySettings {
            name,
            kind,
            urls,
            bases,
            ca_file,
            bind_dn,
            bind_password,
            id_attribute: text(id_attribute, kind.id_attribute()),
            people_filter: text(people_filter, kind.people_filter()),
            group_filter: text(group_filter, kind.group_filter()),
            member_attribute: text(member_attribute, MEMBER_ATTRIBUTE_DEFAULT),
            canaries,
            ignored_contexts,
            ranges,
            page_size: page_size.unwrap_or(PAGE_SIZE_DEFAULT),
            timeout,
            read_timeout,
        }),
        _ => None,
    };
    Read { name, has_valid_name, settings }
}

fn kind(table: &mut Table<'_>) -> Option<DirectoryKind> {
    table.need("kind", "write kind = \"active-directory\", \"openldap\" or \"generic\"");
    let parse = |text: &str| {
        let other = match text.to_lowercase().as_str() {
            "389ds" | "389-ds" => "kind = \"generic\" with id_attribute = \"nsUniqueId\"",
            "freeipa" | "ipa" => "kind = \"generic\" with id_attribute = \"ipaUniqueID\"",
            "ad" | "samba" | "activedirectory" => "kind = \"active-directory\"",
            _ => return super::values::one_of(text, &KINDS),
        };
        Err(Wrong::new(format!("{} is not a kind", shown(text)), format!("write {other}")))
    };
    table.parsed("kind", parse).map(Spot::into_value)
}

const URLS_REMEDY: &str = "name at least one server: urls = [\"ldaps://ldap.example.org\"]";

fn urls(table: &mut Table<'_>) -> Vec<ServerUrl> {
    let starttls = table.flag("starttls").filter(|spot| spot.value);
    let plaintext = table.flag("plaintext").filter(|spot| spot.value);
    if let (Some(_), Some(spot)) = (&starttls, &plaintext) {
        let remedy = "keep starttls = true alone: it never falls back to plaintext";
        table.sink().fault(&spot.place, "starttls and plaintext can't both hold", remedy);
    }
    let unprotected = match (starttls, plaintext) {
        (Some(_), _) => Unprotected::StartTls,
        (None, Some(_)) => Unprotected::Allowed,
        (None, None) => Unprotected::Refused,
    };
    let mut urls: Vec<ServerUrl> = Vec::new();
    for spot in table.full_list("urls", URLS_REMEDY, |text| server(text, unprotected)) {
        if urls.iter().any(|other| (&other.host, other.port) == (&spot.value.host, spot.value.port)) {
            table.sink().fault(&spot.place, "this server stands twice in the list", "take one of the two out");
        }
        urls.push(spot.value);
    }
    urls
}

/// Reads a server's URL.
fn server(text: &str, unprotected: Unprotected) -> Result<ServerUrl, Wrong> {
    const EXAMPLE: &str = "write it like \"ldaps://ldap.example.org\" or \"ldaps://[2001:db8::1]:636\"";
    // Before anything is repeated: what stands before an '@' may be a password.
    if text.contains('@') {
        let remedy = "take the part up to '@' out; who reads is said by bind = { dn = …, password_file = … }";
        return Err(Wrong::new("a URL must not hold a login", remedy));
    }
    let wrong = |why: &str| Wrong::new(format!("{} is not a server's URL: {why}", shown(text)), EXAMPLE);
    let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no \"ldaps://\" or \"ldap://\""))?;
    let (protection, default_port) = match (scheme.to_ascii_lowercase().as_str(), unprotected) {
        ("ldaps", _) => (Protection::Ldaps, 636),
        ("ldap", Unprotected::StartTls) => (Protection::StartTls, 389),
        ("ldap", Unprotected::Allowed) => (Protection::Plaintext, 389),
        ("ldap", Unprotected::Refused) => {
            let what = format!("{} would send the password and everybody's data in the clear", shown(text));
            let remedy = "write ldaps://, or starttls = true; on a wire that nobody else can reach, plaintext = true";
            return Err(Wrong::new(what, remedy));
        }
        _ => return Err(wrong("only ldaps:// and ldap:// are known")),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(Wrong::new(
            format!("{} has more than a host and a port", shown(text)),
            "take the rest out; base, people_filter and group_filter say what is read",
        ));
    }
    let (host, port) = host_and_port(authority).map_err(wrong)?;
    let port = port.unwrap_or(default_port);
    if matches!(port, 3268 | 3269) {
        // Of other domains the Global Catalog holds a partial attribute set: members of universal groups alone.
        let what = format!("port {port} is the Global Catalog, which doesn't hold all members of all groups");
        return Err(Wrong::new(what, "people would seem to have left: use a domain controller's port 636 or 389"));
    }
    Ok(ServerUrl { text: text.to_owned(), host, port, protection })
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or("its '[' is not closed")?;
            address.parse::<Ipv6Addr>().map_err(|_| "between '[' and ']' stands no IPv6 address")?;
            let port =
                if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or("after ']' comes no port")?) };
            (address, port)
        }
        None => match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err("an IPv6 address needs '[' and ']' around it"),
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    if host.is_empty() || host.len() > 253 || !host.chars().all(fits) {
        return Err("its host is missing or has other characters than letters, digits, '-' and '.'");
    }
    let number = |port: &str| port.parse().ok().filter(|port| *port != 0).ok_or("its port is not from 1 to 65535");
    Ok((host.to_ascii_lowercase(), port.map(number).transpose()?))
}

fn bases(table: &mut Table<'_>) -> Vec<Dn> {
    let parse = |text: &str| {
        let dn = Dn::parse(text).map_err(|why| Wrong::new(why.0, "write a DN like \"dc=example,dc=org\""))?;
        if text.trim().is_empty() {
            return Err(Wrong::new("the base is empty", "write a DN like \"dc=example,dc=org\""));
        }
        Ok(dn)
    };
    let mut bases: Vec<Dn> = Vec::new();
    for spot in table.full_list("base", "say where people and groups lie: base = [\"dc=example,dc=org\"]", parse) {
        let other = bases.iter().find(|other| spot.value.lies_within(other) || other.lies_within(&spot.value));
        if let Some(other) = other {
            let what = format!("this base and {} hold the same entries", shown(other.as_str()));
            table.sink().fault(&spot.place, what, "keep the one that lies above the other");
        }
        bases.push(spot.value);
    }
    bases
}

/// Reads `canaries`: what must be readable in every read.
fn canaries(table: &mut Table<'_>) -> Vec<Canary> {
    const EXAMPLE: &str =
        "write canaries = [{ dn = \"cn=support,ou=groups,dc=example,dc=org\", attribute = \"member\" }]";
    let mut canaries = Vec::new();
    for mut one in table.tables("canaries") {
        one.need("dn", EXAMPLE);
        let dn = one.parsed("dn", |text| match Dn::parse(text) {
            Ok(dn) if !text.trim().is_empty() => Ok(dn),
            Ok(_) => Err(Wrong::new("the canary has no name", EXAMPLE)),
            Err(why) => Err(Wrong::new(why.0, EXAMPLE)),
        });
        let attribute = one.parsed("attribute", attribute).map(Spot::into_value);
        one.finish();
        canaries.extend(dn.map(|dn| Canary { dn: dn.value, attribute }));
    }
    canaries
}

/// Reads `ignored_contexts`: parts of the tree that hold nobody of ours, wherever the server refers to them.
fn ignored_contexts(table: &mut Table<'_>, bases: &[Dn]) -> Vec<Dn> {
    const EXAMPLE: &str = "write a DN like \"dc=child,dc=example,dc=org\"";
    let parse = |text: &str| match Dn::parse(text) {
        Ok(dn) if !text.trim().is_empty() => Ok(dn),
        Ok(_) => Err(Wrong::new("an empty name would ignore everything", EXAMPLE)),
        Err(why) => Err(Wrong::new(why.0, EXAMPLE)),
    };
    let mut contexts = Vec::new();
    for spot in table.list("ignored_contexts", parse).map(Spot::into_value).unwrap_or_default() {
        if let Some(base) = bases.iter().find(|base| base.lies_within(&spot.value)) {
            let what = format!("the base {} lies in this context", shown(base.as_str()));
            table.sink().fault(&spot.place, what, "people there can't be ignored: take it out");
        }
        contexts.push(spot.value);
    }
    contexts
}

/// Reads `bind`: who reads, and where the password lies.
fn bind(table: &mut Table<'_>, kind: DirectoryKind) -> Option<(String, SecretPlace)> {
    let remedy = "say who reads: bind = { dn = \"cn=svc,dc=example,dc=org\", password_file = \"credential:ldap\" }";
    table.need("bind", remedy);
    let mut bind = table.table("bind")?;
    bind.need("dn", remedy);
    bind.need("password_file", remedy);
    let dn = bind.parsed("dn", |text| bind_name(text, kind)).map(Spot::into_value);
    let password = bind.parsed("password_file", secret_place).map(Spot::into_value);
    bind.finish();
    dn.zip(password)
}

/// A DN, or for AD a user principal name (MS-ADTS 5.1.1.1.1).
fn bind_name(text: &str, kind: DirectoryKind) -> Result<String, Wrong> {
    const EXAMPLE: &str = "write a DN like \"cn=svc,dc=example,dc=org\"";
    if text.trim().is_empty() {
        // An empty name binds as nobody and reads less, which looks like people who left (RFC 4513 section 5.1).
        return Err(Wrong::new("an empty name reads as nobody in particular", EXAMPLE));
    }
    if text.contains('=') {
        return Dn::parse(text).map(|dn| dn.as_str().to_owned()).map_err(|why| Wrong::new(why.0, EXAMPLE));
    }
    let principal = text.split_once('@').is_some_and(|(user, realm)| !user.is_empty() && realm.contains('.'));
    match kind {
        DirectoryKind::ActiveDirectory if principal && !text.contains(char::is_whitespace) => Ok(text.to_owned()),
        DirectoryKind::ActiveDirectory => Err(Wrong::new(
            format!("{} is neither a DN nor a user@realm", shown(text)),
            "write a DN, or a name like \"svc@corp.example.org\"",
        )),
        DirectoryKind::OpenLdap | DirectoryKind::Generic => {
            Err(Wrong::new(format!("{} is not a DN", shown(text)), EXAMPLE))
        }
    }
}

fn timeouts(table: &mut Table<'_>) -> (Duration, Duration) {
    let timeout = table.duration("timeout", &TIMEOUT_BOUNDS);
    let read = table.duration("read_timeout", &READ_TIMEOUT_BOUNDS);
    let one = timeout.as_ref().map_or(TIMEOUT_DEFAULT, |spot| spot.value);
    let whole = read.as_ref().map_or(READ_TIMEOUT_DEFAULT, |spot| spot.value);
    if let Some(spot) = read.or(timeout).filter(|_| whole < one) {
        let what = "a whole read would get less time than one answer";
        table.sink().fault(&spot.place, what, "make read_timeout at least as long as timeout");
    }
    (one, whole)
}
