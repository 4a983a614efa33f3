//! Any bytes as a workflow, a configuration or Python code: read or refused, never a panic; a plan survives its bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stepwell::plan::Plan;
use stepwell::python::analysis::{RuleSet, analyze};
use stepwell::workflow::{CompileOptions, NoSources, compile};

fuzz_target!(|bytes: &[u8]| {
    let made = compile("fuzz.yml", bytes, &NoSources, &CompileOptions::default());
    for diagnostic in &made.diagnostics {
        let _ = diagnostic.to_string();
    }
    match made.plan {
        Some(plan) => assert_eq!(Plan::from_bytes(&plan.to_bytes()).ok(), Some(plan)),
        None => assert!(made.diagnostics.iter().any(|fault| fault.is_error())),
    }
    let _ = stepwell::config::load("fuzz.yml", bytes, &|_| None);
    if let Ok(code) = std::str::from_utf8(bytes) {
        let _ = analyze(code, &RuleSet::default());
    }
});
