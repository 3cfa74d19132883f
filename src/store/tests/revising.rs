//! The revision: what raises it, and what leaves it.

use super::*;
use crate::domain::assignment::PinKey;
use crate::domain::scope::GroupSeen;
use crate::engine::ports::{Ledger as _, Revision, Revisions as _, Settlement};

fn opened(dir: &Path) -> SledLedger {
    let Opened { ledger, .. } = SledLedger::open(dir).unwrap();
    ledger
}

#[test]
fn accounts_links_and_pins_raise_the_revision_and_bookkeeping_leaves_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = opened(dir.path());
    assert_eq!(store.revision().unwrap(), Revision::default());
    let pin = PinKey { directory: corp(), text: "cn=support".into() };
    store.pin(&BTreeMap::from([(pin.clone(), entry(7))])).unwrap();
    let first = store.revision().unwrap();
    assert_eq!((first.number, first.store.len()), (1, 32));
    store.pin(&BTreeMap::from([(pin.clone(), entry(7))])).unwrap();
    assert_eq!(store.revision().unwrap(), first, "the same pin again");
    store.pin(&BTreeMap::from([(pin, entry(8))])).unwrap();
    assert_eq!(store.revision().unwrap().number, 2);

    store.remember(&app("support"), &[known(1), known(2)]).unwrap();
    assert_eq!(store.revision().unwrap().number, 3, "one step");
    let mut seen_again = known(1);
    seen_again.missed = None;
    seen_again.fingerprint = None;
    seen_again.dn = Dn::parse("uid=u1,ou=elsewhere,dc=example,dc=org").unwrap();
    seen_again.group_paths.clear();
    seen_again.through.clear();
    store.remember(&app("support"), &[seen_again]).unwrap();
    store.accept(&app("support")).unwrap();
    store.keep_holds(&app("support"), &[]).unwrap();
    store.keep_groups(&corp(), &BTreeMap::from([(entry(7), GroupSeen { name: "g".into(), members: 1 })])).unwrap();
    store.intend(&intent(1)).unwrap();
    store.settle(&intent(1), &Settlement::Unchanged).unwrap();
    assert_eq!(store.revision().unwrap().number, 3, "none of these is knowledge that a plan is made from");

    let mut renamed = known(1);
    renamed.written.name = "Ada Lovelace".into();
    store.intend(&intent(2)).unwrap();
    store.settle(&intent(2), &Settlement::Known(Box::new(KnownAccount { person: person(2), ..renamed }))).unwrap();
    assert_eq!(store.revision().unwrap().number, 4);
    store.intend(&intent(2)).unwrap();
    store.settle(&intent(2), &Settlement::Forgotten).unwrap();
    assert_eq!(store.revision().unwrap().number, 5, "a link was given up");
    drop(store);
    assert_eq!(opened(dir.path()).revision().unwrap(), Revision { number: 5, ..first }, "a restart leaves it");
}

#[test]
fn two_stores_have_two_names() {
    let names: BTreeSet<String> = (0..2)
        .map(|_| {
            let dir = tempfile::tempdir().unwrap();
            let mut store = opened(dir.path());
            store.remember(&app("support"), &[known(1)]).unwrap();
            store.revision().unwrap().store
        })
        .collect();
    assert_eq!(names.len(), 2);
}
