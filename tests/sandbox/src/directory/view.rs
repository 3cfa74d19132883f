//! What an entry shows: stored and computed values, the attributes asked for, AD's ranges.

use std::borrow::Cow;
use std::collections::HashSet;

use super::clock;
use super::dn::Dn;
use super::message::Attributes;
use super::rights::{Rights, Who};
use super::schema::{self, Syntax};
use super::sid;
use super::store::{Entry, Id, Store};

/// Computed attributes, as each server spells them.
const OPENLDAP: &[&str] = &[
    "entryUUID",
    "entryCSN",
    "entryDN",
    "createTimestamp",
    "modifyTimestamp",
    "creatorsName",
    "modifiersName",
    "structuralObjectClass",
    "hasSubordinates",
    "subschemaSubentry",
    "contextCSN",
    "memberOf",
];
const ACTIVE_DIRECTORY: &[&str] = &[
    "objectGUID",
    "distinguishedName",
    "name",
    "instanceType",
    "whenCreated",
    "whenChanged",
    "uSNCreated",
    "uSNChanged",
    "memberOf",
    "primaryGroupToken",
    "msDS-User-Account-Control-Computed",
    "tokenGroups",
    "createTimestamp",
    "modifyTimestamp",
];

/// The attributes that a search wants, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    all: bool,
    operational: bool,
    named: Vec<Named>,
    pub(super) types_only: bool,
    pub(super) extended_dn: Option<ExtendedDn>,
    /// AD's MaxValRange.
    pub(super) values_max: Option<usize>,
    /// Constructed sets such as tokenGroups come with base scope only.
    pub(super) base_scope: bool,
}

#[derive(Debug, Clone)]
struct Named {
    lower: String,
    /// With its options, in lower case.
    full: String,
    range: Option<(usize, Option<usize>)>,
}

/// The forms of LDAP_SERVER_EXTENDED_DN (MS-ADTS 3.1.1.3.4.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExtendedDn {
    Hex,
    Text,
}

impl Selection {
    pub(super) fn new(names: &[String], is_ad: bool) -> Self {
        let mut selection = Self { all: names.is_empty(), ..Self::default() };
        for name in names {
            match name.as_str() {
                "*" => selection.all = true,
                "+" => selection.operational = !is_ad,
                "1.1" => {}
                _ => {
                    let full = schema::stored_name(name);
                    let range = full.split(';').find_map(|option| option.strip_prefix("range=")).and_then(range);
                    selection.named.push(Named { lower: schema::base_name(name), full, range });
                }
            }
        }
        selection
    }
}

fn range(text: &str) -> Option<(usize, Option<usize>)> {
    let (low, high) = text.split_once('-')?;
    let high = if high == "*" { None } else { Some(high.parse().ok()?) };
    Some((low.parse().ok()?, high))
}

impl Store {
    /// The values of an attribute, stored or computed; `lower` has no options.
    pub(super) fn values<'a>(&'a self, entry: &'a Entry, lower: &str) -> Cow<'a, [Vec<u8>]> {
        if self.is_computed(lower) {
            Cow::Owned(self.computed(entry, lower))
        } else {
            Cow::Borrowed(entry.stored(lower))
        }
    }

