//! Users (Zendesk API reference, Users).

pub(super) mod apply;
pub(super) mod deleted;
pub(super) mod fields;
pub(super) mod incremental;
pub(super) mod profile;
pub(super) mod read;
pub(super) mod role;
pub(super) mod search;
pub(super) mod view;
pub(super) mod write;
