//! Before code runs: what it does, where it would run, whether a person must be asked.

use std::sync::Arc;

use serde_json::{Value, json};

use super::bounds::{self, Held};
use super::modules::{Digests, Files};
use super::options::read;
use super::task::Driver;
use super::{Error, Shared, execute, generate, given, missing, modules, notebook};
use crate::approval::{
    self, Bounds, Changed, Covered, Decision, KnownModules, Module, Modules, Rules, Subject,
    Verdict,
};
use crate::artifact::Blobs;
use crate::canonical::canonical_json;
use crate::code;
use crate::executor::{EnvironmentIdentity, EnvironmentSpec};
use crate::expression;
use crate::failure::{Failure, FailureKind};
use crate::id::{Digest, StepPath};
use crate::plan::{Method, Placed, PythonStep, Step, StepKind};
use crate::python::analysis::Report;
use crate::python::cells;
use crate::run::payload::{AnalysisReported, InputFile};
use crate::run::{Command, RunScope, RunState, StepState, ask_rules, check_json};

/// Where the content of given files stands among what the code sees.
pub(super) const FILES: &str = "files";

/// Analyses the code of a step.
pub(super) async fn analyse(driver: &Driver, state: &RunState, path: &StepPath) -> Option<Command> {
    let (step, step_state) = state.step(path)?;
    let StepKind::Python(python) = &step.kind else {
        return None;
    };
    match report(driver, state, step, step_state, python).await {
        Ok((report, prepared)) => execute::at_once(driver, state, report, prepared).await,
        Err(failure) => Some(Command::AnalysisFailed {
            step: path.clone(),
            failure,
        }),
    }
}

/// What is there to be run, at this moment.
pub(super) struct Prepared {
    /// The code.
    pub(super) code: String,
    /// What the step asks of its environment.
    pub(super) spec: EnvironmentSpec,
    /// What that environment is.
    pub(super) identity: EnvironmentIdentity,
    /// What a yes is bound to.
    pub(super) subject: Digest,
    /// What that covers beside the bounds, part by part.
    covered: Covered,
    /// What bounds the code, for people and for the subject.
    pub(super) bounds: Bounds,
    /// The same for the attempt.
    pub(super) held: Held,
    /// The same with the shapes of the inputs, for code that a later run may take again.
    pub(super) reuse: Option<Digest>,
    /// Where it would run.
    pub(super) placed: Placed,
    /// The modules beside the workflow, of which the subject has the digests.
    pub(super) modules: Files,
    /// The files that the step is given, where a yes covers what stands in them.
    pub(super) files: Vec<InputFile>,
}

/// Computes from the stored code and today's surroundings what would run, and the digest that a yes must have.
/// The modules beside the workflow that the code reaches are part of it.
async fn prepare(
    shared: &Shared,
    (step, step_state, python): (&Step, &StepState, &PythonStep),
    (digest, code): (Digest, String),
    (modules, files): (&Digests, Vec<InputFile>),
) -> Result<Prepared, Failure> {
    let placed = shared.options.placement.of(python)?;
    bounds::check(python, &placed)?;
    let spec = spec_of(shared, python).await?;
    let identity = shared.ports.executor.identify(&spec).await?;
    let inputs = seen(shared, step_state, python, (modules, &files));
    let held = Held::of(shared, step, python, &placed);
    let bounds = bounds::bounds(shared, (python, &held), &placed, &code);
    let subject = Subject {
        code: digest,
        inputs: &inputs,
        mode: python.mode,
        environment: identity.digest,
        policy: shared.options.policy.digest(),
        rules: shared.options.rules.digest(),
        bounds: bounds.digest(),
    };
    let covered = covered(&subject);
    let reuse = generate::bound(python, step_state, inputs.clone(), &subject);
    let subject = approval::subject_digest(&subject);
    Ok(Prepared {
        code,
        spec,
        identity,
        subject,
        covered,
        bounds,
        held,
        reuse,
        placed,
        modules: Files::new(),
        files,
    })
}

