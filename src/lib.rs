//! Stepwell runs Python analysis pipelines that must not be lost, must not be doubled, and must not touch
//! hardware before a person has said yes.
//!
//! ```standalone_crate
//! use stepwell::{Outcome, PythonExecutionRequest, RunnableConfig};
//!
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
//! # fn main() -> std::process::ExitCode { with_service("", "", async |service| {
//! // let service = PythonExecutorService::open(OpenOptions::new("data")).await?;
//! let request = PythonExecutionRequest::new("How long is a day?", "Seconds of a day", "day")
//!     .context_value("hours", 24)
//!     .code("results = {'seconds': context.hours * 3600}");
//!
//! // The same request under the same name is the same run: after a crash, in another process, next week.
//! match service.invoke(request, &RunnableConfig::thread("day")).await? {
//!     Outcome::Completed(done) => assert_eq!(done.execution_result.results["seconds"], 86_400),
//!     Outcome::Waiting(waiting) => println!("{}", waiting.user_message), // until a person answers
//!     Outcome::Rejected(no) => println!("no: {:?}", no.reason),
//!     Outcome::Failed(error) => println!("{error}"),
//! }
//! # assert!(service.wait("day").await?.completed().is_some());
//! # Ok(()) }) }
//! ```
//!
//! [`PythonExecutorService`] shows a call with all its ways to end, [`service::Command`] an approval,
//! [`service::Pipeline`] stages, [`PythonCapability`] typed context, [`generator`] a task in words, [`action`] steps
//! of your own, [`config`] the
//! settings of a deployment. `docs/library.md` tells it in order.
//!
//! The map of the house (ARCHITECTURE.md has the long form):
//!
//! - vocabulary: [`id`], [`time`], [`failure`], [`diagnostic`], [`code`], [`canonical`], [`redact`]
//! - pure rooms (no clock, no files, no tasks): [`expression`], [`plan`], [`run`], [`python`], [`approval`], [`schedule`], [`rehearsal`]
//! - shell: [`engine`], [`open`] (the composition root), [`service`] (for programs that embed Stepwell), [`cli`], [`telemetry`]
//! - ports and adapters: [`action`], [`artifact`], [`executor`], [`generator`], [`store`], [`transport`]

pub mod action;
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
