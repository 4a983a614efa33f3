//! Files made to do harm are refused, large honest ones compile, and nothing ever panics.

use std::fmt::Write as _;

use proptest::prelude::*;
use stepwell::code;
use stepwell::plan::Plan;
use stepwell::workflow::{Compilation, CompileOptions, NoSources, STEPS_MAX, compile};

use crate::workflow_compile::{Example, examples, shown};

fn compiled(text: &[u8]) -> Compilation {
    compile("w.yml", text, &NoSources, &CompileOptions::default())
}

fn first_code(compilation: &Compilation) -> &str {
    assert!(compilation.plan.is_none());
    compilation.diagnostics[0].code.as_str()
}

const HEAD: &str = "version: 1\nname: w\nsteps:\n";

#[test]
fn fifty_megabytes_are_refused_before_they_are_parsed() {
    let compilation = compiled(&vec![b'['; 50 * 1024 * 1024]);
    assert_eq!(first_code(&compilation), code::YAML_LIMIT.as_str());
}

#[test]
fn rule_21_towers_bombs_and_floods_are_refused() {
    let deep_expression = format!(
        "{HEAD}  - {{id: a, set: {{x: \"${{{{ {}1 }}}}\"}}}}",
        "(".repeat(4_000)
    );
    let deep_code = format!(
        "{HEAD}  - {{id: a, python: {{code: \"{}\"}}}}",
        "(".repeat(200_000)
    );
    let long_key = format!("{HEAD}  - {{id: a, {}: 1}}", "k".repeat(900_000));
    let many_keys: String = (0..40_000).fold(String::from(HEAD), |mut text, n| {
        let _ = writeln!(text, "  - {{k{n}: 1}}");
        text
    });
    let cases = [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        format!("{HEAD}  - {}", "[".repeat(100_000)),
        deep_expression,
        deep_code,
        long_key,
        many_keys,
    ];
    for text in cases {
        let compilation = compiled(text.as_bytes());
        let head: String = text.chars().take(60).collect();
        assert!(compilation.plan.is_none(), "{head}");
        let printed = shown(&compilation);
        assert!(!printed.is_empty(), "{head}");
        assert!(
            printed.len() < 200_000,
            "{head}: {} bytes printed",
            printed.len()
        );
    }
}

#[test]
fn thousands_of_wrong_references_are_counted_not_printed() {
    let mut text = String::from(HEAD);
    for n in 0..1_500 {
        let _ = writeln!(text, "  - {{id: s{n}, needs: [], set: {{x: 1}}}}");
    }
    text.push_str("  - id: last\n    set:\n      x: >-\n");
    for n in 0..20_000 {
        let _ = writeln!(text, "        ${{{{ steps.z{n}.outputs.x }}}}");
    }
    let compilation = compiled(text.as_bytes());
    let last = compilation.diagnostics.last().unwrap();
    assert_eq!(last.code, code::MORE_ERRORS);
    assert_eq!(last.message, "19900 more errors are not shown");
}

#[test]
fn two_thousand_steps_compile_and_one_more_is_refused() {
    let workflow = |steps: usize| {
        (1..steps).fold(
            format!("{HEAD}  - {{id: s0, set: {{x: 1}}}}\n"),
            |mut text, n| {
                let before = n - 1;
                let _ = writeln!(
                    text,
                    "  - {{id: s{n}, set: {{x: \"${{{{ steps.s{before}.outputs.x }}}}\"}}}}"
                );
                text
            },
        )
    };
    let compilation = compiled(workflow(STEPS_MAX).as_bytes());
    let plan = compilation.plan.unwrap();
    assert_eq!(plan.steps.len(), STEPS_MAX);
    assert_eq!(Plan::from_bytes(&plan.to_bytes()).unwrap(), plan);
    let compilation = compiled(workflow(STEPS_MAX + 1).as_bytes());
    assert_eq!(first_code(&compilation), code::TOO_MANY_STEPS.as_str());
}

#[test]
fn a_circle_of_two_thousand_steps_is_found_without_recursion() {
    let mut text = String::from(HEAD);
    for n in 0..STEPS_MAX {
        let next = (n + 1) % STEPS_MAX;
        let _ = writeln!(text, "  - {{id: s{n}, needs: s{next}, set: {{x: 1}}}}");
    }
    assert_eq!(first_code(&compiled(text.as_bytes())), code::CYCLE.as_str());
}

fn good_files() -> Vec<Example> {
    examples()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let compilation = compiled(&bytes);
        prop_assert!(compilation.plan.is_some() || !compilation.diagnostics.is_empty());
    }

    #[test]
    fn anything_like_yaml_gets_an_answer(text in "[-a-z:{}\\[\\]$&*!|>#'\"\\\\ \n,.0-9?%é]{0,200}") {
        let compilation = compiled(format!("{HEAD}  - {text}").as_bytes());
        prop_assert!(compilation.plan.is_some() || !compilation.diagnostics.is_empty());
    }

    #[test]
    fn good_files_with_a_wound_get_an_answer(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        length in 0usize..40,
        patch in "[-a-z:{}\\[\\]$\"' \n]{0,6}",
    ) {
        let files = good_files();
        let example = which.get(&files);
        let text = example.text();
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        let start = *at.get(&places);
        let end = places.iter().copied().find(|place| *place >= start + length).unwrap_or(text.len());
        let wounded = format!("{}{patch}{}", &text[..start], &text[end..]);
        let compilation = compile("w.yml", wounded.as_bytes(), &example.folder(), &CompileOptions::default());
        match &compilation.plan {
            Some(plan) => prop_assert_eq!(&Plan::from_bytes(&plan.to_bytes()).unwrap(), plan),
            None => prop_assert!(compilation.diagnostics.iter().any(stepwell::diagnostic::Diagnostic::is_error)),
        }
        for one in &compilation.diagnostics {
            let place = one.place.as_ref().unwrap();
            let line = wounded.lines().nth(place.line - 1).unwrap_or_default();
            prop_assert_eq!(&place.source_line, line);
        }
    }
}
