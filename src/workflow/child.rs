//! `workflow`: a step that runs another file, and the files below it.

use std::collections::HashMap;

use super::compiler::Compiler;
use super::sources::{Blobs, Reach, SourceError, Sources, normalize};
use super::yaml::{self, Entry, Fields, Node};
use super::{Compilation, CompileOptions, keys};
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::expression::Template;
use crate::id::Digest;
use crate::plan::{Field, Plan, StepKind, WorkflowStep, check};

/// Most workflows that stand inside each other.
pub const WORKFLOW_DEPTH_MAX: usize = 100;

/// The workflows below the first one, each compiled once.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// By the path below the folder of the first one.
    known: HashMap<String, Child>,
    /// Files that a step names and that are not compiled yet.
    wanted: Vec<String>,
    diagnostics: Vec<Diagnostic>,
    blobs: Blobs,
}

/// What became of a file.
#[derive(Debug)]
enum Child {
    Unreadable(SourceError),
    Refused,
    Compiled(Box<Compiled>),
}

#[derive(Debug)]
struct Compiled {
    plan: Plan,
    digest: Digest,
    /// How many workflows stand inside each other from here on, itself counted.
    height: usize,
}

/// A file that is being compiled.
struct Open {
    path: String,
    file: String,
    text: Vec<u8>,
    /// Files below it that must be compiled before it.
    todo: Vec<String>,
}

/// What one compilation has around it.
pub(super) struct Setting<'a> {
    pub(super) sources: &'a dyn Sources,
    pub(super) options: &'a CompileOptions,
    pub(super) family: &'a mut Family,
    pub(super) origin: Origin,
}

/// Where the file that is being compiled stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    /// The files from the first one to this one, as paths below the folder of the first.
    pub(super) chain: Vec<String>,
}

impl Origin {
    /// The path below the first file's folder of a path that is relative to this file.
    pub(super) fn below(&self, path: &str) -> String {
        let here = self.chain.last().map_or("", |here| folder_of(here));
        let joined = join(here, path);
        normalize(&joined, Reach::Anywhere).unwrap_or(joined)
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() || path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{path}", folder.trim_end_matches('/'))
    }
}

/// Reads a file. One beside a workflow that lies outside itself is outside too, and was allowed with it.
pub(super) fn read(
    sources: &dyn Sources,
    path: &str,
    reach: Reach,
) -> Result<Vec<u8>, SourceError> {
    if reach == Reach::Anywhere || path.starts_with("../") || path.starts_with('/') {
        sources.read_anywhere(path)
    } else {
        sources.read(path)
    }
}

/// Compiles the text of a workflow and the files that it names. Without recursion: chains may be long.
pub(super) fn compile_all(
    file: &str,
    text: &[u8],
    sources: &dyn Sources,
    options: &CompileOptions,
) -> Compilation {
    let folder = folder_of(file).to_owned();
    let first = file.rsplit('/').next().unwrap_or_default();
    let mut family = Family::default();
    let mut open = vec![Open {
        path: first.to_owned(),
        file: file.to_owned(),
        text: text.to_vec(),
        todo: Vec::new(),
    }];
    loop {
        let chain: Vec<String> = open.iter().map(|one| one.path.clone()).collect();
        let Some(top) = open.last_mut() else {
            return Compilation::default();
        };
        if let Some(path) = top.todo.pop() {
            if family.known.contains_key(&path) {
                continue;
            }
            match read(sources, &path, Reach::Inside) {
                Ok(text) => open.push(Open {
                    file: join(&folder, &path),
                    path,
                    text,
                    todo: Vec::new(),
                }),
                Err(fault) => {
                    family.known.insert(path, Child::Unreadable(fault));
                }
            }
            continue;
        }
        let setting = Setting {
            sources,
            options,
            family: &mut family,
            origin: Origin { chain },
        };
        let compilation = super::compile_one(&top.file, &top.text, setting);
        let wanted = std::mem::take(&mut family.wanted);
        if !wanted.is_empty() {
            top.todo = wanted;
            continue;
        }
        let path = top.path.clone();
        open.pop();
        if open.is_empty() {
            return family.finish(compilation);
        }
        family.add(path, compilation);
    }
}

impl Family {
    fn add(&mut self, path: String, compilation: Compilation) {
        self.diagnostics.extend(compilation.diagnostics);
        let Some(plan) = compilation.plan else {
            self.known.insert(path, Child::Refused);
            return;
        };
        for (_, bytes) in compilation.blobs {
            self.blobs.add(&bytes);
        }
        let digest = self.blobs.add(&plan.to_bytes());
        let below: Vec<Digest> = plan
            .steps
            .iter()
            .filter_map(|step| {
                if let StepKind::Workflow(child) = &step.kind {
                    Some(child.plan)
                } else {
                    None
                }
            })
            .collect();
        let tallest = self.known.values().filter_map(|child| match child {
            Child::Compiled(child) if below.contains(&child.digest) => Some(child.height),
            Child::Compiled(_) | Child::Refused | Child::Unreadable(_) => None,
        });
        let height = tallest.max().unwrap_or(0) + 1;
        let compiled = Compiled {
            plan,
            digest,
            height,
        };
        self.known.insert(path, Child::Compiled(Box::new(compiled)));
    }

    /// The first one's compilation, with what the others brought.
    fn finish(self, mut compilation: Compilation) -> Compilation {
        compilation.diagnostics.extend(self.diagnostics);
        let mut blobs = Blobs::default();
        let all = compilation.blobs.into_iter().chain(self.blobs.into_list());
        for (_, bytes) in all {
            blobs.add(&bytes);
        }
        compilation.blobs = blobs.into_list();
        compilation
    }
}

