//! The arguments that every command takes, and the list of commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::command;

/// Runs Python analysis pipelines durably, and asks a person before anything is written.
#[derive(Debug, Parser)]
#[command(
    name = "stepwell",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 succeeded, 1 the run failed, was rejected or cancelled, 2 wrong use or an \
    invalid file,\n3 waiting for a person, 4 a fault of the store or of Stepwell, 130 interrupted (resumable)."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Global {
    /// Folder of runs, histories and environments [env: STEPWELL_DATA] [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Configuration file [env: STEPWELL_CONFIG] [default: ./config.yml, when it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Print one JSON document on standard output and nothing else there
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// No progress and no remarks
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Log more to standard error; twice for more still [env: STEPWELL_LOG, as RUST_LOG]
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Init(command::init::Arguments),
    Validate(command::validate::Arguments),
    Fmt(command::fmt::Arguments),
    Graph(command::graph::Arguments),
    Analyze(command::analyze::Arguments),
    Test(command::test::Arguments),
    Run(command::run::Arguments),
    Exec(command::exec::Arguments),
    List(command::list::Arguments),
    Show(command::show::Arguments),
    Events(command::events::Arguments),
    Diff(command::diff::Arguments),
    Logs(command::logs::Arguments),
    Results(command::results::Arguments),
    Notebook(command::notebook::Arguments),
    Approvals(command::approvals::Arguments),
    Approve(command::approve::Arguments),
    Reject(command::reject::Arguments),
    RequestChanges(command::request_changes::Arguments),
    Refusals(command::refusals::Arguments),
    Resume(command::resume::Arguments),
    Retry(command::retry::Arguments),
    Fork(command::fork::Arguments),
    Cancel(command::cancel::Arguments),
    Pause(command::pause::Arguments),
    Unpause(command::pause::Unpause),
    Signal(command::signal::Arguments),
    Prune(command::prune::Arguments),
    Verify(command::verify::Arguments),
    Doctor(command::doctor::Arguments),
    SelfTest(command::self_test::Arguments),
    Config(command::config::Arguments),
    Explain(command::explain::Arguments),
    Schedule(command::schedule::Arguments),
    Schema(command::schema::Arguments),
}
