//! A report in memory.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use zendesk_dirsync::domain::id::CycleId;
use zendesk_dirsync::domain::outcome::{Notice, Verdict};
use zendesk_dirsync::domain::settings::ReportSettings;
use zendesk_dirsync::engine::ports::{Report, ReportFault, Told};
use zendesk_dirsync::report::Journal;

use super::fuse::Fuse;
use super::lock;

#[derive(Default)]
struct Kept {
    /// The real journal beside it, while the process lives.
    journal: Option<Journal>,
    notices: Vec<Notice>,
    /// Calls that still succeed; none for all.
    left: Option<usize>,
}

/// Records what it is told.
#[derive(Clone, Default)]
pub struct MemoryReport {
    kept: Arc<Mutex<Kept>>,
    fuse: Fuse,
}

impl MemoryReport {
    /// A report that may die by a fuse.
    pub fn new(fuse: Fuse) -> Self {
        Self { kept: Arc::default(), fuse }
    }

    /// Writes everything into a real journal as well: its process ends, and a new one takes it up.
    ///
    /// # Errors
    /// When the journal can't be taken up.
    pub fn journal(&self, settings: &ReportSettings, now: DateTime<Utc>, seed: u64) -> Result<(), ReportFault> {
        lock(&self.kept).journal = None;
        let mut count = seed;
        let salts = Box::new(move || {
            count = count.wrapping_add(0x9e37_79b9_7f4a_7c15);
            u128::from(count).to_be_bytes()
        });
        lock(&self.kept).journal = Some(Journal::open(settings, now, salts)?);
        Ok(())
    }

    /// The journal's process ends.
    pub fn close(&self) {
        lock(&self.kept).journal = None;
    }

    /// Looks at everything told so far, without copying it.
    pub fn with<T>(&self, look: impl FnOnce(&[Notice]) -> T) -> T {
        look(&lock(&self.kept).notices)
    }

    /// Everything told so far.
    pub fn notices(&self) -> Vec<Notice> {
        lock(&self.kept).notices.clone()
    }

    /// Forgets everything.
    pub fn forget(&self) {
        lock(&self.kept).notices.clear();
    }

    /// The disk is full after so many more calls; none mends it.
    pub fn fails_after(&self, calls: Option<usize>) {
        lock(&self.kept).left = calls;
    }

    fn writable(&self) -> Result<(), ReportFault> {
        match &mut lock(&self.kept).left {
            Some(0) => Err(ReportFault("no space left on device".into())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Report for MemoryReport {
    fn ready(&mut self) -> Result<(), ReportFault> {
        self.writable()
    }

    fn tell(&mut self, notice: &Notice) -> Result<(), ReportFault> {
        self.fuse.pass();
        self.writable()?;
        {
            let mut kept = lock(&self.kept);
            if let Some(journal) = &mut kept.journal {
                journal.tell(notice)?;
            }
            kept.notices.push(notice.clone());
        }
        self.fuse.pass();
        Ok(())
    }

    fn told(&mut self, cycle: &CycleId, seq: u64) -> Result<Told, ReportFault> {
        let mut kept = lock(&self.kept);
        if let Some(journal) = &mut kept.journal {
            return journal.told(cycle, seq);
        }
        let told = kept.notices.iter().find(|notice| notice.cycle == *cycle && notice.seq == seq);
        Ok(match told.map(|notice| notice.verdict) {
            Some(Verdict::Done | Verdict::Already) => Told::Done,
            Some(_) => Told::Otherwise,
            None => Told::No,
        })
    }
}
