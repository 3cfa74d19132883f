//! The lease of an app: which copy of this service may write there. It judges a marker; it reads and writes none.
//!
//! Zendesk has no conditional write. Two things stand in for one: a marker can be made only once (its `external_id` is
//! unique), and a copy writes over its own marker only. What remains is told in ARCHITECTURE.md.

use std::fmt;

use chrono::{DateTime, Utc};

use super::id::{AccountId, Malformed};

/// The name of one store: random, made once, kept with it. A copy of the store has the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId([u8; 16]);

impl InstanceId {
    /// A name from random bytes, or from the store.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Parses 32 hexadecimal digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed("the instance is not 32 hexadecimal digits".to_owned());
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| malformed())
    }

    /// The first eight digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseMark {
    /// Who wrote last.
    pub instance: InstanceId,
    /// For which time: raised before the first write of a cycle and after the last.
    pub serial: u64,
    /// When. Invariant: to the millisecond, so that it reads back as it was written.
    at: DateTime<Utc>,
}

impl LeaseMark {
    /// A mark that is written now.
    pub fn new(instance: InstanceId, serial: u64, at: DateTime<Utc>) -> Self {
        let at = DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at);
        Self { instance, serial, at }
    }

    /// When it was written.
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }
}

/// The marker as Zendesk has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// The configuration wants no lease: nothing was asked.
    Off,
    /// There is none.
    Free,
    /// It is there.
    Held {
        /// The account that bears it.
        account: AccountId,
        /// What it says.
        mark: LeaseMark,
    },
    /// Something is there that can't be a marker of ours.
    Unreadable {
        /// The account, if it may be written over.
        account: Option<AccountId>,
        /// What is wrong with it.
        why: String,
    },
}

/// Whether this copy may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Always: no lease is kept.
    NotKept,
    /// It may, after writing its mark: over this account, or a new one.
    Ours(Option<AccountId>),
    /// This copy wrote, and the store doesn't know of it: it is an older one, or there are two of it.
    Behind(LeaseMark),
    /// Another copy wrote.
    Foreign(LeaseMark),
    /// Nobody knows who wrote.
    Unreadable(String),
}

/// Judges a marker. `noted` is the last mark that this store noted before writing it: what the marker says is never newer,
/// unless the store is not the newest; and never another of the same serial, unless there are two of the store.
pub fn judge(marker: &Marker, own: InstanceId, noted: Option<&LeaseMark>) -> Verdict {
    let is_news = |mark: &LeaseMark| {
        noted.is_none_or(|noted| mark.serial > noted.serial || (mark.serial == noted.serial && mark.at != noted.at))
    };
    match marker {
        Marker::Off => Verdict::NotKept,
        Marker::Free => Verdict::Ours(None),
        Marker::Held { mark, .. } if mark.instance != own => Verdict::Foreign(*mark),
        Marker::Held { mark, .. } if is_news(mark) => Verdict::Behind(*mark),
        Marker::Held { account, .. } => Verdict::Ours(Some(*account)),
        Marker::Unreadable { why, .. } => Verdict::Unreadable(why.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(instance: u8, serial: u64, ms: i64) -> LeaseMark {
        let at = DateTime::from_timestamp_millis(ms).unwrap();
        LeaseMark::new(InstanceId::from_bytes([instance; 16]), serial, at)
    }

    fn held(mark: LeaseMark) -> Marker {
        Marker::Held { account: AccountId(9), mark }
    }

    #[test]
    fn only_a_free_marker_and_our_own_let_us_write() {
        let own = InstanceId::from_bytes([1; 16]);
        let noted = mark(1, 7, 70);
        let judged = |marker: &Marker| judge(marker, own, Some(&noted));
        assert_eq!(judge(&Marker::Off, own, None), Verdict::NotKept);
        assert_eq!(judge(&Marker::Free, own, None), Verdict::Ours(None));
        assert_eq!(judged(&Marker::Free), Verdict::Ours(None));
        assert_eq!(judged(&held(noted)), Verdict::Ours(Some(AccountId(9))));
        // A crash between the note in the store and the write of the marker.
        assert_eq!(judged(&held(mark(1, 6, 60))), Verdict::Ours(Some(AccountId(9))));
        for news in [mark(1, 8, 80), mark(1, 7, 71), mark(1, 7, 69)] {
            assert_eq!(judged(&held(news)), Verdict::Behind(news));
        }
        assert_eq!(judge(&held(noted), own, None), Verdict::Behind(noted));
        for serial in [0, 6, 7, 8] {
            let other = mark(2, serial, 70);
            assert_eq!(judged(&held(other)), Verdict::Foreign(other));
        }
        let unreadable = Marker::Unreadable { account: None, why: "two of them".into() };
        assert_eq!(judged(&unreadable), Verdict::Unreadable("two of them".into()));
    }

    #[test]
    fn an_instance_reads_back_as_it_is_written() {
        let id = InstanceId::from_bytes([0x0f; 16]);
        assert_eq!(id.to_string(), "0f".repeat(16));
        assert_eq!(InstanceId::parse(&id.to_string()), Ok(id));
        for wrong in ["", "0f", &"0g".repeat(16), &"0f".repeat(17), &format!("+{}", "f".repeat(31)), &"é".repeat(16)] {
            assert!(InstanceId::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mark_keeps_milliseconds_and_no_more() {
        let at = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        assert_eq!(LeaseMark::new(InstanceId::from_bytes([1; 16]), 1, at).at().timestamp_subsec_nanos(), 123_000_000);
    }
}
