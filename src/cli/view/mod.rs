//! What people are shown: text made from states, never printed here.

pub(super) mod configuration;
pub(super) mod diff;
pub(super) mod event;
pub(super) mod frame;
pub(super) mod listing;
mod modules;
pub(super) mod outcome;
pub(super) mod panel;
pub(super) mod question;
pub(super) mod rehearsal;
pub(super) mod steps;
pub(super) mod table;
pub(super) mod text;
pub(super) mod written;

pub(super) use frame::Frame;
