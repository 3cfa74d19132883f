//! Whether a directory account may be used: one pure function over what servers say.
//!
//! It knows nothing of groups. A locked-out person is not a leaver; a missing flag is unknown, never "disabled".

use bitflags::bitflags;
use chrono::{DateTime, Utc};

use super::entry::Attributes;

bitflags! {
    /// The bits of `userAccountControl` (MS-ADTS 2.2.16) that are read here; others are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct UserAccountControl: u32 {
        /// The account is disabled.
        const ACCOUNTDISABLE = 0x0002;
        /// The account is locked out; only the computed attribute shows it.
        const LOCKOUT = 0x0010;
        /// An ordinary account.
        const NORMAL_ACCOUNT = 0x0200;
        /// The password has expired; only the computed attribute shows it.
        const PASSWORD_EXPIRED = 0x0080_0000;
        const _ = !0;
    }
}

/// Which server's attributes decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateRules {
    /// `userAccountControl` must be there; `accountExpires` and `lockoutTime` may be.
    ActiveDirectory,
    /// Everything is usable unless an attribute of the password policy, `shadowAccount`, 389-ds or Kerberos says otherwise.
    Posix,
}

impl StateRules {
    /// The attributes that these rules read, to be asked for by name (some are operational).
    pub const fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::ActiveDirectory => {
                &["userAccountControl", "msDS-User-Account-Control-Computed", "accountExpires", "lockoutTime"]
            }
            Self::Posix => &["nsAccountLock", "pwdAccountLockedTime", "shadowExpire", "krbPrincipalExpiration"],
        }
    }
}

/// What the directory says of an account's use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountState {
    /// It may be used, until a known minute if it expires.
    Usable {
        /// When it will expire.
        until: Option<DateTime<Utc>>,
    },
    /// An administrator switched it off.
    Disabled {
        /// The attribute and value that say so.
        evidence: String,
    },
    /// Its time is over.
    Expired {
        /// Since when.
        since: DateTime<Utc>,
        /// The attribute and value that say so.
        evidence: String,
    },
    /// Locked out after wrong passwords: still a member of staff.
    Locked {
        /// The attribute and value that say so.
        evidence: String,
    },
    /// The entry doesn't say, or says something that can't be read. Never taken for "disabled".
    Unknown {
        /// What is missing or can't be read.
        why: String,
    },
}

impl AccountState {
    /// Whether the person should have an account: usable, or merely locked out.
    pub const fn entitles(&self) -> bool {
        matches!(self, Self::Usable { .. } | Self::Locked { .. })
    }
}

/// Reads the state of an account from its attributes at a moment.
pub fn account_state(rules: StateRules, attributes: &Attributes, now: DateTime<Utc>) -> AccountState {
    match rules {
        StateRules::ActiveDirectory => active_directory(attributes, now),
        StateRules::Posix => posix(attributes, now),
    }
}

fn active_directory(attributes: &Attributes, now: DateTime<Utc>) -> AccountState {
    let Some(text) = attributes.text("userAccountControl") else {
        return AccountState::Unknown { why: "userAccountControl is missing or may not be read".into() };
    };
    // AD prints it as a signed number (MS-ADTS 2.2.16).
    let Ok(bits) = text.parse::<i64>() else {
        return AccountState::Unknown { why: format!("userAccountControl is {text:?}, not a number") };
    };
    let flags = UserAccountControl::from_bits_retain(bits as u32);
    if flags.contains(UserAccountControl::ACCOUNTDISABLE) {
        return AccountState::Disabled { evidence: format!("userAccountControl {bits}") };
    }
    let until = match attributes.text("accountExpires").map(expiry) {
        None | Some(Ok(None)) => None,
        Some(Ok(Some(at))) if at <= now => {
            return AccountState::Expired { since: at, evidence: format!("accountExpires {}", at.to_rfc3339()) };
        }
        Some(Ok(Some(at))) => Some(at),
        Some(Err(why)) => return AccountState::Unknown { why },
    };
    let computed = attributes.text("msDS-User-Account-Control-Computed").and_then(|text| text.parse::<i64>().ok());
    if computed
        .is_some_and(|bits| UserAccountControl::from_bits_retain(bits as u32).contains(UserAccountControl::LOCKOUT))
    {
        return AccountState::Locked { evidence: "msDS-User-Account-Control-Computed".into() };
    }
    AccountState::Usable { until }
}

/// Reads `accountExpires`: 100 ns steps since 1601; 0 and 2^63-1 both mean never (MS-ADA1 2.2).
fn expiry(text: &str) -> Result<Option<DateTime<Utc>>, String> {
    let ticks: i64 = text.parse().map_err(|_| format!("accountExpires is {text:?}, not a number"))?;
    if ticks == 0 || ticks == i64::MAX {
        return Ok(None);
    }
    let seconds = ticks / 10_000_000 - 11_644_473_600;
    DateTime::from_timestamp(seconds, 0).map(Some).ok_or_else(|| format!("accountExpires {ticks} is no date"))
}

