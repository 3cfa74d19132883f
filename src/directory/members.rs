//! One group's members, to the last one: `member`, or `member;range=0-1499` and on until `-*`.
//!
//! A membership that arrives with a gap, an overlap or without its end is a fault, never a shorter membership.

use super::decode::RawEntry;
use super::filter::ANYTHING;
use super::search::{AskFault, AtBase, Session, Values};
use crate::domain::scope::Tally;
use crate::domain::settings::{DirectoryKind, Ranges};
use crate::engine::ports::ReadFault;

/// Most ranges of one group.
const RANGES_MAX: usize = 100_000;

/// Why a group's members couldn't be read.
#[derive(Debug)]
pub(super) enum MembersFault {
    /// The group isn't where it was a moment ago.
    Moved(String),
    /// Anything else.
    Read(ReadFault),
}

/// What moves when a group is changed; nothing when the server shows no such thing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Marker(Vec<Vec<u8>>);

/// The attributes that a marker is made of. AD counts per server; an OpenLDAP CSN is finer than a time.
pub(super) const fn marker_attributes(kind: DirectoryKind) -> &'static [&'static str] {
    match kind {
        DirectoryKind::ActiveDirectory => &["uSNChanged"],
        DirectoryKind::OpenLdap => &["entryCSN"],
        DirectoryKind::Generic => &["entryCSN", "modifyTimestamp"],
    }
}

impl Marker {
    pub(super) fn of(entry: &RawEntry, kind: DirectoryKind) -> Self {
        let values = marker_attributes(kind).iter().filter_map(|attribute| entry.values(attribute)?.first().cloned());
        Self(values.collect())
    }
}

/// How a part of a membership was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The attribute as such.
    Whole,
    /// From this position on.
    From(u64),
    /// So many from this position on.
    Forced { from: u64, count: u64 },
}

impl Asked {
    fn attribute(self, attribute: &str) -> String {
        match self {
            Self::Whole => attribute.to_owned(),
            Self::From(from) => format!("{attribute};range={from}-*"),
            Self::Forced { from, count } => format!("{attribute};range={from}-{}", from.saturating_add(count - 1)),
        }
    }

    const fn from(self) -> u64 {
        match self {
            Self::Whole => 0,
            Self::From(from) | Self::Forced { from, .. } => from,
        }
    }
}

/// What is left to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Nothing,
    From(u64),
    /// The server answered a range with nothing at all: either there are no members, or it knows no ranges.
    Plain,
}

/// Reads a group's members; `each` takes every value. Answers the group's marker, read with the first of them.
pub(super) async fn members(
    session: &mut Session,
    dn: &str,
    tally: &mut Tally,
    each: &mut dyn FnMut(Vec<u8>) -> Result<(), ReadFault>,
) -> Result<Marker, MembersFault> {
    let attribute = session.settings.member_attribute.clone();
    let kind = session.settings.kind;
    let mut asked = match session.settings.ranges {
        Ranges::AsServed => Asked::Whole,
        Ranges::Forced(count) => Asked::Forced { from: 0, count: u64::from(count.max(1)) },
    };
    let mut marker = None;
    tally.groups_asked += 1;
    for _ in 0..RANGES_MAX {
        let wanted = asked.attribute(&attribute);
        let mut attributes = vec![wanted.as_str()];
        attributes.extend(marker_attributes(kind));
        tally.ranges_asked += 1;
        let entry = match session.at_base(dn, ANYTHING, &attributes, Values::Wanted).await {
            Ok(AtBase::Entry(entry)) => entry,
            Ok(AtBase::Unmatched | AtBase::Absent) => return Err(MembersFault::Moved(format!("{dn} went away"))),
            Err(fault) => return Err(MembersFault::Read(at_group(dn, fault))),
        };
        marker.get_or_insert_with(|| Marker::of(&entry, kind));
        let (values, next) = part(entry, &attribute, asked)
            .map_err(|why| MembersFault::Read(ReadFault::Incomplete(format!("the members of {dn}: {why}"))))?;
        tally.ranges_whole += 1;
        for value in values {
            each(value).map_err(MembersFault::Read)?;
        }
        asked = match (next, asked) {
            (Next::Nothing, _) => {
                tally.groups_whole += 1;
                return Ok(marker.unwrap_or_default());
            }
            (Next::Plain, _) => Asked::Whole,
            (Next::From(from), Asked::Whole | Asked::From(_)) => Asked::From(from),
            (Next::From(from), Asked::Forced { count, .. }) => Asked::Forced { from, count },
        };
    }
    Err(MembersFault::Read(ReadFault::Incomplete(format!("the members of {dn} take more than {RANGES_MAX} ranges"))))
}

