//! Job statuses: jobs take virtual time, and end `completed` even if items failed.

use super::bulk::{Item, carry_out};
use super::call::Call;
use super::clock::{Millis, job_stamp};
use super::reply::{Answer, Reply, not_found, ok};
use super::world::World;
use serde_json::{Value, json};

/// Queued and running jobs at once (Zendesk API reference, Rate limits, job limit).
const RUNNING_MAX: usize = 30;
/// A job's status is kept for a day.
const KEPT_MS: u64 = 86_400_000;
/// The list shows about so many.
const LISTED_MAX: usize = 100;

/// A job.
#[derive(Debug)]
pub(super) struct Job {
    id: String,
    kind: &'static str,
    verb: &'static str,
    items: Vec<Item>,
    results: Vec<Value>,
    actor: u64,
    started_at: Millis,
    completed_at: Option<Millis>,
}

/// Queues a job, unless there are too many.
pub(super) fn queue(world: &mut World, kind: &'static str, verb: &'static str, items: Vec<Item>, actor: u64) -> Answer {
    let running: Vec<&String> = world.jobs.iter().filter(|job| job.completed_at.is_none()).map(|job| &job.id).collect();
    if running.len() >= RUNNING_MAX {
        let text = format!("Too many {kind} jobs are currently queued or running. Try again later.");
        let body = json!({"error": "TooManyJobs", "description": text, "current_job_ids": running});
        let inflight = format!("total={RUNNING_MAX}; remaining=0; resets=60");
        return Err(Reply::json(429, body).with("zendesk-ratelimit-inflight-jobs", inflight).with("Retry-After", 60));
    }
    let inflight = format!("total={RUNNING_MAX}; remaining={}; resets=60", RUNNING_MAX - running.len() - 1);
    let id = format!("V3-{}", uuid::Uuid::new_v4().simple());
    let started_at = world.now;
    let job = Job { id, kind, verb, items, results: Vec::new(), actor, started_at, completed_at: None };
    let body = json!({"job_status": view(world, &job)});
    world.jobs.push(job);
    Ok(Reply::json(200, body).with("zendesk-ratelimit-inflight-jobs", inflight))
}

fn view(world: &World, job: &Job) -> Value {
    let done = job.results.len();
    let (status, progress, message, results) = match job.completed_at {
        Some(at) => ("completed", json!(done), json!(format!("Completed at {}", job_stamp(at))), json!(job.results)),
        None if done > 0 => ("working", json!(done), json!(format!("{} #{done}", job.verb)), Value::Null),
        None => ("queued", Value::Null, Value::Null, Value::Null),
    };
    json!({
        "id": job.id,
        "job_type": job.kind,
        "url": world.url(&format!("/job_statuses/{}", job.id)),
        "total": job.items.len(),
        "progress": progress,
        "status": status,
        "message": message,
        "results": results,
    })
}

/// Carries out what is due by now, and forgets old jobs.
pub(super) fn settle(world: &mut World) {
    let mut jobs = std::mem::take(&mut world.jobs);
    let (queue_ms, item_ms) = (world.options.job_queue_ms, world.options.job_item_ms);
    for job in jobs.iter_mut().filter(|job| job.completed_at.is_none()) {
        let due_at = |n: usize| job.started_at + queue_ms + item_ms * (n as u64 + 1);
        let due = (0..job.items.len()).take_while(|n| due_at(*n) <= world.now).count();
        while job.results.len() < due {
            let n = job.results.len();
            let Some(item) = job.items.get(n) else { break };
            let result = carry_out(world, item, n, job.actor);
            job.results.push(result);
        }
        if job.results.len() == job.items.len() && world.now >= job.started_at + queue_ms {
            job.completed_at = Some(world.now);
        }
    }
    jobs.retain(|job| job.completed_at.is_none_or(|at| world.now < at + KEPT_MS));
    world.jobs = jobs;
    // A warning belongs to the request, and these items came with an earlier one.
    world.ignored.clear();
}

pub(super) fn show(world: &mut World, call: &Call) -> Answer {
    let wanted = call.params.first().map(String::as_str).unwrap_or_default();
    let job = world.jobs.iter().find(|job| job.id == wanted).ok_or_else(not_found)?;
    ok(json!({"job_status": view(world, job)}))
}

pub(super) fn show_many(world: &mut World, call: &Call) -> Answer {
    let ids = call.csv("ids")?.unwrap_or_default();
    let rows: Vec<Value> = world.jobs.iter().filter(|job| ids.contains(&job.id)).map(|job| view(world, job)).collect();
    ok(json!({"job_statuses": rows, "count": rows.len(), "next_page": null, "previous_page": null}))
}

pub(super) fn list(world: &mut World, _: &Call) -> Answer {
    let rows: Vec<Value> = world.jobs.iter().rev().take(LISTED_MAX).map(|job| view(world, job)).collect();
    ok(json!({"job_statuses": rows, "count": rows.len(), "next_page": null, "previous_page": null}))
}
