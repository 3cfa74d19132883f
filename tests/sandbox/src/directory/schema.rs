//! What is known about attributes: syntax, who owns them, how they are compared.
//!
//! It is a table, not a schema: unknown attributes are text.

use super::Kind;
use super::dn::{Dn, fold};

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Text,
    Exact,
    Dn,
    Integer,
    Time,
    Binary,
}

/// The attribute's short name in lower case, without options.
pub(super) fn base_name(name: &str) -> String {
    let lower = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let short = match lower.as_str() {
        "commonname" | "2.5.4.3" => "cn",
        "surname" | "2.5.4.4" => "sn",
        "userid" | "0.9.2342.19200300.100.1.1" => "uid",
        "rfc822mailbox" | "0.9.2342.19200300.100.1.3" => "mail",
        "gn" | "2.5.4.42" => "givenname",
        "2.5.4.31" => "member",
        "2.5.4.0" => "objectclass",
        _ => return lower,
    };
    short.to_owned()
}

/// The short name in lower case, with options: the key under which values are stored.
pub(super) fn stored_name(name: &str) -> String {
    let base = base_name(name);
    match name.split_once(';') {
        Some((_, options)) => format!("{base};{}", options.to_ascii_lowercase()),
        None => base,
    }
}

/// Names as the servers' schemas spell them, whatever the client wrote.
const SPELLED: &[&str] = &[
    "accountExpires",
    "c",
    "cn",
    "company",
    "dc",
    "department",
    "description",
    "displayName",
    "employeeID",
    "employeeNumber",
    "employeeType",
    "gidNumber",
    "givenName",
    "groupType",
    "homeDirectory",
    "isDeleted",
    "jpegPhoto",
    "l",
    "lastKnownParent",
    "lockoutTime",
    "loginShell",
    "mS-DS-ConsistencyGuid",
    "mail",
    "managedBy",
    "manager",
    "member",
    "memberUid",
    "mobile",
    "o",
    "objectClass",
    "objectSid",
    "ou",
    "owner",
    "physicalDeliveryOfficeName",
    "postalCode",
    "preferredLanguage",
    "primaryGroupID",
    "proxyAddresses",
    "pwdAccountLockedTime",
    "pwdLastSet",
    "sAMAccountName",
    "sAMAccountType",
    "shadowExpire",
    "sn",
    "st",
    "telephoneNumber",
    "thumbnailPhoto",
    "title",
    "uid",
    "uidNumber",
    "uniqueMember",
    "userAccountControl",
    "userPassword",
    "userPrincipalName",
];

/// How the server spells an attribute; unknown names stay as they were written.
pub(super) fn spelled(name: &str) -> String {
    let stored = stored_name(name);
    let known = SPELLED.iter().find(|known| known.eq_ignore_ascii_case(&stored));
    known.map_or_else(|| name.to_owned(), |known| (*known).to_owned())
}

/// A stored name without its options.
pub(super) fn without_options(stored: &str) -> &str {
    stored.split(';').next().unwrap_or_default()
}

/// The syntax of an attribute, by its name in lower case.
pub(super) fn syntax(lower: &str, kind: Kind) -> Syntax {
    match lower {
        "member"
        | "memberof"
        | "uniquemember"
        | "manager"
        | "managedby"
        | "secretary"
        | "owner"
        | "seealso"
        | "roleoccupant"
        | "directreports"
        | "distinguishedname"
        | "entrydn"
        | "lastknownparent"
        | "creatorsname"
        | "modifiersname"
        | "objectcategory"
        | "msds-parentdistname" => Syntax::Dn,
        "objectguid"
        | "objectsid"
        | "userpassword"
        | "unicodepwd"
        | "jpegphoto"
        | "thumbnailphoto"
        | "photo"
        | "ms-ds-consistencyguid"
        | "usercertificate"
        | "invocationid"
        | "ntsecuritydescriptor"
        | "parentguid"
        | "tokengroups"
        | "sidhistory" => Syntax::Binary,
        "useraccountcontrol"
        | "msds-user-account-control-computed"
        | "primarygroupid"
        | "primarygrouptoken"
        | "grouptype"
        | "samaccounttype"
        | "accountexpires"
        | "lockouttime"
        | "pwdlastset"
        | "lastlogon"
        | "lastlogontimestamp"
        | "badpwdcount"
        | "badpasswordtime"
        | "usnchanged"
        | "usncreated"
        | "instancetype"
        | "highestcommittedusn"
        | "uidnumber"
        | "gidnumber"
        | "shadowexpire"
        | "shadowlastchange"
        | "shadowmax"
        | "shadowinactive" => Syntax::Integer,
        "whenchanged"
        | "whencreated"
        | "createtimestamp"
        | "modifytimestamp"
        | "pwdaccountlockedtime"
        | "pwdchangedtime"
        | "krbprincipalexpiration" => Syntax::Time,
        "memberuid" | "homedirectory" | "loginshell" | "entrycsn" | "contextcsn" | "gecos" => match kind {
            Kind::Openldap => Syntax::Exact,
            Kind::ActiveDirectory => Syntax::Text,
        },
        _ => Syntax::Text,
    }
}

