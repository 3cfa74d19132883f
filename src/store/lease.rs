//! Leases in the store: its own name, and for each app the last mark that was written into the marker.

use chrono::DateTime;

use super::ledger::SledLedger;
use super::sealed::Tree;
use super::vault::Draft;
use super::{keys, records};
use crate::domain::id::{AppName, Malformed};
use crate::domain::lease::{InstanceId, LeaseMark};
use crate::engine::ports::{LeaseLedger, LedgerFault};

impl records::Stored for InstanceId {
    type Record = [u8; 16];

    fn record(&self) -> Self::Record {
        *self.as_bytes()
    }

    fn restore(bytes: Self::Record) -> Result<Self, Malformed> {
        Ok(Self::from_bytes(bytes))
    }
}

impl records::Stored for LeaseMark {
    type Record = ([u8; 16], u64, i64);

    fn record(&self) -> Self::Record {
        (*self.instance.as_bytes(), self.serial, self.at().timestamp_millis())
    }

    fn restore((instance, serial, at): Self::Record) -> Result<Self, Malformed> {
        let at = DateTime::from_timestamp_millis(at).ok_or_else(|| Malformed("the time is out of bounds".into()))?;
        Ok(Self::new(InstanceId::from_bytes(instance), serial, at))
    }
}

impl SledLedger {
    /// Gives random bytes for the store's name, should one be wanted: a store that has one keeps it.
    pub const fn name_with(&mut self, fresh: [u8; 16]) {
        self.fresh = Some(fresh);
    }
}

impl LeaseLedger for SledLedger {
    fn instance(&mut self) -> Result<InstanceId, LedgerFault> {
        if let Some(named) = self.read(Tree::Meta, keys::INSTANCE)? {
            return Ok(named);
        }
        let nameless = || LedgerFault::Io("it has no name, and was given none".to_owned());
        let name = InstanceId::from_bytes(self.fresh.ok_or_else(nameless)?);
        let mut draft = Draft::default();
        draft.put(Tree::Meta, keys::INSTANCE.to_vec(), &records::write(&name)?)?;
        self.commit(draft)?;
        Ok(name)
    }

    fn noted_lease(&self, app: &AppName) -> Result<Option<LeaseMark>, LedgerFault> {
        self.read(Tree::Meta, &keys::lease(app))
    }

    fn note_lease(&mut self, app: &AppName, mark: &LeaseMark) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        draft.put(Tree::Meta, keys::lease(app), &records::write(mark)?)?;
        self.commit(draft)
    }

    fn doubt(&mut self, app: &AppName, mark: Option<&LeaseMark>) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        if let Some(mark) = mark {
            draft.put(Tree::Meta, keys::lease(app), &records::write(mark)?)?;
        }
        draft.put(Tree::Meta, keys::doubted(app), &[])?;
        draft.remove(Tree::Meta, keys::settled(app));
        self.commit(draft)
    }
}
