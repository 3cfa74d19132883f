//! Leases in the store: its name for good, marks, and apps that others may have written.

use tempfile::tempdir;

use super::{app, at, known, open};
use crate::domain::brake::Experience;
use crate::domain::lease::{InstanceId, LeaseMark};
use crate::engine::ports::{LeaseLedger as _, Ledger as _};
use crate::store::{Condition, SledLedger};

fn mark(serial: u64) -> LeaseMark {
    LeaseMark::new(InstanceId::from_bytes([7; 16]), serial, at("2026-11-23T15:02:11.125Z"))
}

fn experience(ledger: &SledLedger, name: &str) -> Experience {
    ledger.app_standing(&app(name)).unwrap().experience
}

#[test]
fn a_store_gets_its_name_when_it_is_first_asked_for_and_keeps_it() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let serial = ledger.serial();
    assert!(ledger.instance().is_err(), "without random bytes there is no name");
    ledger.name_with([1; 16]);
    assert_eq!(ledger.serial(), serial, "a store that keeps no lease has nothing new in it");
    assert_eq!(ledger.instance(), Ok(InstanceId::from_bytes([1; 16])));
    ledger.name_with([2; 16]);
    assert_eq!(ledger.instance(), Ok(InstanceId::from_bytes([1; 16])));
    drop(ledger);
    let mut again = open(dir.path()).unwrap();
    assert_eq!(again.condition, Condition::Sound);
    again.ledger.name_with([3; 16]);
    assert_eq!(again.ledger.instance(), Ok(InstanceId::from_bytes([1; 16])));
}

#[test]
fn the_last_mark_of_each_app_is_kept_over_a_restart() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    assert_eq!(ledger.noted_lease(&app("support")), Ok(None));
    ledger.note_lease(&app("support"), &mark(41)).unwrap();
    ledger.note_lease(&app("support"), &mark(42)).unwrap();
    ledger.note_lease(&app("sales"), &mark(7)).unwrap();
    drop(ledger);
    let ledger = open(dir.path()).unwrap().ledger;
    assert_eq!(ledger.noted_lease(&app("support")), Ok(Some(mark(42))));
    assert_eq!(ledger.noted_lease(&app("sales")), Ok(Some(mark(7))));
    assert_eq!(ledger.noted_lease(&app("sup")), Ok(None));
}

#[test]
fn an_app_in_doubt_is_told_from_a_lost_store_until_a_cycle_of_it_is_accepted() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    for name in ["support", "sales"] {
        ledger.accept(&app(name)).unwrap();
    }
    ledger.remember(&app("support"), &[known(1)]).unwrap();
    ledger.doubt(&app("support"), Some(&mark(9))).unwrap();
    drop(ledger);
    let mut ledger = open(dir.path()).unwrap().ledger;
    assert_eq!(experience(&ledger, "support"), Experience::Doubted);
    assert_eq!(experience(&ledger, "sales"), Experience::Settled);
    assert_eq!(ledger.noted_lease(&app("support")), Ok(Some(mark(9))));
    assert_eq!(ledger.app_standing(&app("support")).unwrap().population, 1, "what is known is kept");
    ledger.accept(&app("support")).unwrap();
    assert_eq!(experience(&ledger, "support"), Experience::Settled);
    // A doubt without a mark leaves the last one.
    ledger.doubt(&app("support"), None).unwrap();
    assert_eq!(experience(&ledger, "support"), Experience::Doubted);
    assert_eq!(ledger.noted_lease(&app("support")), Ok(Some(mark(9))));
}