impl Compiler<'_, '_> {
    /// Reads `workflow:`: a file, or a map with one. `step` is the step around it, for its `with`.
    pub(super) fn child(&mut self, node: &Node, step: Fields<'_>) -> Option<WorkflowStep> {
        let (file, wait, reach) = if node.text().is_some() {
            (node, true, Reach::Inside)
        } else {
            let fields = yaml::fields(&mut self.report, node, &keys::CHILD)?;
            let wait = fields
                .get("wait")
                .and_then(|node| yaml::boolean(&mut self.report, node));
            let file = fields.required(&mut self.report, &keys::CHILD, "file")?;
            let reach = self.reach(fields, &["file"]);
            (file, wait.unwrap_or(true), reach)
        };
        let written = yaml::text(&mut self.report, file)?;
        let path = self.child_path(file, written, reach)?;
        let family = std::mem::take(&mut self.setting.family.known);
        let found = self.child_of(file, &path, family.get(&path));
        let step = found.map(|child| {
            self.check_inputs(file, step, &child.plan.inputs);
            WorkflowStep {
                file: written.to_owned(),
                plan: child.digest,
                name: child.plan.name.clone(),
                outputs: child.plan.outputs.keys().cloned().collect(),
                wait,
                folder: normalize(written, reach)
                    .map(|path| folder_of(&path).to_owned())
                    .unwrap_or_default(),
            }
        });
        self.setting.family.known = family;
        step
    }

    /// The path of the child below the folder of the first file.
    fn child_path(&mut self, node: &Node, written: &str, reach: Reach) -> Option<String> {
        if written.contains("${{") {
            self.report.error_with(
                code::BAD_FILE,
                node.span,
                "the file of a workflow can't be an expression",
                "it is compiled together with this one: use a `switch` to choose between files",
            );
            return None;
        }
        let inside = self.simple_path(node, written, reach)?;
        let path = self.setting.origin.below(&inside);
        let chain = &self.setting.origin.chain;
        let Some(first) = chain.iter().position(|open| *open == path) else {
            return Some(path);
        };
        let mut way: Vec<&str> = chain.iter().skip(first).map(String::as_str).collect();
        way.push(&path);
        let message = format!("workflows run each other for ever: {}", way.join(" → "));
        let help = "a loop is written with `until` or `foreach`";
        self.report
            .error_with(code::WORKFLOW_CIRCLE, node.span, message, help);
        None
    }

    fn child_of<'c>(
        &mut self,
        node: &Node,
        path: &str,
        known: Option<&'c Child>,
    ) -> Option<&'c Compiled> {
        let height = match known {
            Some(Child::Compiled(child)) => child.height,
            Some(Child::Refused | Child::Unreadable(_)) | None => 1,
        };
        if self.setting.origin.chain.len() + height > WORKFLOW_DEPTH_MAX {
            self.report.error_with(
                code::WORKFLOW_DEPTH,
                node.span,
                format!("more than {WORKFLOW_DEPTH_MAX} workflows stand inside each other"),
                "put the steps of some of them into one file",
            );
            return None;
        }
        match known {
            None => {
                self.setting.family.wanted.push(path.to_owned());
                None
            }
            Some(Child::Unreadable(fault)) => {
                self.unreadable_file(node, node.text().unwrap_or_default(), *fault);
                None
            }
            Some(Child::Refused) => {
                self.report.error_with(
                    code::CHILD_REFUSED,
                    node.span,
                    format!("the workflow `{path}` has errors of its own"),
                    "they are listed below: correct that file",
                );
                None
            }
            Some(Child::Compiled(child)) => Some(child),
        }
    }

    /// `with` gives a child what it declares under `inputs`.
    fn check_inputs(
        &mut self,
        node: &Node,
        step: Fields<'_>,
        inputs: &indexmap::IndexMap<String, Field>,
    ) {
        let given: &[Entry] = step.get("with").and_then(Node::entries).unwrap_or_default();
        for entry in given {
            match inputs.get(&entry.key) {
                Some(field) => self.check_given(entry, field),
                None => self.unknown_child_input(entry, inputs),
            }
        }
        for (name, field) in inputs {
            let is_given = given.iter().any(|entry| entry.key == *name);
            if is_given || !field.required || field.default.is_some() {
                continue;
            }
            self.report.error_with(
                code::MISSING_INPUT,
                node.span,
                format!("the workflow needs the input `{name}`"),
                format!("give it below `with`: `{name}: …`"),
            );
        }
    }

    /// A value without expressions can be checked now.
    fn check_given(&mut self, entry: &Entry, field: &Field) {
        let fixed = Template::from_json(&entry.node.to_json())
            .is_ok_and(|template| template.expressions().is_empty());
        if !fixed {
            return;
        }
        if let Err(fault) = check(field, entry.node.to_json(), &entry.key) {
            self.report
                .add(entry.node.span, fault.diagnostic("the input"));
        }
    }

    fn unknown_child_input(&mut self, entry: &Entry, inputs: &indexmap::IndexMap<String, Field>) {
        let known: Vec<&str> = inputs.keys().map(String::as_str).collect();
        let fault = Diagnostic::error(
            code::UNKNOWN_INPUT,
            format!("the workflow has no input `{}`", entry.key),
        );
        let fault = match did_you_mean(&entry.key, known.iter().copied()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => fault.help("it takes no inputs"),
            None => fault.help(format!("its inputs are: {}", known.join(", "))),
        };
        self.report.add(entry.key_span, fault);
    }
}
