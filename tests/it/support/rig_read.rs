//! Reading a directory without an engine: what was come upon, and how it ended.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use zendesk_dirsync::domain::assignment::GroupRef;
use zendesk_dirsync::domain::scope::{CompleteRead, Sight, Sighting};
use zendesk_dirsync::engine::ports::{Directory, GroupOrder, ReadFault, ReadOrder};

/// A moment for judging account states.
pub fn noon() -> DateTime<Utc> {
    "2026-11-02T12:00:00Z".parse().expect("a time")
}

/// An order for groups named by DN.
pub fn order(groups: &[&str]) -> ReadOrder {
    let group = |text: &&str| GroupOrder { group: GroupRef::parse(text).expect("a group"), pin: None };
    ReadOrder {
        groups: groups.iter().map(group).collect(),
        attributes: BTreeSet::from(["mail".to_owned(), "displayname".to_owned()]),
        now: noon(),
        known: None,
    }
}

/// What a read came to.
#[derive(Debug)]
pub struct Seen {
    pub sights: Vec<Sight>,
    pub end: Result<CompleteRead, ReadFault>,
}

impl Seen {
    /// The people.
    pub fn people(&self) -> Vec<&Sighting> {
        let people = self.sights.iter().filter_map(|sight| match sight {
            Sight::Person(sighting) => Some(sighting),
            Sight::Unreadable { .. } => None,
        });
        people.collect()
    }
}

/// Reads a directory to its end, whatever that is. `hear` is told how many were come upon.
pub async fn read<D: Directory>(directory: &mut D, order: ReadOrder, mut hear: impl FnMut(usize)) -> Seen {
    let (sender, mut receiver) = mpsc::channel(16);
    let listen = async move {
        let mut sights = Vec::new();
        while let Some(sight) = receiver.recv().await {
            sights.push(sight);
            hear(sights.len());
        }
        sights
    };
    let (end, sights) = tokio::join!(directory.read(order, sender), listen);
    Seen { sights, end }
}
