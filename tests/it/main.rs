//! One binary for all integration tests.

mod executor_local;
mod executor_processes;
mod executor_results;
mod executor_rig;
mod notebook_validate;
mod store_memory;
mod workflow_compile;
mod tidy;