    fn computed_names(&self) -> &'static [&'static str] {
        if self.is_ad() { ACTIVE_DIRECTORY } else { OPENLDAP }
    }

    fn is_computed(&self, lower: &str) -> bool {
        self.computed_names().iter().any(|name| name.eq_ignore_ascii_case(lower))
    }

    fn computed(&self, entry: &Entry, lower: &str) -> Vec<Vec<u8>> {
        let one = |text: String| vec![text.into_bytes()];
        let time = |micros| clock::digits(micros) + if self.is_ad() { ".0Z" } else { "Z" };
        match lower {
            "entryuuid" => one(entry.uuid.hyphenated().to_string()),
            "objectguid" => vec![entry.uuid.to_bytes_le().to_vec()],
            "entrycsn" => one(entry.changed.csn()),
            "entrydn" | "distinguishedname" => one(self.dn_text(entry.id)),
            "name" => entry.rdn.0.first().map(|ava| ava.value.clone()).into_iter().collect(),
            "instancetype" => one("4".to_owned()),
            "createtimestamp" | "whencreated" => one(time(entry.created.micros)),
            "modifytimestamp" | "whenchanged" => one(time(entry.changed.micros)),
            "usncreated" => one(entry.created.usn.to_string()),
            "usnchanged" => one(entry.changed.usn.to_string()),
            "creatorsname" | "modifiersname" => one(format!("cn=admin,{}", self.base.text(self.spelling()))),
            "structuralobjectclass" => entry.stored("objectclass").last().cloned().into_iter().collect(),
            "hassubordinates" => one(if entry.children.is_empty() { "FALSE" } else { "TRUE" }.to_owned()),
            "subschemasubentry" => one("cn=Subschema".to_owned()),
            "contextcsn" if entry.parent.is_none() => one(self.last().csn()),
            "memberof" if self.member_of => {
                self.groups_of(entry).into_iter().map(|id| self.dn_text(id).into_bytes()).collect()
            }
            "primarygrouptoken" if entry.has_class("group") => {
                rid_of(entry).map(|rid| rid.to_string().into_bytes()).into_iter().collect()
            }
            "msds-user-account-control-computed" if entry.has_class("user") => one(control_computed(entry).to_string()),
            "tokengroups" => self.token_groups(entry),
            _ => Vec::new(),
        }
    }

    /// The groups that list the entry directly.
    fn groups_of(&self, entry: &Entry) -> Vec<Id> {
        let Some(ids) = self.indexed("member", self.dn_key(entry.id).as_bytes()) else { return Vec::new() };
        // slapd's overlay looks at groupOfNames only, unless it is told otherwise.
        let counts = |entry: &Entry| if self.is_ad() { !entry.deleted } else { entry.has_class("groupOfNames") };
        ids.iter().copied().filter(|id| self.entries.get(id).is_some_and(counts)).collect()
    }

    pub(super) fn is_member_of(&self, entry: &Entry, group_key: &[u8]) -> bool {
        self.member_of && self.groups_of(entry).into_iter().any(|id| self.dn_key(id).as_bytes() == group_key)
    }

    /// The security identifiers of all groups, nested and primary ones included.
    fn token_groups(&self, entry: &Entry) -> Vec<Vec<u8>> {
        let primary = entry.first_text("primarygroupid").and_then(|text| text.parse().ok());
        let primary = primary.and_then(|rid| {
            let sid = sid::with_rid(&self.domain_sid, rid);
            self.indexed("objectsid", &sid)?.first().copied()
        });
        let mut found: HashSet<Id> = HashSet::new();
        let mut open: Vec<Id> = self.groups_of(entry).into_iter().chain(primary).collect();
        while let Some(id) = open.pop() {
            if let Some(group) = self.entries.get(&id).filter(|_| found.insert(id)) {
                open.extend(self.groups_of(group));
            }
        }
        let mut sids: Vec<Vec<u8>> =
            found.iter().filter_map(|id| self.entries.get(id)?.stored("objectsid").first().cloned()).collect();
        sids.sort();
        sids
    }

    /// The attributes of an entry as a search result shows them.
    pub(super) fn show(&self, rights: &Rights, who: &Who, entry: &Entry, wanted: &Selection) -> Attributes {
        let mut shown: Attributes = Vec::new();
        let visible = |lower: &str| !rights.hides_attribute(self, who, entry, lower);
        for attribute in &entry.attributes {
            let lower = schema::without_options(&attribute.lower);
            let named = wanted.named.iter().find(|named| named.full == attribute.lower || named.lower == lower);
            let operational = schema::operational(lower, self.kind);
            let by_group = if operational { wanted.operational } else { wanted.all };
            if (by_group || named.is_some()) && !attribute.values.is_empty() && visible(lower) {
                self.push(&mut shown, wanted, named, &attribute.name, lower, Cow::Borrowed(&attribute.values));
            }
        }
        for name in self.computed_names() {
            let named = wanted.named.iter().find(|named| named.lower.eq_ignore_ascii_case(name));
            if named.is_none() && !wanted.all && !wanted.operational {
                continue;
            }
            let lower = name.to_ascii_lowercase();
            let by_group = if schema::operational(&lower, self.kind) { wanted.operational } else { wanted.all };
            if !(by_group || named.is_some()) || !visible(&lower) || (lower == "tokengroups" && !wanted.base_scope) {
                continue;
            }
            let values = self.computed(entry, &lower);
            if !values.is_empty() {
                self.push(&mut shown, wanted, named, name, &lower, Cow::Owned(values));
            }
        }
        shown
    }

    /// Adds one attribute, in ranges where AD would (MS-ADTS 3.1.1.3.1.3.3).
    fn push(
        &self,
        shown: &mut Attributes,
        wanted: &Selection,
        named: Option<&Named>,
        name: &str,
        lower: &str,
        values: Cow<'_, [Vec<u8>]>,
    ) {
        let asked = named.and_then(|named| named.range).filter(|_| self.is_ad());
        if named.is_some_and(|named| named.full.contains(";range=")) && !self.is_ad() {
            // An option that this server does not know: no such attribute.
            return;
        }
        let limit = wanted.values_max.unwrap_or(usize::MAX).max(1);
        let display = |values: &[Vec<u8>]| -> Vec<Vec<u8>> {
            if wanted.types_only {
                return Vec::new();
            }
            values.iter().map(|value| self.extended(wanted.extended_dn, lower, value)).collect()
        };
        if asked.is_none() && values.len() <= limit {
            shown.push((name.to_owned(), display(&values)));
            return;
        }
        let (low, high) = asked.unwrap_or((0, None));
        let low_index = low.min(values.len());
        let end = high.map_or(usize::MAX, |high| high.saturating_add(1)).min(low.saturating_add(limit)).max(low_index);
        let last = end >= values.len();
        let part = &values[low_index..end.min(values.len())];
        if asked.is_none() {
            shown.push((name.to_owned(), Vec::new()));
        }
        let upper = if last { "*".to_owned() } else { (end - 1).to_string() };
        shown.push((format!("{name};range={low}-{upper}"), display(part)));
    }

    /// A value, with GUID and SID before it if it is a name and the control asks for them.
    fn extended(&self, form: Option<ExtendedDn>, lower: &str, value: &[u8]) -> Vec<u8> {
        let (Some(form), Syntax::Dn) = (form, self.syntax(lower)) else { return value.to_vec() };
        let Ok(text) = std::str::from_utf8(value) else { return value.to_vec() };
        match self.find_text(text) {
            Some(id) => self.extended_dn(form, id).into_bytes(),
            None => value.to_vec(),
        }
    }

    /// `<GUID=…>;<SID=…>;DN`.
    pub(super) fn extended_dn(&self, form: ExtendedDn, id: Id) -> String {
        let Some(entry) = self.entries.get(&id) else { return String::new() };
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let guid = match form {
            ExtendedDn::Hex => hex(&entry.uuid.to_bytes_le()),
            ExtendedDn::Text => entry.uuid.hyphenated().to_string(),
        };
        let sid = entry.stored("objectsid").first().map(|sid| match form {
            ExtendedDn::Hex => format!("<SID={}>;", hex(sid)),
            ExtendedDn::Text => format!("<SID={}>;", sid::text(sid)),
        });
        format!("<GUID={guid}>;{}{}", sid.unwrap_or_default(), self.dn_text(id))
    }

    /// A base or a written reference: a name, or on AD `<GUID=…>` and `<SID=…>` (MS-ADTS 3.1.1.3.1.2.4).
    pub(super) fn resolve(&self, text: &str) -> Result<Id, Missing> {
        if self.is_ad() && text.starts_with('<') {
            return self.alternative(text).ok_or(Missing::Nowhere);
        }
        let dn = Dn::parse(text).ok_or(Missing::Syntax)?;
        self.find(&dn).map_err(|closest| closest.map_or(Missing::Nowhere, Missing::Below))
    }

    fn alternative(&self, text: &str) -> Option<Id> {
        let (form, value) = text.strip_prefix('<')?.strip_suffix('>')?.split_once('=')?;
        let bytes = || {
            (0..value.len() / 2)
                .map(|n| u8::from_str_radix(value.get(2 * n..2 * n + 2)?, 16).ok())
                .collect::<Option<Vec<u8>>>()
        };
        match form.trim().to_ascii_uppercase().as_str() {
            "GUID" if value.contains('-') => self.by_uuid(value.parse().ok()?),
            "GUID" => self.by_uuid(uuid::Uuid::from_bytes_le(bytes()?.try_into().ok()?)),
            "SID" => {
                let sid = if value.contains('-') { sid::value(value.as_bytes()) } else { bytes()? };
                self.indexed("objectsid", &sid)?.first().copied()
            }
            _ => None,
        }
    }
}

/// Why a name leads to no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Syntax,
    /// The closest entry above it.
    Below(Id),
    /// In no naming context.
    Nowhere,
}

pub(super) fn rid_of(entry: &Entry) -> Option<u32> {
    Some(sid::split(entry.stored("objectsid").first()?)?.1)
}

/// UF_LOCKOUT and UF_PASSWORD_EXPIRED (MS-ADTS 3.1.1.4.5.17).
fn control_computed(entry: &Entry) -> u32 {
    const LOCKOUT: u32 = 0x10;
    const NEVER_EXPIRES: u32 = 0x1_0000;
    const PASSWORD_EXPIRED: u32 = 0x80_0000;
    let number = |lower: &str| entry.first_text(lower).and_then(|text| text.parse::<i64>().ok());
    let control = u32::try_from(number("useraccountcontrol").unwrap_or(0)).unwrap_or(0);
    let locked = if number("lockouttime").unwrap_or(0) > 0 { LOCKOUT } else { 0 };
    let must_change = number("pwdlastset") == Some(0) && control & NEVER_EXPIRES == 0;
    locked | if must_change { PASSWORD_EXPIRED } else { 0 }
}