fn at_group(dn: &str, fault: AskFault) -> ReadFault {
    fault.of(format_args!("the members of {dn}"))
}

/// Reads the marker of a group alone.
pub(super) async fn marker(session: &mut Session, dn: &str) -> Result<Marker, MembersFault> {
    let kind = session.settings.kind;
    match session.at_base(dn, ANYTHING, marker_attributes(kind), Values::Wanted).await {
        Ok(AtBase::Entry(entry)) => Ok(Marker::of(&entry, kind)),
        Ok(AtBase::Unmatched | AtBase::Absent) => Err(MembersFault::Moved(format!("{dn} went away"))),
        Err(fault) => Err(MembersFault::Read(at_group(dn, fault))),
    }
}

/// The end of a range as the server names it (MS-ADTS 3.1.1.3.1.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RangeEnd {
    At(u64),
    Last,
}

/// Takes the values out of one answer, and tells what is left.
fn part(entry: RawEntry, attribute: &str, asked: Asked) -> Result<(Vec<Vec<u8>>, Next), String> {
    let mut plain = Vec::new();
    let mut ranged = None;
    for (kind, values) in entry.attributes {
        let kind = String::from_utf8_lossy(&kind).to_ascii_lowercase();
        let Some(options) = kind.strip_prefix(&attribute.to_ascii_lowercase()) else { continue };
        if options.is_empty() {
            plain = values;
        } else if let Some(range) = options.strip_prefix(";range=") {
            let (first, end) = range_bounds(range).ok_or_else(|| format!("the server named a range {range:?}"))?;
            if ranged.replace((first, end, values)).is_some() {
                return Err("the server sent two ranges at once".to_owned());
            }
        }
    }
    let Some((first, end, values)) = ranged else { return unranged(plain, asked) };
    if !plain.is_empty() {
        return Err("the server sent a range and the whole at once".to_owned());
    }
    if first != asked.from() {
        return Err(format!("the range from {} was asked for, and one from {first} came", asked.from()));
    }
    match end {
        RangeEnd::Last => Ok((values, Next::Nothing)),
        RangeEnd::At(last) => {
            let count = last.checked_sub(first).and_then(|count| count.checked_add(1));
            if count != Some(values.len() as u64) {
                return Err(format!("the range {first}-{last} came with {} values", values.len()));
            }
            Ok((values, Next::From(last.saturating_add(1))))
        }
    }
}

fn unranged(plain: Vec<Vec<u8>>, asked: Asked) -> Result<(Vec<Vec<u8>>, Next), String> {
    match asked {
        Asked::Whole => Ok((plain, Next::Nothing)),
        Asked::Forced { from: 0, .. } if plain.is_empty() => Ok((plain, Next::Plain)),
        // A server without ranges may overlook the option and send everything.
        Asked::Forced { from: 0, .. } => Ok((plain, Next::Nothing)),
        Asked::From(from) | Asked::Forced { from, .. } => Err(format!("the range from {from} on didn't come")),
    }
}

fn range_bounds(range: &str) -> Option<(u64, RangeEnd)> {
    let (first, last) = range.split_once('-')?;
    let end = if last == "*" { RangeEnd::Last } else { RangeEnd::At(last.parse().ok()?) };
    Some((first.parse().ok()?, end))
}

