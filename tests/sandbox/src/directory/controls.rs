//! Controls and extended operations by their object identifiers.

use super::Kind;
use super::ber::{self, Elements};
use super::message::{Control, PAGED};
use super::view::ExtendedDn;

/// StartTLS (RFC 4511 4.14).
pub(super) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// Who am I (RFC 4532).
pub(super) const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";

const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
const SHOW_RECYCLED: &str = "1.2.840.113556.1.4.2064";
const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";
const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
const PERMISSIVE_MODIFY: &str = "1.2.840.113556.1.4.1413";
const TREE_DELETE: &str = "1.2.840.113556.1.4.805";

/// What the controls of a request ask for.
#[derive(Debug, Default)]
pub(super) struct Asked<'a> {
    pub(super) paged: Option<&'a Control>,
    pub(super) show_deleted: bool,
    pub(super) extended_dn: Option<ExtendedDn>,
    /// No references to other naming contexts.
    pub(super) domain_scope: bool,
    pub(super) permissive: bool,
    pub(super) tree: bool,
}

pub(super) fn supported(kind: Kind) -> Vec<String> {
    let list: &[&str] = match kind {
        Kind::Openldap => &[PAGED, MANAGE_DSA_IT],
        Kind::ActiveDirectory => &[
            PAGED,
            MANAGE_DSA_IT,
            SHOW_DELETED,
            SHOW_RECYCLED,
            EXTENDED_DN,
            DOMAIN_SCOPE,
            PERMISSIVE_MODIFY,
            TREE_DELETE,
        ],
    };
    list.iter().map(|&oid| oid.to_owned()).collect()
}

/// Sorts the controls out; `Err` names a critical one that the server does not have (RFC 4511 4.1.11).
pub(super) fn read(controls: &[Control], kind: Kind) -> Result<Asked<'_>, String> {
    let mut asked = Asked::default();
    let known = supported(kind);
    for control in controls {
        if !known.contains(&control.oid) {
            if control.critical {
                return Err(control.oid.clone());
            }
            continue;
        }
        match control.oid.as_str() {
            PAGED => asked.paged = Some(control),
            SHOW_DELETED | SHOW_RECYCLED => asked.show_deleted = true,
            EXTENDED_DN => asked.extended_dn = Some(extended_dn(control)),
            DOMAIN_SCOPE => asked.domain_scope = true,
            PERMISSIVE_MODIFY => asked.permissive = true,
            TREE_DELETE => asked.tree = true,
            _ => {}
        }
    }
    Ok(asked)
}

/// Flag 1 asks for the printed form, no value for the hexadecimal one.
fn extended_dn(control: &Control) -> ExtendedDn {
    let flag = control.value.as_deref().and_then(|value| {
        let mut parts = Elements::of(ber::decode(value).ok()?).ok()?;
        parts.number().ok()
    });
    if flag == Some(1) { ExtendedDn::Text } else { ExtendedDn::Hex }
}