/// What the step asks of its environment.
pub(super) async fn spec_of(
    shared: &Shared,
    python: &PythonStep,
) -> Result<EnvironmentSpec, Failure> {
    let requirements = match python.requirements {
        None => None,
        Some(digest) => {
            let bytes = shared
                .ports
                .get_blob(digest)
                .await
                .map_err(|error| blob_failure(&error))?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
    };
    let placed = shared.options.placement.of(python)?;
    let named = !python.packages.is_empty() || requirements.is_some();
    Ok(EnvironmentSpec {
        packages: python.packages.clone(),
        requirements,
        python: shared.options.python.clone().filter(|_| !named),
        container: match placed.method {
            Method::Local => None,
            Method::Container => Some(python.mode),
        },
    })
}

/// What would run now, of code that was analysed before.
pub(super) async fn prepare_again(
    shared: &Shared,
    state: &RunState,
    (step, step_state, python): (&Step, &StepState, &PythonStep),
    analysis: &AnalysisReported,
) -> Result<Prepared, Failure> {
    let (folder, names) = (modules::folder(state), analysis.report.imports.clone());
    let (digest, blobs) = (
        code_of(step_state, python)?,
        Arc::clone(&shared.ports.blobs),
    );
    let (code, modules) = read(move || {
        let code = stored_code(&blobs, digest)?;
        Ok((code, modules::read(folder.as_deref(), &names)?))
    })
    .await?;
    let files = given::asked_before(state, step_state, analysis).await?;
    let prepared = prepare(
        shared,
        (step, step_state, python),
        (digest, code),
        (&modules::digests(&modules), files),
    )
    .await?;
    Ok(Prepared {
        modules,
        ..prepared
    })
}

/// Everything that the code will see besides itself: its context, its environment variables, modules beside it, and what
/// stands in the files that it is given.
fn seen(
    shared: &Shared,
    step_state: &StepState,
    python: &PythonStep,
    (modules, files): (&Digests, &[InputFile]),
) -> Value {
    let mut seen = json!({
        "context": step_state.inputs,
        "env": step_state.env,
        "mode_env": shared.options.mode_environment.of(python.mode),
    });
    if let (Some(key), Some(seen)) = (&step_state.idempotency_key, seen.as_object_mut()) {
        seen.insert("idempotency_key".to_owned(), json!(key));
    }
    if let Some(seen) = seen.as_object_mut().filter(|_| !modules.is_empty()) {
        seen.insert("modules".to_owned(), json!(modules));
    }
    if let Some(seen) = seen.as_object_mut().filter(|_| !files.is_empty()) {
        seen.insert(FILES.to_owned(), given::by_input(files));
    }
    seen
}

/// The parts of what a yes covers, so that what changed can be named.
fn covered(subject: &Subject<'_>) -> Covered {
    let mut covered = Covered::from([
        ("code".to_owned(), subject.code),
        (
            "mode".to_owned(),
            Digest::of(subject.mode.as_str().as_bytes()),
        ),
        ("environment".to_owned(), subject.environment),
        ("policy".to_owned(), subject.policy),
        ("rules".to_owned(), subject.rules),
    ]);
    for (name, value) in subject.inputs.as_object().into_iter().flatten() {
        if name == FILES {
            let files = value.as_object().into_iter().flatten();
            covered.extend(files.map(|(input, files)| {
                (format!("file {input}"), Digest::of(&canonical_json(files)))
            }));
            continue;
        }
        // A name that is not taken for that of data when secrets are looked for.
        let name = if name == "env" { "variables" } else { name };
        covered.insert(name.to_owned(), Digest::of(&canonical_json(value)));
    }
    covered
}

/// The code of the step, which is there before it is looked at.
fn code_of(step_state: &StepState, python: &PythonStep) -> Result<Digest, Failure> {
    step_state.code(python).ok_or_else(|| {
        let message = "the code of the step is not written";
        Failure::new(FailureKind::Internal, code::INTERNAL, message)
    })
}

fn stored_code(blobs: &Blobs, code: Digest) -> Result<String, Failure> {
    let bytes = blobs
        .get(&code)
        .map_err(|error| blob_failure(&Error::Blob(error)))?;
    String::from_utf8(bytes).map_err(|error| {
        Failure::new(
            FailureKind::Configuration,
            code::INTERNAL,
            "the stored code is not UTF-8",
        )
        .caused_by(&error)
    })
}

fn blob_failure(error: &Error) -> Failure {
    Failure::new(FailureKind::Infrastructure, error.code(), error.to_string())
}

/// What the analysis and the policy say of the code of a step. Nothing is written.
pub(super) async fn judge(
    shared: &Shared,
    state: &RunState,
    path: &StepPath,
) -> Result<AnalysisReported, Failure> {
    let found = state.step(path);
    let found =
        found.and_then(|(step, step_state)| Some((step, step_state, step.kind.as_python()?)));
    let Some((step, step_state, python)) = found else {
        let message = format!("`{path}` has no code");
        return Err(Failure::new(FailureKind::Internal, code::INTERNAL, message));
    };
    let (report, _) = judged(shared, state, (step, step_state, python)).await?;
    Ok(report)
}

async fn report(
    driver: &Driver,
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    python: &PythonStep,
) -> Result<(AnalysisReported, Prepared), Failure> {
    let shared = &driver.shared;
    let (mut reported, prepared) = judged(shared, state, (step, step_state, python)).await?;
    if waits(&reported.decision) && driver.stands().await {
        let kept = modules::keep(shared, &prepared.modules).await;
        for (path, module) in &mut reported.modules {
            module.kept = kept.contains(path);
        }
        let text = (prepared.code.as_str(), &prepared.modules);
        reported.notebook = notebook::write_waiting(shared, state, step, &reported, text).await;
    }
    Ok((reported, prepared))
}

/// What is recorded of the modules that a question is about.
fn listed(decision: &Decision, digests: &Digests) -> Modules {
    let module = |digest: &Digest| Module {
        digest: *digest,
        kept: false,
    };
    let all = digests.iter().filter(|_| waits(decision));
    all.map(|(path, digest)| (path.clone(), module(digest)))
        .collect()
}

/// The report with what it is about.
async fn judged(
    shared: &Shared,
    state: &RunState,
    (step, step_state, python): (&Step, &StepState, &PythonStep),
) -> Result<(AnalysisReported, Prepared), Failure> {
    let digest = code_of(step_state, python)?;
    let rules = shared.options.rules.in_mode(python.mode);
    let (folder, blobs) = (modules::folder(state), Arc::clone(&shared.ports.blobs));
    let is_notebook = cells::is_notebook(&python.file_name);
    // Milliseconds for a page of code, seconds for the worst that a hostile author can write.
    let (code, (mut report, files)) = read(move || {
        let code = stored_code(&blobs, digest)?;
        let found = modules::analyze(folder.as_deref(), (&code, is_notebook), &rules)?;
        Ok((code, found))
    })
    .await?;
    let modules = modules::digests(&files);
    let mark = generate::mark_of(shared, python, digest);
    let mark = mark.await.map_err(|error| blob_failure(&error))?;
    let (asks, reviewers, rules) = step_wish(state, step_state, python, &report)?;
    let decision = approval::decide(&shared.options.policy, python.mode, &report, asks);
    let given = given::asked(state, step_state, decision.verdict).await?;
    let of_step = (step, step_state, python);
    let prepared = Prepared {
        modules: files,
        ..prepare(shared, of_step, (digest, code), (&modules, given)).await?
    };
    let of_step = (step_state, python);
    let mut decision =
        generate::carried((shared, state), of_step, prepared.reuse, &rules, decision).await;
    let text = (prepared.code.as_str(), &modules);
    missing::look(shared, of_step, text, &mut report, &mut decision).await?;
    let modules = listed(&decision, &modules);
    let changed = changed(step_state, &prepared, &modules);
    let reported = AnalysisReported {
        step: step_state.path.clone(),
        code: digest,
        mode: python.mode,
        report,
        decision,
        environment: prepared.identity.digest,
        environment_text: prepared.identity.description.clone(),
        subject: prepared.subject,
        changed,
        covered: prepared.covered.clone(),
        modules,
        bounds: prepared.bounds.clone(),
        files: prepared.files.clone(),
        reuse: prepared.reuse,
        mark,
        reviewers,
        rules,
        notebook: None,
    };
    Ok((reported, prepared))
}

/// What differs from what was looked at before.
fn changed(step_state: &StepState, prepared: &Prepared, modules: &Modules) -> Changed {
    let before = step_state.analysis.as_ref();
    let before = before.filter(|before| before.subject != prepared.subject);
    before.map_or_else(Changed::default, |before| {
        let changed = Changed::between(
            (&before.covered, &before.bounds),
            (&prepared.covered, &prepared.bounds),
        );
        let now = KnownModules {
            covered: &prepared.covered,
            modules,
        };
        changed.with_modules(now, before.known_modules())
    })
}

fn waits(decision: &Decision) -> bool {
    match decision.verdict {
        Verdict::Ask | Verdict::Block => true,
        Verdict::Pass => false,
    }
}

/// What the step itself wishes: whether to ask, and whom; as text for people, and as rules.
fn step_wish(
    state: &RunState,
    step_state: &StepState,
    python: &PythonStep,
    report: &Report,
) -> Result<(Option<bool>, Option<String>, Rules), Failure> {
    let Some(wish) = &python.approve_code else {
        let rules = Rules {
            allow_self: state.created.allow_self,
            ..Rules::default()
        };
        return Ok((None, None, rules));
    };
    let check = check_json(report);
    let scope = RunScope::at(state, step_state.node.frame);
    let scope = scope.with_local("check", &check);
    let broken = |error: &expression::Error| {
        Failure::new(
            FailureKind::Code,
            error.code,
            format!("approve_code: {}", error.message),
        )
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever is not True or False asks"
    )]
    let asks = match wish.when.evaluate(&scope).map_err(|error| broken(&error))? {
        expression::Value::Bool(asks) => asks,
        // What can't be decided is asked.
        _ => true,
    };
    let allow_self = state.created.allow_self;
    let (reviewers, rules) = ask_rules(&wish.rules, &scope, allow_self, "approve_code")?;
    Ok((Some(asks), reviewers, rules))
}