/// The DN in a member value. `uniqueMember` may have a bit string behind it (RFC 4517 3.3.21): `cn=x#'0101'B`.
pub(super) fn named_dn<'a>(attribute: &str, value: &'a str) -> &'a str {
    if !attribute.eq_ignore_ascii_case("uniqueMember") {
        return value;
    }
    let bits =
        |tail: &str| tail.strip_suffix("'B").is_some_and(|bits| bits.chars().all(|bit| matches!(bit, '0' | '1')));
    match value.rsplit_once("#'") {
        Some((dn, tail)) if bits(tail) => dn,
        Some(_) | None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(attributes: &[(&str, usize)]) -> RawEntry {
        let attributes =
            attributes.iter().map(|(kind, count)| (kind.as_bytes().to_vec(), vec![b"cn=x".to_vec(); *count]));
        RawEntry { dn: b"cn=g".to_vec(), attributes: attributes.collect() }
    }
    fn next(attributes: &[(&str, usize)], asked: Asked) -> Result<(usize, Next), String> {
        part(answer(attributes), "member", asked).map(|(values, next)| (values.len(), next))
    }

    #[test]
    fn ranges_lead_on_until_the_star() {
        assert_eq!(next(&[("member", 3)], Asked::Whole), Ok((3, Next::Nothing)));
        assert_eq!(next(&[], Asked::Whole), Ok((0, Next::Nothing)));
        let automatic = [("member", 0), ("member;range=0-1499", 1500)];
        assert_eq!(next(&automatic, Asked::Whole), Ok((1500, Next::From(1500))));
        assert_eq!(next(&[("Member;Range=1500-*", 7)], Asked::From(1500)), Ok((7, Next::Nothing)));
        assert_eq!(next(&[("member;range=9-*", 0)], Asked::From(9)), Ok((0, Next::Nothing)));
    }

    #[test]
    fn a_gap_an_overlap_or_a_missing_end_is_a_fault() {
        for (attributes, asked) in [
            (&[("member;range=1501-*", 7)][..], Asked::From(1500)),
            (&[("member;range=1499-*", 7)], Asked::From(1500)),
            (&[("member;range=0-1499", 1499)], Asked::Whole),
            (&[("member;range=5-3", 0)], Asked::From(5)),
            (&[("member;range=0-9", 10), ("member;range=10-*", 1)], Asked::Whole),
            (&[("member", 1), ("member;range=0-*", 1)], Asked::Whole),
            (&[("member;range=0-x", 1)], Asked::Whole),
            (&[], Asked::From(1500)),
            (&[("member", 10)], Asked::From(1500)),
            (&[], Asked::Forced { from: 10, count: 10 }),
        ] {
            assert!(next(attributes, asked).is_err(), "{attributes:?} {asked:?}");
        }
    }

    #[test]
    fn a_server_without_ranges_is_asked_again_rather_than_taken_for_an_empty_group() {
        let asked = Asked::Forced { from: 0, count: 10 };
        assert_eq!(asked.attribute("member"), "member;range=0-9");
        assert_eq!(next(&[], asked), Ok((0, Next::Plain)));
        assert_eq!(next(&[("member", 4)], asked), Ok((4, Next::Nothing)));
    }

    #[test]
    fn another_attribute_with_the_same_beginning_is_no_membership() {
        assert_eq!(next(&[("memberOf", 3), ("member;lang-en", 2)], Asked::Whole), Ok((0, Next::Nothing)));
    }

    #[test]
    fn a_unique_member_loses_its_bit_string() {
        assert_eq!(named_dn("uniqueMember", "cn=x,dc=y#'0101'B"), "cn=x,dc=y");
        assert_eq!(named_dn("uniquemember", "cn=x#'y'B,dc=y"), "cn=x#'y'B,dc=y");
        assert_eq!(named_dn("member", "cn=x#'0'B"), "cn=x#'0'B");
    }
}
