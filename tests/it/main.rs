//! One binary for all integration tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    reason = "a test that can't go on has failed, and says so by stopping"
)]

mod actions;
mod analysis_cli;
mod analysis_compile;
mod analysis_corpus;
mod approvals;
mod attempt_started;
mod bounds;
mod cache;
mod catalogue;
mod checklist;
mod cli_approve;
mod cli_diff;
mod cli_doctor;
mod cli_errors;
mod cli_exec;
mod cli_explain;
mod cli_follow;
mod cli_look;
mod cli_rig;
mod cli_run;
mod cli_schema;
mod config;
mod conformance_rig;
mod control_libraries;
mod control_rig;
mod crash;
mod deploy;
mod docs_examples;
mod edits;
mod engine;
mod epics;
mod executor_ahead;
mod executor_conformance;
mod executor_environment;
mod executor_files;
mod executor_jupyter;
mod executor_local;
mod executor_modules;
mod executor_processes;
mod executor_results;
mod executor_rig;
mod executor_science;
mod executor_sizes;
mod executor_warm;
mod expression_oracle;
mod flow;
mod generator_budget;
mod generator_command;
mod generator_engine;
mod generator_recorded;
mod generator_reuse;
mod generator_stream;
mod generator_wire;
mod given_files;
mod graph_svg;
mod guard;
mod handlers;
mod history_golden;
mod hostile;
mod hostile_supervisor;
mod inner_runs;
mod installed;
mod interleavings;
mod jupyter_rig;
mod keeping;
mod language_rules;
mod look_ahead;
mod machine;
mod missing_modules;
mod notebook_container;
mod notebook_rerun;
mod notebook_source;
mod notebook_validate;
mod orbit_study;
mod own_actions;
mod places;
mod process_kill;
mod process_places;
mod process_points;
mod process_rig;
mod process_warm;
mod process_write;
mod question_modules;
mod rehearsal;
mod rerun;
mod rerun_cli;
mod retention;
mod review;
mod rewinds;
mod safety;
mod schedule;
mod secrets;
mod seed_behaviour;
mod seed_examples;
mod seed_inventory;
mod seed_regressions;
mod self_test;
mod service;
mod share;
mod simulator;
mod store_crash;
mod store_damage;
mod store_memory;
mod store_sled;
mod terminal;
mod tidy;
mod transport;
mod transport_mail;
mod transport_tls;
mod truth_changes;
mod truth_documents;
mod truth_results;
mod truth_surroundings;
mod workflow_bad;
mod workflow_compile;
mod workflow_fields;
mod workflow_fmt;
mod workflow_hostile;
mod workflow_inputs;
mod workflow_kinds;
mod workflow_rules;
mod workflow_secrets;