/// The form by which a value is compared.
pub(super) fn normal(syntax: Syntax, value: &[u8]) -> Vec<u8> {
    let text = || std::str::from_utf8(value).ok();
    match syntax {
        Syntax::Text => fold(value),
        Syntax::Exact | Syntax::Binary => value.to_vec(),
        Syntax::Dn => match text().and_then(Dn::parse) {
            Some(dn) => dn.key().into_bytes(),
            None => fold(value),
        },
        Syntax::Integer => match text().and_then(|text| text.trim().parse::<i64>().ok()) {
            Some(number) => number.to_string().into_bytes(),
            None => fold(value),
        },
        Syntax::Time => {
            let text = text().unwrap_or_default().trim_end_matches('Z');
            let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
            let fraction = fraction.trim_end_matches('0');
            if fraction.is_empty() { whole.into() } else { format!("{whole}.{fraction}").into_bytes() }
        }
    }
}

/// Orders two normal forms.
pub(super) fn compare(syntax: Syntax, left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<i64>().ok());
    match (syntax, number(left), number(right)) {
        (Syntax::Integer, Some(left), Some(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

/// Attributes with an index; DN references and names by which people look up.
pub(super) fn indexed(lower: &str) -> bool {
    reference(lower)
        || matches!(
            lower,
            "cn" | "uid"
                | "mail"
                | "samaccountname"
                | "userprincipalname"
                | "memberuid"
                | "objectsid"
                | "employeenumber"
        )
}

/// Attributes that refint and AD keep pointing to the entry when it is renamed or deleted.
pub(super) fn reference(lower: &str) -> bool {
    matches!(lower, "member" | "uniquemember" | "manager" | "managedby" | "owner" | "secretary")
}

/// Attributes that the server makes; a client can't write them (NO-USER-MODIFICATION, systemOnly).
pub(super) fn server_owned(lower: &str, kind: Kind) -> bool {
    let everywhere = matches!(
        lower,
        "entryuuid"
            | "entrycsn"
            | "entrydn"
            | "createtimestamp"
            | "modifytimestamp"
            | "creatorsname"
            | "modifiersname"
            | "structuralobjectclass"
            | "hassubordinates"
            | "subschemasubentry"
            | "contextcsn"
            | "memberof"
    );
    let directory = matches!(
        lower,
        "objectguid"
            | "objectsid"
            | "distinguishedname"
            | "name"
            | "whencreated"
            | "whenchanged"
            | "usncreated"
            | "usnchanged"
            | "primarygrouptoken"
            | "msds-user-account-control-computed"
            | "tokengroups"
            | "isdeleted"
            | "lastknownparent"
            | "instancetype"
            | "canonicalname"
    );
    everywhere
        || match kind {
            Kind::ActiveDirectory => directory,
            Kind::Openldap => false,
        }
}

/// Attributes that come only when they are asked for by name, or with `+` on OpenLDAP.
pub(super) fn operational(lower: &str, kind: Kind) -> bool {
    match kind {
        // memberOf is USAGE dSAOperation in slapd's memberof overlay.
        Kind::Openldap => server_owned(lower, kind) || lower.starts_with("pwd") || lower == "nsaccountlock",
        // Constructed attributes (MS-ADTS 3.1.1.4.5).
        Kind::ActiveDirectory => matches!(
            lower,
            "primarygrouptoken"
                | "msds-user-account-control-computed"
                | "tokengroups"
                | "canonicalname"
                | "createtimestamp"
                | "modifytimestamp"
                | "structuralobjectclass"
                | "entryuuid"
                | "entrycsn"
                | "entrydn"
        ),
    }
}

/// Attributes that hold one value at most.
pub(super) fn single_valued(lower: &str, kind: Kind) -> bool {
    let everywhere = matches!(
        lower,
        "displayname"
            | "employeenumber"
            | "preferredlanguage"
            | "uidnumber"
            | "gidnumber"
            | "homedirectory"
            | "loginshell"
            | "c"
            | "pwdaccountlockedtime"
    );
    let directory = matches!(
        lower,
        "sn" | "givenname"
            | "mail"
            | "cn"
            | "telephonenumber"
            | "mobile"
            | "title"
            | "department"
            | "company"
            | "manager"
            | "samaccountname"
            | "userprincipalname"
            | "l"
            | "employeeid"
            | "thumbnailphoto"
            | "ms-ds-consistencyguid"
            | "managedby"
    );
    everywhere
        || match kind {
            Kind::ActiveDirectory => directory || syntax(lower, kind) == Syntax::Integer,
            Kind::Openldap => false,
        }
}

/// What a class can't be without (RFC 4519, RFC 2307, RFC 2798); only OpenLDAP enforces these.
pub(super) fn required(class: &[u8]) -> &'static [&'static str] {
    match fold(class).as_slice() {
        b"groupofnames" => &["cn", "member"],
        b"groupofuniquenames" => &["cn", "uniquemember"],
        b"person" | b"organizationalperson" | b"inetorgperson" => &["cn", "sn"],
        b"organizationalunit" => &["ou"],
        b"posixgroup" => &["cn", "gidnumber"],
        b"posixaccount" => &["cn", "uid", "uidnumber", "gidnumber", "homedirectory"],
        _ => &[],
    }
}

/// The classes below a class, of those that directories of people use (RFC 4519, RFC 2798, MS-ADSC).
pub(super) fn subclasses(class: &str) -> &'static [&'static str] {
    match class {
        "person" => &["organizationalperson", "inetorgperson", "residentialperson", "user", "computer"],
        "organizationalperson" => &["inetorgperson", "user", "computer", "contact"],
        "user" => &["computer"],
        _ => &[],
    }
}
