//! Ticks, from tokio-cron-scheduler.
//!
//! A job of that crate keeps the zone's offset of the moment it was added, and so runs an hour off after a change of the
//! clock (its issue 107). Here a job lives for one firing: at each tick it is removed and added anew.

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

use super::Event;
use crate::domain::schedule::Schedule;

pub(super) struct Cron {
    scheduler: JobScheduler,
    job: Option<uuid::Uuid>,
    events: mpsc::Sender<Event>,
}

impl Cron {
    pub(super) async fn start(schedule: Schedule, events: mpsc::Sender<Event>) -> Result<Self, String> {
        let scheduler = JobScheduler::new().await.map_err(|why| why.to_string())?;
        scheduler.start().await.map_err(|why| why.to_string())?;
        let mut cron = Self { scheduler, job: None, events };
        cron.add(&schedule).await?;
        Ok(cron)
    }

    /// Takes the job out and puts it in again, with the zone's offset as it is now.
    pub(super) async fn renew(&mut self, schedule: &Schedule) {
        if let Some(job) = self.job.take()
            && let Err(why) = self.scheduler.remove(&job).await
        {
            tracing::warn!("the schedule's old job can't be removed: {why}");
        }
        if let Err(why) = self.add(schedule).await {
            tracing::error!("the schedule can't be set: {why}");
        }
    }

    async fn add(&mut self, schedule: &Schedule) -> Result<(), String> {
        let events = self.events.clone();
        let job = Job::new_async_tz(schedule.with_seconds(), schedule.zone(), move |_, _| {
            let events = events.clone();
            Box::pin(async move {
                // A full queue means that a tick waits already.
                let _ = events.try_send(Event::Tick);
            })
        });
        let job = job.map_err(|why| why.to_string())?;
        self.job = Some(self.scheduler.add(job).await.map_err(|why| why.to_string())?);
        Ok(())
    }
}
