//! The schema of the language agrees with the compiler: what compiles is valid, what is misshapen is not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;
use stepwell::code::{self, Code};
use stepwell::diagnostic::{Diagnostic, Severity};
use stepwell::workflow::yaml::{Report, decode, tree};
use stepwell::workflow::{CompileOptions, compile, schema};

use crate::cli_rig::{ASKS, PLAIN, Place, text};
use crate::workflow_bad::{Shelf, cases};
use crate::workflow_compile::examples;

/// Codes of faults that the schema does not see: what the text of an expression, a path or a file says, and what the
/// parts of a workflow say of each other. `bad_value` is a word or a number; unknown words are seen ([`is_of_shape`]).
const NOT_OF_SHAPE: &[Code] = &[
    code::BAD_FILE,
    code::BAD_VALUE,
    code::CHILD_REFUSED,
    code::CYCLE,
    code::DUPLICATE_ID,
    code::DUPLICATE_KEY,
    code::EXPRESSION_NOT_ALLOWED,
    code::EXPRESSION_SYNTAX,
    code::EXPRESSION_UNKNOWN_FUNCTION,
    code::FILE_OUTSIDE,
    code::FOREACH_KEY,
    code::HANDLER_ASKS,
    code::MISSING_INPUT,
    code::NAME_TAKEN,
    code::NO_NOTEBOOK,
    code::PYTHON_SYNTAX,
    code::REWIND_TARGET,
    code::SECRET_EXPRESSION,
    code::SECRET_NOT_ALLOWED,
    code::SELF_REFERENCE,
    code::STEP_OUT_OF_REACH,
    code::SWITCH_ARM,
    code::UNKNOWN_FIELD,
    code::UNKNOWN_INPUT,
    code::UNKNOWN_NAME,
    code::UNKNOWN_OUTPUT,
    code::UNKNOWN_SECRET,
    code::UNKNOWN_STEP,
    code::USELESS_KEY,
    code::WORKFLOW_CIRCLE,
    code::WRONG_TYPE,
];

/// Bad files whose fault is that one key asks for another, or excludes it: the schema does not say that yet.
const KEYS_THAT_HANG_TOGETHER: [&str; 4] = [
    "an end without a time",
    "a way up to nobody",
    "required in two ways",
    "a cache of a write",
];

/// Whether the fault is one of shape: a key, a type or a word that isn't there.
fn is_of_shape(fault: &Diagnostic) -> bool {
    let codes = [
        code::UNKNOWN_KEY,
        code::WRONG_TYPE,
        code::MISSING_KEY,
        code::STEP_KIND,
        code::BAD_ID,
        code::CONFLICTING_KEYS,
        code::UNSUPPORTED_VERSION,
    ];
    let unknown_word =
        fault.message.contains("` is none of: ") || fault.message.starts_with("there is no type `");
    // A value that must be of the type that another part of the file declares is named first: "n: expected int".
    let of_other_part = fault.code == code::WRONG_TYPE
        && !["expected ", "the default"]
            .iter()
            .any(|begin| fault.message.starts_with(begin));
    (codes.contains(&fault.code) && !of_other_part)
        || (fault.code == code::BAD_VALUE && unknown_word)
}

fn validator() -> &'static Validator {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    VALIDATOR.get_or_init(|| jsonschema::draft202012::new(&schema()).unwrap())
}

/// The values of a file; none when it is not our YAML.
fn document(text: &str) -> Option<Value> {
    let mut report = Report::new("w.yml", decode("w.yml", text.as_bytes()).ok()?);
    let root = tree(&mut report).filter(|_| !report.has_errors())?;
    Some(root.to_json())
}

fn faults(document: &Value) -> Vec<String> {
    validator()
        .iter_errors(document)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect()
}

