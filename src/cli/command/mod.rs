//! The commands, one file each: its arguments, and what it does.

pub(super) mod analyze;
pub(super) mod approvals;
pub(super) mod approve;
pub(super) mod cancel;
pub(super) mod diff;
pub(super) mod doctor;
pub(super) mod events;
pub(super) mod explain;
pub(super) mod fmt;
pub(super) mod graph;
pub(super) mod init;
pub(super) mod list;
pub(super) mod logs;
pub(super) mod notebook;
pub(super) mod pause;
pub(super) mod reject;
pub(super) mod request_changes;
pub(super) mod results;
pub(super) mod resume;
pub(super) mod run;
pub(super) mod schedule;
pub(super) mod schema;
pub(super) mod show;
pub(super) mod signal;
pub(super) mod validate;
pub(super) mod verify;
