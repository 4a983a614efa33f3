//! One binary for all integration tests.

mod notebook_validate;
mod store_memory;
