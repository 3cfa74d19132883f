//! Faults that a test plants: what goes wrong with which request.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One planted fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The method; absent matches all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path, exact or with `*` for a segment; `.json` makes no difference.
    pub path: String,
    /// Which match it strikes, from 1; absent strikes every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// What happens.
    #[serde(rename = "do")]
    pub act: Act,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Act {
    /// The connection is cut.
    Drop(Drop),
    /// The answer comes late, in real milliseconds.
    Delay {
        /// How long.
        delay_ms: u64,
    },
    /// This answer instead of the true one; the request has no effect.
    Answer {
        /// The status.
        status: u16,
        /// Further headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// A JSON body; a string is sent as text.
        #[serde(default)]
        body: Value,
    },
}

/// When the connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drop {
    /// Before the request has any effect.
    DropBefore,
    /// After its effect, without an answer.
    DropAfter,
}

/// The planted faults, each with its count of matches.
#[derive(Debug, Default)]
pub(super) struct Planted(Vec<(Fault, u64)>);

/// What happens to one request.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) delay_ms: u64,
    pub(super) act: Option<Act>,
}

impl Planted {
    pub(super) fn push(&mut self, faults: Vec<Fault>) {
        self.0.extend(faults.into_iter().map(|fault| (fault, 0)));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts the request in every fault that matches; delays add up, the first other act wins.
    pub(super) fn judge(&mut self, method: &str, path: &str) -> Verdict {
        let mut verdict = Verdict::default();
        for (fault, count) in &mut self.0 {
            if !fault.matches(method, path) {
                continue;
            }
            *count += 1;
            if fault.nth.is_some_and(|nth| nth != *count) {
                continue;
            }
            match &fault.act {
                Act::Delay { delay_ms } => verdict.delay_ms += delay_ms,
                act @ (Act::Drop(_) | Act::Answer { .. }) => {
                    verdict.act.get_or_insert_with(|| act.clone());
                }
            }
        }
        verdict
    }
}

impl Fault {
    fn matches(&self, method: &str, path: &str) -> bool {
        if self.method.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(method)) {
            return false;
        }
        let wanted: Vec<&str> = bare(&self.path).split('/').collect();
        let given: Vec<&str> = bare(path).split('/').collect();
        wanted.len() == given.len() && wanted.iter().zip(&given).all(|(want, have)| *want == "*" || want == have)
    }
}

fn bare(path: &str) -> &str {
    path.strip_suffix(".json").unwrap_or(path)
}
