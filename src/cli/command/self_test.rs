//! `stepwell self-test`: the acceptance tests of an installation, run for real on the configuration in force: code in
//! a container, code on this machine, and code that fails.

mod case;
mod folder;
mod judge;

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::interrupt::Interrupts;
use super::super::view::table::table;
use super::super::view::text::{elapsed, line, painted_mark};
use super::super::{Context, Exit, person};
use super::doctor;
use crate::code;
use crate::config::Config;
use crate::open::Place;
use crate::run::Command as RunCommand;
use crate::service::{Command, Outcome, PythonExecutorError, PythonExecutorService};
use crate::time::{Clock as _, SystemClock};
use case::Case;
use folder::Folder;
use judge::{Report, Verdict};

/// Run the acceptance tests of this installation
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only these; all of them when nothing is named
    #[arg(value_name = "TEST")]
    tests: Vec<Case>,
    /// Keep the folder with the runs and notebooks, and say where it is
    #[arg(long)]
    keep: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let config = context.config()?;
    let place = context.place()?;
    let folder = Folder::make(&place, &config, arguments.keep)?;
    let installation = Installation::open(&place, &folder, config).await?;
    let mut interrupts = Interrupts::listen().map_err(|error| {
        let message = format!("signals can't be heard: {error}");
        Error::new(Exit::Internal, code::INTERNAL, message)
    })?;
    let reports = tokio::select! {
        reports = installation.all(context, &arguments.tests) => reports,
        () = interrupts.next() => {
            installation.stop().await;
            return Ok(Exit::Interrupted);
        }
    };
    let kept = arguments.keep.then(|| folder.path());
    let passed = reports
        .iter()
        .all(|report| report.verdict != Verdict::Failed);
    context.output.result(
        || json!({"passed": passed, "folder": kept, "tests": reports}),
        || {
            let kept = kept.map(|path| path.display().to_string());
            text(&reports, kept.as_deref())
        },
    );
    Ok(if passed {
        Exit::Succeeded
    } else {
        Exit::Failed
    })
}

/// The configuration in force over a data folder of its own.
struct Installation<'f> {
    folder: &'f Folder,
    service: PythonExecutorService,
    has_containers: bool,
}

impl<'f> Installation<'f> {
    async fn open(place: &Place, folder: &'f Folder, config: Config) -> Result<Self, Error> {
        let has_containers = doctor::containers_are_meant(&config);
        let config = folder.adapted(config);
        let place = Place {
            data: folder.path().to_owned(),
            ..place.clone()
        };
        let opened = place.open(&config).await?;
        let data = folder.path().to_owned();
        Ok(Self {
            folder,
            service: PythonExecutorService::over(opened, config, data, person::name()),
            has_containers,
        })
    }

    async fn all(&self, context: &Context, wanted: &[Case]) -> Vec<Report> {
        let mut reports = Vec::new();
        for case in Case::ALL {
            if !wanted.is_empty() && !wanted.contains(&case) {
                continue;
            }
            if case == Case::Container && !self.has_containers {
                reports.push(Report::skipped(case, "no container endpoint is configured"));
                continue;
            }
            context.output.remark(&format!("· {}", case.name()));
            reports.push(self.one(case).await);
        }
        reports
    }

    async fn one(&self, case: Case) -> Report {
        let began = SystemClock.now();
        if let Err(error) = self.folder.answer(case.code()) {
            let folder = self.folder.path().display();
            return Report::failed(case, format!("{folder} can't be written: {error}"));
        }
        let (outcome, asked) = self.outcome(case).await;
        let took = SystemClock.now().since(began);
        let state = self.service.state(case.name()).await.ok();
        let mut report = judge::judge(case, outcome);
        if asked {
            report.evidence.push_str("; the policy asked first");
        }
        Report {
            run: state.map(|state| state.run),
            took: Some(took),
            asked,
            ..report
        }
    }

    /// How the call ends. Where the policy asks about such code, the answer is yes: it is ours, in a folder of ours.
    async fn outcome(&self, case: Case) -> (Result<Outcome, PythonExecutorError>, bool) {
        let call = case.call();
        match self.service.invoke(case.request(), &call).await {
            Ok(Outcome::Waiting(_)) => {
                let yes = Command::approve().by(person::name());
                (self.service.invoke(yes, &call).await, true)
            }
            outcome => (outcome, false),
        }
    }

    /// Stops what is under way, here and in containers.
    async fn stop(&self) {
        let engine = self.service.engine();
        for run in engine.unfinished().await.unwrap_or_default() {
            let reason = Some("the self-test was interrupted".to_owned());
            let command = RunCommand::Cancel { reason };
            if engine.command(run, person::actor(), command).await.is_ok() {
                let _ended = engine.settle(run).await;
            }
        }
    }
}

fn text(reports: &[Report], kept: Option<&str>) -> String {
    let rows: Vec<[String; 5]> = reports
        .iter()
        .map(|report| {
            let name = format!("{} {}", painted_mark(report.verdict.mark()), report.name);
            [
                name,
                report.verdict.as_str().to_owned(),
                report.run.map(|run| run.short()).unwrap_or_default(),
                report.took.map(elapsed).unwrap_or_default(),
                line(&report.evidence),
            ]
        })
        .collect();
    let mut text = table(["TEST", "", "RUN", "TIME", "EVIDENCE"], &rows);
    for report in reports {
        for help in &report.help {
            text.push_str(&format!("  {}: {}\n", report.name, line(help)));
        }
    }
    if let Some(folder) = kept {
        for report in reports {
            if let Some(notebook) = &report.notebook {
                text.push_str(&format!("  {}: {}\n", report.name, notebook.display()));
            }
        }
        text.push_str(&format!("kept in {folder}\n"));
    }
    let count = |verdict: Verdict| {
        let found = reports.iter().filter(|report| report.verdict == verdict);
        found.count()
    };
    text.push_str(&format!(
        "{} passed, {} failed, {} skipped\n",
        count(Verdict::Passed),
        count(Verdict::Failed),
        count(Verdict::Skipped)
    ));
    text
}
