//! What people ordered by hand, in the store.

use super::ledger::SledLedger;
use super::sealed::{Tree, damaged};
use super::vault::Draft;
use super::{keys, records};
use crate::domain::account::KnownAccount;
use crate::domain::id::{AppName, PersonId};
use crate::domain::pause::{Pause, Pauses};
use crate::engine::ports::{HandLedger, Label, LedgerFault};

impl HandLedger for SledLedger {
    fn pauses(&self) -> Result<Pauses, LedgerFault> {
        let tree = Tree::Meta;
        let all = self.gather::<_, Pause>(tree, keys::PAUSE, keys::paused_app)?;
        let named = |(app, pause): (Option<String>, Pause)| {
            let app = app.map(|app| AppName::new(&app)).transpose();
            Ok((app.map_err(|why| damaged(tree, keys::PAUSE, why))?, pause))
        };
        Ok(Pauses(all.into_iter().map(named).collect::<Result<_, LedgerFault>>()?))
    }

    fn pause(&mut self, app: Option<&AppName>, pause: Option<&Pause>) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        let key = keys::pause(app);
        match pause {
            Some(pause) => draft.put(Tree::Meta, key, &records::write(pause)?)?,
            None => draft.remove(Tree::Meta, key),
        }
        self.commit(draft)
    }

    fn label(&self, app: &AppName, person: &PersonId) -> Result<Option<Label>, LedgerFault> {
        self.read(Tree::Meta, &keys::label(app, person))
    }

    fn set_label(&mut self, app: &AppName, person: &PersonId, label: Option<&Label>) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        let key = keys::label(app, person);
        match label {
            Some(label) => draft.put(Tree::Meta, key, &records::write(label)?)?,
            None => draft.remove(Tree::Meta, key),
        }
        self.commit(draft)
    }

    fn tie(&mut self, app: &AppName, known: &KnownAccount) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        self.put_accounts(&mut draft, app, &[known])?;
        draft.remove(Tree::Keeps, keys::person(app, &known.person));
        draft.remove(Tree::Meta, keys::label(app, &known.person));
        self.commit(draft)
    }
}
