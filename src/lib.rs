//! Stepwell runs Python analysis pipelines that must not be lost, must not be doubled, and must not touch
//! hardware before a person has said yes.
//!
//! The map of the house (ARCHITECTURE.md has the long form):
//!
//! - vocabulary: [`id`], [`time`], [`failure`], [`diagnostic`], [`code`], [`canonical`], [`redact`]
//! - pure rooms (no clock, no files, no tasks): [`expression`], [`plan`], [`run`], [`python`], [`approval`], [`schedule`], [`rehearsal`]
//! - shell: [`engine`], [`open`] (the composition root), [`service`] (for programs that embed Stepwell), [`cli`], [`telemetry`]
//! - ports and adapters: [`artifact`], [`executor`], [`generator`], [`store`], [`transport`]

pub mod approval;
pub mod artifact;
pub mod canonical;
pub mod cli;
pub mod code;
pub mod config;
pub mod diagnostic;
pub mod engine;
pub mod executor;
pub mod expression;
pub mod failure;
pub mod generator;
pub mod id;
pub mod open;
pub mod plan;
pub mod python;
pub mod redact;
pub mod rehearsal;
pub mod run;
pub mod schedule;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod time;
pub mod transport;
pub mod workflow;

pub use service::{
    OpenOptions, Outcome, PythonCapability, PythonExecutionRequest, PythonExecutorError,
    PythonExecutorService, PythonServiceResult, RunnableConfig,
};
