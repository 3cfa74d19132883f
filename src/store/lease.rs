//! Leases in the store: its own name, and for each app the last serial that was written into the marker.

use super::ledger::SledLedger;
use super::sealed::Tree;
use super::vault::Draft;
use super::{keys, records};
use crate::domain::id::{AppName, Malformed};
use crate::domain::lease::InstanceId;
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

impl records::Stored for u64 {
    type Record = Self;

    fn record(&self) -> Self::Record {
        *self
    }

    fn restore(number: Self::Record) -> Result<Self, Malformed> {
        Ok(number)
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

    fn lease_serial(&self, app: &AppName) -> Result<u64, LedgerFault> {
        Ok(self.read(Tree::Meta, &keys::lease(app))?.unwrap_or_default())
    }

    fn note_lease(&mut self, app: &AppName, serial: u64) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        draft.put(Tree::Meta, keys::lease(app), &records::write(&serial)?)?;
        self.commit(draft)
    }

    fn doubt(&mut self, app: &AppName, serial: u64) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        draft.put(Tree::Meta, keys::lease(app), &records::write(&serial)?)?;
        draft.put(Tree::Meta, keys::doubted(app), &[])?;
        draft.remove(Tree::Meta, keys::settled(app));
        self.commit(draft)
    }
}
