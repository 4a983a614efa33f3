//! `config.yml`: what is read, what is expanded, what is refused.

use std::time::Duration;

use stepwell::approval::{CodeApproval, GlobalMode};
use stepwell::config::{Config, load};
use stepwell::python::analysis::Setting;

fn env(name: &str) -> Option<String> {
    match name {
        "VENV" => Some("/opt/venv".to_owned()),
        "SECONDS" => Some("45".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn good(text: &str) -> Config {
    load("config.yml", text.as_bytes(), &env).unwrap_or_else(|faults| {
        let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
        panic!("{text}\n{}", said.join("\n"))
    })
}

/// The code, line and column of every fault.
fn faults(text: &str) -> Vec<String> {
    load("config.yml", text.as_bytes(), &env)
        .unwrap_err()
        .iter()
        .map(|fault| {
            let place = fault.place.as_ref().unwrap();
            format!("{} {}:{}", fault.code, place.line, place.column)
        })
        .collect()
}

#[test]
fn the_file_of_the_product_says_what_holds_without_it() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config.yml");
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(good(&text), Config::default());
    assert_eq!(good(""), Config::default());
    assert_eq!(good("# nothing yet\n"), Config::default());
}

#[test]
fn every_key_reaches_the_setting_that_it_names() {
    let config = good(
        "
framework:
  execution:
    execution_method: local
    modes:
      readonly: {allows_writes: true, requires_approval: true, description: look, environment: {A: b}}
      readwrite: {allows_writes: false, requires_approval: false}
    local: {python_env_path: /venv, execution_timeout: 120}
approval:
  global_mode: all_capabilities
  capabilities:
    python_execution: {enabled: false, mode: epics_writes}
analysis:
  allow_imports: [numpy]
  deny_imports: [socket]
  rules: {network: block, threads: off}
  operations: {write: [magnets.ramp], read: [magnets.read]}
engine: {steps_at_once: 3}
limits: {stdout: 1KiB, stderr: 2KiB, results: 3KiB, artifact: 4MiB, memory: 2GiB, files: 5, open_files: 64}
",
    );
    let modes = &config.execution.modes;
    assert_eq!(modes.read_only.description, "look");
    assert_eq!(modes.read_only.environment["A"], "b");
    assert!(config.approval.read_only.allows_writes && config.approval.read_only.requires_approval);
    assert!(!config.approval.write_access.allows_writes);
    assert!(!config.approval.write_access.requires_approval);
    let local = &config.execution.local;
    assert_eq!(local.python_env_path.as_deref(), Some("/venv"));
    assert_eq!(local.execution_timeout, Duration::from_secs(120));
    assert_eq!(config.approval.global_mode, GlobalMode::AllCapabilities);
    assert!(!config.approval.python.enabled);
    assert_eq!(config.approval.python.mode, CodeApproval::ControlWrites);
    assert!(config.analysis.allow_imports.contains("numpy"));
    assert!(config.analysis.deny_imports.contains("socket"));
    assert_eq!(config.analysis.rules["network"], Setting::Block);
    assert_eq!(config.analysis.rules["threads"], Setting::Off);
    assert!(config.analysis.operations.write.contains("magnets.ramp"));
    assert!(config.analysis.operations.read.contains("magnets.read"));
    assert_eq!(config.engine.steps_at_once, Some(3));
    assert_eq!(config.limits.stdout_bytes_max, 1024);
    assert_eq!(config.limits.stderr_bytes_max, 2048);
    assert_eq!(config.limits.results_bytes_max, 3072);
    assert_eq!(config.limits.artifact_bytes_max, 4 << 20);
    assert_eq!(config.limits.memory_bytes, Some(2 << 30));
    assert_eq!(config.limits.files_max, 5);
    assert_eq!(config.limits.open_files_max, 64);
}

#[test]
fn the_flat_spelling_means_the_same() {
    let flat = good("execution: {local: {execution_timeout: 5m}}");
    let nested = good("framework: {execution: {local: {execution_timeout: 300}}}");
    assert_eq!(flat, nested);
}

#[test]
fn variables_are_expanded_and_read_again() {
    let path = |written: &str| {
        good(&format!(
            "execution:\n  local:\n    python_env_path: {written}\n"
        ))
        .execution
        .local
        .python_env_path
    };
    assert_eq!(path("${VENV}").as_deref(), Some("/opt/venv"));
    assert_eq!(path("${NOT_THERE:-/usr}/bin").as_deref(), Some("/usr/bin"));
    assert_eq!(path("${EMPTY:-/usr}").as_deref(), Some("/usr"));
    assert_eq!(path("${EMPTY}"), None);
    assert_eq!(path("\"$${VENV}\"").as_deref(), Some("${VENV}"));
    let config = good("execution:\n  local:\n    execution_timeout: ${SECONDS}\n");
    assert_eq!(
        config.execution.local.execution_timeout,
        Duration::from_secs(45)
    );
    assert_eq!(
        faults("execution:\n  local:\n    execution_timeout: \"${SECONDS}\"\n"),
        ["bad_value 3:24"]
    );
}

#[test]
fn what_would_be_ignored_is_refused_at_its_place() {
    let cases: &[(&str, &[&str])] = &[
        ("framwork: {}", &["unknown_key 1:1"]),
        (
            "execution: {}\nframework: {execution: {}}",
            &["conflicting_keys 1:1"],
        ),
        (
            "execution: {execution_method: container}",
            &["not_supported_yet 1:13"],
        ),
        ("execution: {execution_method: docker}", &["bad_value 1:31"]),
        (
            "execution: {container: {jupyter_port: 8888}}",
            &["not_supported_yet 1:13"],
        ),
        (
            "execution: {modes: {read_only: {kernel_name: x, gateway: y, allow_writes: true}}}",
            &[
                "not_supported_yet 1:33",
                "not_supported_yet 1:49",
                "unknown_key 1:61",
            ],
        ),
        (
            "execution: {modes: {read_only: {}, readonly: {}}}",
            &["conflicting_keys 1:36"],
        ),
        (
            "execution: {modes: {write_access: {requires_approval: no}}}",
            &["wrong_type 1:55"],
        ),
        ("approval: {global_mode: all}", &["bad_value 1:25"]),
        (
            "approval: {capabilities: {memory: {}}}",
            &["not_supported_yet 1:27"],
        ),
        ("analysis: {rules: {netwrk: off}}", &["unknown_key 1:20"]),
        ("analysis: {rules: {network: loud}}", &["bad_value 1:29"]),
        ("analysis: {rules: {syntax: off}}", &["useless_key 1:20"]),
        ("engine: {steps_at_once: 0}", &["bad_value 1:25"]),
        (
            "limits: {stdout: 5, memory: lots}",
            &["wrong_type 1:18", "bad_value 1:29"],
        ),
        ("limits: {open_files: 3}", &["bad_value 1:22"]),
        ("python_executor: {}", &["not_supported_yet 1:1"]),
        (
            "execution:\n  local:\n    python_env_path: ${NOT_THERE}/bin",
            &["unset_variable 3:22"],
        ),
        (
            "execution:\n  local:\n    python_env_path: ${1X}",
            &["bad_value 3:22"],
        ),
        (
            "execution:\n  local:\n    python_env_path: ${VENV",
            &["bad_value 3:22"],
        ),
        (
            "execution: {local: {python_env_path: ${VENV}}}",
            &["yaml_syntax 1:38"],
        ),
        ("- 1", &["wrong_type 1:1"]),
    ];
    for (text, expected) in cases {
        assert_eq!(faults(text), *expected, "{text}");
    }
}

#[test]
fn an_unset_variable_is_named() {
    let text = "execution:\n  local:\n    python_env_path: ${LOCAL_PYTHON_VENV}\n";
    let faults = load("config.yml", text.as_bytes(), &|_| None).unwrap_err();
    assert_eq!(
        faults[0].to_string(),
        "error[unset_variable]: the environment variable `LOCAL_PYTHON_VENV` is not set
 --> config.yml:3:22
  |
3 |     python_env_path: ${LOCAL_PYTHON_VENV}
  |                      ^^^^^^^^^^^^^^^^^^^^
  help: set it, or write ${LOCAL_PYTHON_VENV:-fallback}"
    );
}
