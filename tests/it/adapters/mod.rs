//! The adapters against servers on the wire and real files: one part real, the others in memory.

mod directory_canaries;
mod directory_causes;
mod directory_codes;
mod directory_faults;
mod directory_replicas;
mod directory_rig;
mod directory_sizes;
mod store_report;
mod zendesk_cuts;
mod zendesk_gate;
mod zendesk_lease;
mod zendesk_limits;
mod zendesk_sandbox;
