//! The workflows that come with the product compile, and their plans say what the files say.

use std::path::{Path, PathBuf};

use stepwell::plan::{EdgeKind, Mode, Plan, StepKind};
use stepwell::workflow::{Compilation, CompileOptions, SourceError, Sources, compile};

/// Files of a folder.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Sources for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let path = self.0.join(path);
        if path.is_dir() {
            return Err(SourceError::NotAFile);
        }
        std::fs::read(path).map_err(|_| SourceError::Missing)
    }
}

/// A workflow that comes with the product.
pub(crate) struct Example {
    /// Below `workflows/`.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl Example {
    /// The files beside it.
    pub(crate) fn folder(&self) -> Folder {
        Folder(self.path.parent().unwrap().to_owned())
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap()
    }

    pub(crate) fn compile(&self) -> Compilation {
        let file = self.path.file_name().unwrap().to_str().unwrap();
        let options = CompileOptions::default();
        compile(file, self.text().as_bytes(), &self.folder(), &options)
    }
}

/// Every workflow of the product, in `workflows/` and in the folders there (but no file of cases), found on the disk so that none is
/// forgotten.
pub(crate) fn examples() -> Vec<Example> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "yml")
                && path.file_name().is_some_and(|name| name != "config.yml")
                && !path.to_string_lossy().ends_with(".test.yml")
            {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                found.push(Example {
                    name: name.to_owned(),
                    path,
                });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() >= 4, "the examples are found");
    found
}

pub(crate) fn shown(compilation: &Compilation) -> String {
    let lines: Vec<String> = compilation
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect();
    lines.join("\n")
}

fn compile_file(name: &str) -> Compilation {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows");
    let text = std::fs::read(folder.join(name)).unwrap();
    compile(name, &text, &Folder(folder), &CompileOptions::default())
}

fn plan_of(name: &str) -> Plan {
    let compilation = compile_file(name);
    let said = shown(&compilation);
    compilation.plan.unwrap_or_else(|| panic!("{said}"))
}

fn edges(plan: &Plan, id: &str) -> Vec<(String, EdgeKind)> {
    let step = plan.steps.with_id(id).unwrap();
    step.edges
        .iter()
        .map(|edge| (edge.from.to_string(), edge.kind))
        .collect()
}

fn edge(from: &str, kind: EdgeKind) -> (String, EdgeKind) {
    (from.to_owned(), kind)
}

#[test]
fn every_workflow_of_the_product_compiles_without_a_word() {
    for example in examples() {
        let compilation = example.compile();
        let name = &example.name;
        assert_eq!(shown(&compilation), "", "{name}");
        let plan = compilation.plan.unwrap();
        assert_eq!(Plan::from_bytes(&plan.to_bytes()).unwrap(), plan, "{name}");
    }
}

#[test]
fn the_arms_of_adaptive_are_nested_and_wait_for_what_they_read() {
    let plan = plan_of("adaptive.yml");
    let paths: Vec<&str> = plan.steps.iter().map(|step| step.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "load",
            "strategy",
            "strategy.fill_gaps",
            "strategy.clean",
            "analyse"
        ]
    );
    assert_eq!(edges(&plan, "load"), []);
    assert_eq!(
        edges(&plan, "strategy"),
        [edge("load", EdgeKind::Reference)]
    );
    assert_eq!(edges(&plan, "clean"), [edge("load", EdgeKind::Reference)]);
    assert_eq!(
        edges(&plan, "analyse"),
        [edge("strategy", EdgeKind::Reference)]
    );
    let clean = plan.steps.with_id("clean").unwrap();
    let parent = clean.parent.as_ref().unwrap();
    assert_eq!(
        (parent.step.as_str(), parent.arm.as_str()),
        ("strategy", "basic_with_cleaning")
    );
}

#[test]
fn the_write_of_approval_waits_for_the_yes_and_is_tried_once() {
    let plan = plan_of("approval.yml");
    let publish = plan.steps.with_id("publish").unwrap();
    let StepKind::Python(python) = &publish.kind else {
        panic!("{publish:?}");
    };
    assert_eq!(python.mode, Mode::WriteAccess);
    assert_eq!(publish.retry.max_attempts, 1);
    assert_eq!(
        edges(&plan, "publish"),
        [
            edge("sign_off", EdgeKind::Needs),
            edge("propose", EdgeKind::Reference)
        ]
    );
    let load = plan.steps.with_id("propose").unwrap();
    assert_eq!(load.retry.max_attempts, 3);
}

#[test]
fn the_blobs_hold_the_text_and_every_code_file() {
    let compilation = compile_file("quickstart.yml");
    let plan = compilation.plan.unwrap();
    let known = |digest| compilation.blobs.iter().any(|(one, _)| *one == digest);
    assert!(known(plan.source.digest));
    for step in plan.steps.iter() {
        if let StepKind::Python(python) = &step.kind {
            assert!(known(python.code().unwrap()), "{}", step.path);
        }
    }
    assert_eq!(compilation.blobs.len(), 3);
}
