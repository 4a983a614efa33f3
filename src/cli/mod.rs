//! The command line: the composition root. Arguments in, one command performed, an exit code out.
//!
//! One file per command in `command/`; what they show is made in `view/`; only [`output`] prints, and only
//! [`error`] turns errors of the libraries into words for people.

mod answer;
mod arguments;
mod bypass;
mod command;
mod compile;
mod confirm;
mod drive;
mod edit;
mod error;
mod exit;
mod find;
mod follow;
mod group;
mod inputs;
mod interrupt;
mod open;
mod output;
mod packages;
mod person;
mod progress;
mod settings;
mod view;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use arguments::{Arguments, Command};
use error::Error;
use exit::Exit;
use output::{LogWriter, Manner, Output};
use settings::Settings;

use crate::{code, telemetry};

/// Threads of the asynchronous runtime; file work has its own.
const WORKER_THREADS: usize = 2;

/// What every command is given.
#[derive(Debug, Clone)]
struct Context {
    output: Output,
    settings: Settings,
}

/// Performs the command that `args` (with the program's name first) ask for.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Keys and secrets are in its environment and its memory: no process of its user reads them, where the system can
    // refuse that.
    let _unable = nix::sys::prctl::set_dumpable(false);
    let args: Vec<OsString> = args.into_iter().collect();
    match Arguments::try_parse_from(&args) {
        Ok(arguments) => perform(arguments).into(),
        Err(error) => refuse(&args, &error).into(),
    }
}

fn perform(arguments: Arguments) -> Exit {
    let Arguments { global, command } = arguments;
    let manner = Manner {
        json: global.json,
        quiet: global.quiet,
        plain: false,
    };
    let settings = match Settings::read(&global) {
        Ok(settings) => settings,
        Err(error) => {
            return fail(
                &Output::new(manner),
                &Error::unreadable("the current folder".as_ref(), &error),
            );
        }
    };
    let output = Output::new(Manner {
        plain: settings.no_color,
        ..manner
    });
    let context = Context {
        output: output.clone(),
        settings,
    };
    match start(&context).and_then(|runtime| {
        let result = runtime.block_on(dispatch(&context, command));
        // What is under way in threads is finished or not, as after a crash; nobody waits for it.
        runtime.shutdown_background();
        result
    }) {
        Ok(_) if output.is_broken() => Exit::Internal,
        Ok(exit) => exit,
        Err(error) => fail(&output, &error),
    }
}

fn start(context: &Context) -> Result<tokio::runtime::Runtime, Error> {
    let log = context.output.clone();
    let colours = console::colors_enabled_stderr();
    telemetry::start(&context.settings.log, colours, move || {
        LogWriter(log.clone())
    })
    .map_err(|error| {
        Error::usage(
            code::USAGE,
            format!("STEPWELL_LOG can't be understood: {error}"),
        )
        .help("write it as RUST_LOG, for example STEPWELL_LOG=stepwell=debug")
    })?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(
                Exit::Internal,
                code::INTERNAL,
                format!("no runtime could be started: {error}"),
            )
        })
}

fn fail(output: &Output, error: &Error) -> Exit {
    output.error(error);
    error.exit()
}

/// Help and version are results; everything else is wrong use.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kinds are clap's; only two are no errors"
)]
fn refuse(args: &[OsString], error: &clap::Error) -> Exit {
    let json = args.iter().any(|arg| arg == "--json");
    let output = Output::new(Manner {
        json,
        ..Manner::default()
    });
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output.text(&error.render().to_string());
            Exit::Succeeded
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !json => {
            output.aside(error.render().to_string().trim_end());
            Exit::Usage
        }
        _ => fail(&output, &Error::from(error)),
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, Error> {
    match command {
        Command::Init(arguments) => command::init::perform(context, &arguments),
        Command::Validate(arguments) => command::validate::perform(context, &arguments),
        Command::Fmt(arguments) => command::fmt::perform(context, &arguments),
        Command::Graph(arguments) => command::graph::perform(context, &arguments),
        Command::Analyze(arguments) => command::analyze::perform(context, &arguments),
        Command::Test(arguments) => command::test::perform(context, &arguments),
        Command::Explain(arguments) => command::explain::perform(context, &arguments).await,
        Command::Schedule(arguments) => command::schedule::perform(context, &arguments),
        Command::Schema(arguments) => command::schema::perform(context, &arguments),
        Command::Run(arguments) => command::run::perform(context, arguments).await,
        Command::Exec(arguments) => command::exec::perform(context, arguments).await,
        Command::List(arguments) => command::list::perform(context, &arguments).await,
        Command::Show(arguments) => command::show::perform(context, &arguments).await,
        Command::Events(arguments) => command::events::perform(context, &arguments).await,
        Command::Diff(arguments) => command::diff::perform(context, &arguments).await,
        Command::Logs(arguments) => command::logs::perform(context, &arguments).await,
        Command::Results(arguments) => command::results::perform(context, &arguments).await,
        Command::Notebook(arguments) => command::notebook::perform(context, &arguments).await,
        Command::Approvals(arguments) => command::approvals::perform(context, &arguments).await,
        Command::Approve(arguments) => command::approve::perform(context, arguments).await,
        Command::Refusals(arguments) => command::refusals::perform(context, &arguments).await,
        Command::Reject(arguments) => command::reject::perform(context, arguments).await,
        Command::RequestChanges(arguments) => {
            command::request_changes::perform(context, arguments).await
        }
        Command::Resume(arguments) => command::resume::perform(context, &arguments).await,
        Command::Retry(arguments) => command::retry::perform(context, &arguments).await,
        Command::Fork(arguments) => command::fork::perform(context, &arguments).await,
        Command::Pause(arguments) => command::pause::perform(context, arguments).await,
        Command::Unpause(arguments) => command::pause::unpause(context, arguments).await,
        Command::Signal(arguments) => command::signal::perform(context, arguments).await,
        Command::Cancel(arguments) => command::cancel::perform(context, arguments).await,
        Command::Prune(arguments) => command::prune::perform(context, &arguments).await,
        Command::Verify(arguments) => command::verify::perform(context, &arguments).await,
        Command::SelfTest(arguments) => command::self_test::perform(context, &arguments).await,
        Command::Config(arguments) => command::config::perform(context, &arguments),
        Command::Doctor(arguments) => command::doctor::perform(context, &arguments).await,
    }
}