fn posix(attributes: &Attributes, now: DateTime<Utc>) -> AccountState {
    if attributes.text("nsAccountLock").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return AccountState::Disabled { evidence: "nsAccountLock TRUE".into() };
    }
    let locked = attributes.text("pwdAccountLockedTime");
    // draft-behera-ldap-password-policy 5.3.3: this value means "locked until an administrator unlocks it".
    if let Some(value) = locked.filter(|value| value.starts_with("000001010000")) {
        return AccountState::Disabled { evidence: format!("pwdAccountLockedTime {value}") };
    }
    let shadow = attributes.text("shadowExpire").map(days_since_epoch);
    let kerberos = attributes.text("krbPrincipalExpiration").map(generalized_time);
    let mut until = None;
    for (name, read) in [("shadowExpire", shadow), ("krbPrincipalExpiration", kerberos)] {
        match read {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(at))) if at <= now => {
                return AccountState::Expired { since: at, evidence: format!("{name} {}", at.to_rfc3339()) };
            }
            Some(Ok(Some(at))) => until = Some(until.map_or(at, |earlier: DateTime<Utc>| earlier.min(at))),
            Some(Err(why)) => return AccountState::Unknown { why: format!("{name} {why}") },
        }
    }
    match locked {
        Some(value) => AccountState::Locked { evidence: format!("pwdAccountLockedTime {value}") },
        None => AccountState::Usable { until },
    }
}

/// Reads `shadowExpire`: days since 1970; below zero means never (shadow(5)).
fn days_since_epoch(text: &str) -> Result<Option<DateTime<Utc>>, String> {
    let days: i64 = text.parse().map_err(|_| format!("is {text:?}, not a number"))?;
    if days < 0 {
        return Ok(None);
    }
    // shadow(5): "The value 0 should not be used as it is interpreted as either an account with no expiration, or as an
    // expiration on Jan 1, 1970."
    if days == 0 {
        return Err("is 0, which means \"never\" to some and \"long ago\" to others".to_owned());
    }
    let seconds = days.checked_mul(86_400).ok_or_else(|| format!("{days} is no date"))?;
    DateTime::from_timestamp(seconds, 0).map(Some).ok_or_else(|| format!("{days} is no date"))
}

/// Reads a GeneralizedTime in UTC (RFC 4517 3.3.13), as servers write it: `20261231235959Z`, with or without fraction.
fn generalized_time(text: &str) -> Result<Option<DateTime<Utc>>, String> {
    let digits: String = text.trim_end_matches('Z').split(['.', ',']).next().unwrap_or_default().to_owned();
    // MIT Kerberos keeps "never" as the time 0.
    chrono::NaiveDateTime::parse_from_str(&digits, "%Y%m%d%H%M%S")
        .map(|at| Some(at.and_utc()).filter(|at| at.timestamp() != 0))
        .map_err(|_| format!("is {text:?}, not a time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }
    fn ad(pairs: &[(&str, &str)]) -> AccountState {
        account_state(StateRules::ActiveDirectory, &pairs.iter().copied().collect(), now())
    }
    fn posix(pairs: &[(&str, &str)]) -> AccountState {
        account_state(StateRules::Posix, &pairs.iter().copied().collect(), now())
    }
    fn ticks(at: i64) -> String {
        ((at + 11_644_473_600) * 10_000_000).to_string()
    }

    #[test]
    fn a_missing_flag_is_unknown_never_disabled() {
        assert!(matches!(ad(&[]), AccountState::Unknown { .. }));
        assert!(matches!(ad(&[("userAccountControl", "x")]), AccountState::Unknown { .. }));
        assert!(posix(&[]).entitles());
    }

    #[test]
    fn active_directory_flags() {
        assert!(ad(&[("userAccountControl", "512")]).entitles());
        assert!(matches!(ad(&[("userAccountControl", "514")]), AccountState::Disabled { .. }));
        assert!(matches!(
            ad(&[("userAccountControl", "-2147483134")]),
            AccountState::Disabled { .. } | AccountState::Usable { .. }
        ));
        let locked = ad(&[("userAccountControl", "512"), ("msDS-User-Account-Control-Computed", "16")]);
        assert!(matches!(locked, AccountState::Locked { .. }) && locked.entitles());
    }

    #[test]
    fn both_nevers_of_account_expires_mean_never() {
        for never in ["0", "9223372036854775807"] {
            let state = ad(&[("userAccountControl", "512"), ("accountExpires", never)]);
            assert_eq!(state, AccountState::Usable { until: None });
        }
    }

    #[test]
    fn an_expiry_counts_from_its_minute() {
        for (offset, entitled) in [(-1, false), (0, false), (1, true)] {
            let at = ticks(now().timestamp() + offset);
            assert_eq!(ad(&[("userAccountControl", "512"), ("accountExpires", &at)]).entitles(), entitled, "{offset}");
        }
        assert!(!posix(&[("shadowExpire", "1")]).entitles());
        assert!(posix(&[("shadowExpire", "-1")]).entitles());
        assert!(matches!(posix(&[("shadowExpire", "0")]), AccountState::Unknown { .. }));
        assert!(posix(&[("krbPrincipalExpiration", "19700101000000Z")]).entitles());
        assert!(!posix(&[("krbPrincipalExpiration", "20200101000000Z")]).entitles());
        assert!(matches!(posix(&[("shadowExpire", "soon")]), AccountState::Unknown { .. }));
    }

    #[test]
    fn a_lockout_is_no_leaver_but_an_administrators_lock_is_one() {
        assert!(posix(&[("pwdAccountLockedTime", "20261101000000Z")]).entitles());
        assert!(matches!(posix(&[("pwdAccountLockedTime", "000001010000Z")]), AccountState::Disabled { .. }));
        assert!(matches!(posix(&[("nsAccountLock", "TRUE")]), AccountState::Disabled { .. }));
    }
}
