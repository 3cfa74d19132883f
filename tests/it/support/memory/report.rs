//! A report in memory.

use std::sync::{Arc, Mutex};

use zendesk_dirsync::domain::id::CycleId;
use zendesk_dirsync::domain::outcome::Notice;
use zendesk_dirsync::engine::ports::{Report, ReportFault, Told};

use super::fuse::Fuse;
use super::lock;

#[derive(Debug, Default)]
struct Kept {
    notices: Vec<Notice>,
    /// Calls that still succeed; none for all.
    left: Option<usize>,
}

/// Records what it is told.
#[derive(Debug, Clone, Default)]
pub struct MemoryReport {
    kept: Arc<Mutex<Kept>>,
    fuse: Fuse,
}

impl MemoryReport {
    /// A report that may die by a fuse.
    pub fn new(fuse: Fuse) -> Self {
        Self { kept: Arc::default(), fuse }
    }

    /// Everything told so far.
    pub fn notices(&self) -> Vec<Notice> {
        lock(&self.kept).notices.clone()
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
        lock(&self.kept).notices.push(notice.clone());
        self.fuse.pass();
        Ok(())
    }

    fn told(&mut self, cycle: &CycleId, seq: u64) -> Result<Told, ReportFault> {
        let told = lock(&self.kept).notices.iter().any(|notice| notice.cycle == *cycle && notice.seq == seq);
        Ok(if told { Told::Yes } else { Told::No })
    }
}
