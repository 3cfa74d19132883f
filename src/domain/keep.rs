//! Keeps: people whose accounts stay as a person put them, until the directory or a person decides otherwise.
//!
//! Whoever undoes a change or ends an access by hand has decided; the next cycle must not decide the opposite. It isn't a
//! hold: nothing waits for an answer.

use std::fmt;

use chrono::{DateTime, Utc};

use super::account_state::AccountState;
use super::change::CauseCode;
use super::id::{CycleId, Digest};

/// A person's account that is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Who decided it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// By what.
    pub reason: KeepReason,
    /// For how long.
    pub until: KeepUntil,
}

/// By what an account came to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepReason {
    /// What a cycle did to it was undone.
    Undone(CycleId),
    /// It was deprovisioned by hand.
    Deprovisioned,
    /// It was released by hand.
    Released,
}

impl KeepReason {
    /// The name in plans and reports.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Undone(_) => "undone",
            Self::Deprovisioned => "deprovisioned_by_hand",
            Self::Released => "released",
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undone(cycle) => write!(f, "what cycle {cycle} did was undone"),
            Self::Deprovisioned => f.write_str("deprovisioned by hand"),
            Self::Released => f.write_str("released by hand"),
        }
    }
}

/// For how long an account is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepUntil {
    /// Until a complete read shows that the directory wishes something else than this.
    Changes(Wish),
    /// Until the directory itself shows the entry disabled or expired. That it isn't seen is not enough: whoever comes
    /// into sight again would be given access again.
    Unusable,
    /// Until a person lifts it.
    Lifted,
}

impl fmt::Display for KeepUntil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changes(_) => f.write_str("until the directory says something else, or `keeps lift`"),
            Self::Unusable => f.write_str("until the directory disables the entry too, or `keeps lift`"),
            Self::Lifted => f.write_str("until `keeps lift` or `link`"),
        }
    }
}

/// What the directory wishes of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// This account: a digest of [`wish`](super::account::DesiredAccount::wish).
    Account(Digest),
    /// That access ends.
    Removal(CauseCode),
    /// It wasn't known when the keep began: the first wish that is seen is the one.
    Unknown,
}

/// What a complete read shows of a person who is kept.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// The directory wants this account: a digest of its wish.
    Wanted(Digest),
    /// The directory wants the account as it was last carried out whole.
    AsCarriedOut,
    /// The entry may not be used.
    Unusable(&'a AccountState),
    /// The person departed otherwise.
    Departed(CauseCode),
}

/// What becomes of a keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It stands.
    Stands,
    /// It stands, for this wish from now on.
    Settles(Wish),
    /// It ends.
    Ends,
}

impl Keep {
    /// What becomes of the keep in view of what a complete read shows.
    pub fn judge(&self, seen: Seen<'_>) -> Standing {
        let now = match seen {
            // There is nothing left that it could be kept from.
            Seen::AsCarriedOut if matches!(self.until, KeepUntil::Changes(_)) => return Standing::Ends,
            Seen::AsCarriedOut => return Standing::Stands,
            Seen::Wanted(wish) => Wish::Account(wish),
            Seen::Unusable(AccountState::Expired { .. }) => Wish::Removal(CauseCode::Expired),
            Seen::Unusable(_) => Wish::Removal(CauseCode::Disabled),
            Seen::Departed(code) => Wish::Removal(code),
        };
        match self.until {
            KeepUntil::Lifted => Standing::Stands,
            KeepUntil::Unusable if matches!(seen, Seen::Unusable(_)) => Standing::Ends,
            KeepUntil::Unusable => Standing::Stands,
            // Only a wanted account is taken for the wish that is left alone: whoever is to go meanwhile goes.
            KeepUntil::Changes(Wish::Unknown) if matches!(now, Wish::Account(_)) => Standing::Settles(now),
            KeepUntil::Changes(wish) if wish == now => Standing::Stands,
            KeepUntil::Changes(_) => Standing::Ends,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(until: KeepUntil) -> Keep {
        Keep { by: "alice".into(), at: DateTime::UNIX_EPOCH, reason: KeepReason::Deprovisioned, until }
    }

    fn disabled() -> AccountState {
        AccountState::Disabled { evidence: "userAccountControl 514".into() }
    }

    #[test]
    fn an_undone_removal_is_kept_while_the_directory_wishes_the_same() {
        let kept = keep(KeepUntil::Changes(Wish::Removal(CauseCode::OutOfScope)));
        assert_eq!(kept.judge(Seen::Departed(CauseCode::OutOfScope)), Standing::Stands);
        assert_eq!(kept.judge(Seen::Departed(CauseCode::Gone)), Standing::Ends);
        assert_eq!(kept.judge(Seen::Unusable(&disabled())), Standing::Ends);
        assert_eq!(kept.judge(Seen::Wanted(Digest([1; 32]))), Standing::Ends);
    }

    #[test]
    fn the_first_wish_after_an_unknown_one_is_the_one() {
        let kept = keep(KeepUntil::Changes(Wish::Unknown));
        let wish = Wish::Account(Digest([7; 32]));
        assert_eq!(kept.judge(Seen::Wanted(Digest([7; 32]))), Standing::Settles(wish));
    }

    #[test]
    fn an_unknown_wish_shields_nobody_from_a_removal() {
        let kept = keep(KeepUntil::Changes(Wish::Unknown));
        assert_eq!(kept.judge(Seen::Unusable(&disabled())), Standing::Ends);
        assert_eq!(kept.judge(Seen::Departed(CauseCode::Gone)), Standing::Ends);
    }

    #[test]
    fn whoever_was_removed_by_hand_comes_back_only_after_the_directory_disabled_them_too() {
        let kept = keep(KeepUntil::Unusable);
        assert_eq!(kept.judge(Seen::Wanted(Digest([1; 32]))), Standing::Stands);
        assert_eq!(kept.judge(Seen::Departed(CauseCode::Gone)), Standing::Stands);
        assert_eq!(kept.judge(Seen::Unusable(&disabled())), Standing::Ends);
    }

    #[test]
    fn whoever_was_released_is_left_alone_until_a_person_says_otherwise() {
        let kept = keep(KeepUntil::Lifted);
        assert_eq!(kept.judge(Seen::Wanted(Digest([1; 32]))), Standing::Stands);
        assert_eq!(kept.judge(Seen::Unusable(&disabled())), Standing::Stands);
    }
}