/// Asserts that the schema accepts a workflow. Tests that compile one call it, so that what compiles is valid.
pub(crate) fn agree(workflow: &str) {
    let faults = faults(&document(workflow).unwrap());
    assert!(faults.is_empty(), "{faults:#?}\n{workflow}");
}

/// The YAML files of a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "yml"))
        .collect()
}

#[test]
fn the_schema_accepts_the_workflows_of_the_product() {
    let mut seen = 0;
    for example in examples() {
        agree(&example.text());
        seen += 1;
    }
    for path in files("tests/fixtures/process") {
        agree(&fs::read_to_string(&path).unwrap());
        seen += 1;
    }
    assert!(seen >= 6, "only {seen} files");
    agree(ASKS);
    agree(PLAIN);
}

#[test]
fn the_schema_refuses_what_is_misshapen_and_nothing_that_compiles() {
    let (mut refused, mut passed) = (0, BTreeSet::new());
    let mut missed: Vec<String> = Vec::new();
    for path in files("tests/fixtures/bad") {
        for (title, body) in cases(&fs::read_to_string(&path).unwrap()) {
            let Some(document) = document(&body) else {
                continue;
            };
            let options = CompileOptions::default();
            let compilation = compile("w.yml", body.as_bytes(), &Shelf, &options);
            let faults = faults(&document);
            if compilation.plan.is_some() {
                assert!(faults.is_empty(), "{title}: {faults:#?}");
                continue;
            }
            let errors: Vec<&Diagnostic> = compilation
                .diagnostics
                .iter()
                .filter(|found| found.severity == Severity::Error)
                .collect();
            if !faults.is_empty() {
                refused += 1;
                continue;
            }
            let unseen: Vec<_> = errors.iter().filter(|fault| is_of_shape(fault)).collect();
            if KEYS_THAT_HANG_TOGETHER.contains(&title.as_str()) {
                continue;
            }
            missed.extend(
                unseen
                    .iter()
                    .map(|fault| format!("{title}: {:?}: {}", fault.code, fault.message)),
            );
            passed.extend(errors.iter().map(|fault| fault.code.as_str()));
        }
    }
    assert!(missed.is_empty(), "the schema does not see {missed:#?}");
    assert!(refused >= 50, "only {refused} are refused");
    let listed: BTreeSet<&str> = NOT_OF_SHAPE.iter().map(|code| code.as_str()).collect();
    let new: Vec<_> = passed.difference(&listed).collect();
    assert!(
        new.is_empty(),
        "{new:?}: list it in NOT_OF_SHAPE, or make the schema see it"
    );
}

#[test]
fn the_command_prints_the_schema_with_words_for_every_key() {
    let place = Place::new();
    let printed = place.json(0, &["schema"]);
    assert_eq!(printed, schema());
    assert_eq!(
        text(&printed["$schema"]),
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&place.run(&["schema"]).out).unwrap(),
        printed
    );
    assert!(!place.path("data").exists(), "looking made a data folder");
}

/// What an editor needs: at each place of a file the keys that may stand there.
#[test]
fn the_keys_of_every_place_are_found_by_references_alone() {
    let schema = schema();
    let keys = |place: &[&str]| -> Vec<String> {
        let mut here = &schema["$defs"]["workflow"];
        for step in place {
            here = &here[*step];
            while let Some(reference) = here["$ref"].as_str() {
                here = schema
                    .pointer(reference.strip_prefix('#').unwrap())
                    .unwrap();
            }
        }
        here["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let step = ["properties", "steps", "items"];
    assert!(keys(&[]).contains(&"inputs".to_owned()));
    assert!(keys(&step).contains(&"on_failure".to_owned()));
    let arm = [&step[..], &["properties", "switch", "items"]].concat();
    assert_eq!(keys(&arm), ["name", "when", "else", "set", "steps"]);
    let inner = [
        &arm[..],
        &["properties", "steps", "items", "properties", "python"],
    ]
    .concat();
    assert!(keys(&inner).contains(&"packages".to_owned()));
}
