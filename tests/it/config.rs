//! `config.yml`: what is read, what is expanded, what is refused.

use std::time::Duration;

use stepwell::approval::{CodeApproval, GlobalMode};
use stepwell::config::{Config, load};
use stepwell::executor::local::WarmOptions;
use stepwell::plan::Mode;
use stepwell::python::analysis::{Capability, Pack, Setting, Severity, Target};
use stepwell::transport::{Channel, MailTls};

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
    let mut written = good(&text);
    assert!(written.generators.by_name.contains_key("recorded"));
    written.generators = Config::default().generators;
    assert_eq!(written, Config::default());
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
  allow_self: false
  capabilities:
    python_execution: {enabled: false, mode: epics_writes}
analysis:
  allow_imports: [numpy]
  deny_imports: [socket]
  allow_calls: [requests.get]
  deny_calls: [time.sleep]
  rules: {network: block, threads: off}
  modes: {readonly: {rules: {deserialize: block}}}
  packs: {tango: false, generic: false, epics: true}
  patterns:
    - {id: slow_ramp, call: magnets.ramp, arguments: {0: \"SR:*\", fast: false}, severity: error, capability: control_write, message: Ramps.}
    - {id: current, attribute: magnets.Supply.current, message: Sets.}
    - {id: fire, method: fire, severity: block, message: Fires.}
  operations: {write: [magnets.ramp], read: [magnets.read]}
engine: {steps_at_once: 3, worker: lab-1}
limits: {stdout: 1KiB, stderr: 2KiB, results: 3KiB, artifact: 4MiB, memory: 2GiB, files: 5, open_files: 64}
people: {roles: {shift_lead: [ada], analyst: [ada, bob]}}
notifications: {base_url: https://stepwell.example/}
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
    assert!(config.analysis.allow_calls.contains("requests.get"));
    assert!(config.analysis.deny_calls.contains("time.sleep"));
    let read_only = &config.analysis.modes["read_only"];
    assert_eq!(read_only["deserialize"], Setting::Block);
    assert_eq!(
        config.analysis.packs_off,
        [Pack::Tango, Pack::Generic].into()
    );
    let [ramp, current, fire] = config.analysis.patterns.as_slice() else {
        panic!("{:?}", config.analysis.patterns);
    };
    assert_eq!(ramp.target, Target::Call("magnets.ramp".into()));
    let arguments = [("0", "SR:*"), ("fast", "false")];
    let arguments = arguments.map(|(place, text)| (place.to_owned(), text.to_owned()));
    assert_eq!(ramp.arguments, arguments.into());
    assert_eq!(ramp.severity, Severity::Error);
    assert_eq!(ramp.capability, Some(Capability::ControlWrite));
    assert_eq!(
        (ramp.id.as_str(), ramp.message.as_str()),
        ("slow_ramp", "Ramps.")
    );
    assert_eq!(
        current.target,
        Target::Attribute("magnets.Supply.current".into())
    );
    assert_eq!(current.severity, Severity::Warning);
    assert_eq!(fire.target, Target::Method("fire".into()));
    assert_eq!(fire.severity, Severity::Block);
    assert_eq!(config.analysis.rules["network"], Setting::Block);
    assert_eq!(config.analysis.rules["threads"], Setting::Off);
    assert!(config.analysis.operations.write.contains("magnets.ramp"));
    assert!(config.analysis.operations.read.contains("magnets.read"));
    assert_eq!(config.engine.steps_at_once, Some(3));
    assert_eq!(config.engine.worker.as_deref(), Some("lab-1"));
    assert_eq!(config.limits.stdout_bytes_max, 1024);
    assert_eq!(config.limits.stderr_bytes_max, 2048);
    assert_eq!(config.limits.results_bytes_max, 3072);
    assert_eq!(config.limits.artifact_bytes_max, 4 << 20);
    assert_eq!(config.limits.memory_bytes, Some(2 << 30));
    assert_eq!(config.limits.files_max, 5);
    assert_eq!(config.limits.open_files_max, 64);
    assert!(!config.allow_self && Config::default().allow_self);
    assert_eq!(config.roles.of("ada"), ["analyst", "shift_lead"]);
    assert_eq!(config.base_url.as_deref(), Some("https://stepwell.example"));
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
fn a_denied_name_that_could_fit_nothing_is_a_fault() {
    assert_eq!(
        faults(
            "analysis:\n  deny_imports: [\"socket.*\", socket]\n  deny_calls: [\"\", \"shutil.*\", \"time sleep\"]\n"
        ),
        ["bad_value 2:18", "bad_value 3:16", "bad_value 3:32"]
    );
    assert_eq!(
        faults("analysis:\n  allow_imports: [\"numpy*\"]\n"),
        ["bad_value 2:19"]
    );
    assert_eq!(
        faults("analysis:\n  deny_calls: time.sleep\n"),
        ["wrong_type 2:15"]
    );
    let config = good(
        "analysis:\n  deny_calls: [\"*\", time.sleep]\n  operations: {write: [\"magnets.Supply.current=\"]}\n",
    );
    assert_eq!(config.analysis.deny_calls.len(), 2);
}

#[test]
fn containers_are_read_for_each_mode() {
    let text = r#"
framework:
  execution:
    execution_method: auto
    modes:
      read_only: {kernel_name: mine, environment: {EPICS_CA_SERVER_PORT: "1"}}
      write_access:
        container: {jupyter_port: 8889, token_file: write.token}
    container: {jupyter_host: jupyter.lab.example, jupyter_port: 8888, execution_timeout: 300, token_env: READ_TOKEN}
    select:
      - {when: mode == 'write_access', use: container}
      - {use: local}
"#;
    let config = load("config.yml", text.as_bytes(), &|_| None).unwrap();
    let execution = &config.execution;
    assert_eq!(execution.container_timeout, Duration::from_secs(300));
    assert_eq!(execution.select.len(), 2);
    let (read, write) = (&execution.modes.read_only, &execution.modes.write_access);
    assert_eq!(read.kernel_name(Mode::ReadOnly), "mine");
    assert_eq!(write.kernel_name(Mode::WriteAccess), "python3-epics-write");
    let both = [read, write].map(|mode| mode.container.or(&execution.container));
    assert_eq!(both[0].base(), "http://jupyter.lab.example:8888");
    assert_eq!(both[1].base(), "http://jupyter.lab.example:8889");
    assert_eq!(both[0].token_env.as_deref(), Some("READ_TOKEN"));
    assert_eq!(
        (both[1].token_env.as_deref(), both[1].token_file.as_deref()),
        (None, Some("write.token"))
    );
    assert_eq!(read.environment["EPICS_CA_SERVER_PORT"], "1");
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
            "execution: {select: [{when: inputs.x > 1, use: local}, {when: 1 +, use: local}, {use: auto}, {when: x}]}",
            &[
                "unknown_name 1:29",
                "expression_syntax 1:63",
                "bad_value 1:87",
                "missing_key 1:94",
            ],
        ),
        ("execution: {execution_method: docker}", &["bad_value 1:31"]),
        (
            "execution: {container: {jupyter_port: 0, token: x, token_env: A, token_file: b}}",
            &[
                "bad_value 1:39",
                "unknown_key 1:42",
                "conflicting_keys 1:66",
            ],
        ),
        (
            "execution: {container: {shared_folder: data, transfer: 5}}",
            &["bad_value 1:40", "wrong_type 1:56"],
        ),
        (
            "execution: {modes: {read_only: {kernel_name: x, gateway: {port: 1}, allow_writes: true}}}",
            &["missing_key 1:58", "unknown_key 1:69"],
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
        ("analysis: {allow_call: [a]}", &["unknown_key 1:12"]),
        (
            "analysis: {modes: {look: {}, read_only: {}, readonly: {rules: {x: off}, y: 1}}}",
            &[
                "unknown_key 1:20",
                "conflicting_keys 1:45",
                "unknown_key 1:64",
                "unknown_key 1:73",
            ],
        ),
        (
            "analysis: {packs: {epic: true, tango: 1}}",
            &["unknown_key 1:20", "wrong_type 1:39"],
        ),
        (
            "analysis: {patterns: [{id: network, call: a, message: b}]}",
            &["conflicting_keys 1:28"],
        ),
        (
            "analysis: {patterns: [{id: a, call: a, method: b, message: c}, {id: b, message: c}]}",
            &["missing_key 1:23", "missing_key 1:64"],
        ),
        (
            "analysis: {patterns: [{id: a, call: a}, {call: a, message: b, capability: fly, severity: off}]}",
            &[
                "missing_key 1:23",
                "missing_key 1:41",
                "bad_value 1:75",
                "bad_value 1:90",
            ],
        ),
        ("engine: {steps_at_once: 0}", &["bad_value 1:25"]),
        ("engine: {worker: a b}", &["bad_value 1:18"]),
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
        ("people: {rolls: {}}", &["unknown_key 1:10"]),
        ("people: {roles: {lead: ada}}", &["wrong_type 1:24"]),
        ("people: {roles: {lead: [\"\"]}}", &["bad_value 1:18"]),
        (
            "notifications: {base_url: lab.example}",
            &["bad_value 1:27"],
        ),
        ("approval: {allow_self: no}", &["wrong_type 1:24"]),
        (
            "generators: {g: {provider: openai, model: m, base_url: \"http://h/v1?x=1\"}}",
            &["bad_value 1:56"],
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

#[test]
fn channels_of_every_kind() {
    let config = good(
        "
channels:
  pager: {webhook: \"https://${HOST:-a.example}/x\", headers: {X-Token: \"${SECONDS}\"}}
  ops: {slack: https://hooks.example/services/T0}
  one: {mail: {server: m.example, from: S <s@a.example>, to: ada@a.example}}
  two:
    mail:
      {server: m.example, from: s@a.example, to: [ada@a.example, B <b@a.example>], tls: tls, user: u, password: p}
  three: {mail: {server: localhost, from: s@a, to: a@a, tls: none, port: 2525, user: \"${EMPTY}\"}}
",
    );
    let mail = |name: &str| match &config.channels[name] {
        Channel::Mail(mail) => mail.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        config.channels["pager"],
        Channel::Webhook {
            url: "https://a.example/x".to_owned(),
            headers: vec![("X-Token".to_owned(), "45".to_owned())],
        }
    );
    assert_eq!(
        config.channels["ops"],
        Channel::Slack {
            url: "https://hooks.example/services/T0".to_owned()
        }
    );
    let one = mail("one");
    assert_eq!((one.port, one.tls), (587, MailTls::StartTls));
    assert_eq!((one.user, one.password), (None, None));
    assert_eq!(
        (one.from.as_str(), one.to),
        ("S <s@a.example>", vec!["ada@a.example".to_owned()])
    );
    let two = mail("two");
    assert_eq!((two.port, two.tls, two.to.len()), (465, MailTls::Tls, 2));
    assert_eq!(
        two.user.as_deref().zip(two.password.as_deref()),
        Some(("u", "p"))
    );
    let three = mail("three");
    assert_eq!(
        (three.port, three.tls, three.user),
        (2525, MailTls::None, None)
    );
}

#[test]
fn a_channel_that_could_not_work_is_refused_at_its_place() {
    let cases: &[(&str, &[&str])] = &[
        ("{}", &["missing_key 1:15"]),
        ("{webhok: x}", &["unknown_key 1:16"]),
        ("{slack: x, webhook: http://a}", &["conflicting_keys 1:16"]),
        ("{slack: ftp://a}", &["bad_value 1:23"]),
        ("{slack: http://a, headers: {}}", &["useless_key 1:33"]),
        (
            "{webhook: http://a, headers: {Host: b}}",
            &["bad_value 1:45"],
        ),
        ("{webhook: http://a, headers: {A: 1}}", &["wrong_type 1:48"]),
        (
            "{mail: {}}",
            &["missing_key 1:22", "missing_key 1:22", "missing_key 1:22"],
        ),
        (
            "{mail: {server: m, from: s, to: [a@b, c]}}",
            &["bad_value 1:40", "bad_value 1:53"],
        ),
        (
            "{mail: {server: m, from: s@a, to: []}}",
            &["bad_value 1:49"],
        ),
        (
            "{mail: {server: m, from: s@a, to: a@b, tls: ssl}}",
            &["bad_value 1:59"],
        ),
        (
            "{mail: {server: m, from: s@a, to: a@b, port: 0}}",
            &["bad_value 1:60"],
        ),
        (
            "{mail: {server: m, from: s@a, to: a@b, user: u}}",
            &["missing_key 1:22"],
        ),
        (
            "{mail: {server: m, from: s@a, to: a@b, tls: none, user: u, password: p}}",
            &["conflicting_keys 1:74"],
        ),
    ];
    for (channel, expected) in cases {
        assert_eq!(
            faults(&format!("channels: {{x: {channel}}}")),
            *expected,
            "{channel}"
        );
    }
}

#[test]
fn limits_of_channels_are_read_from_here_and_from_a_file_and_fail_closed() {
    use stepwell::executor::ChannelLimits;

    let text = "control_system:\n  write_limits:\n    file: limits.yml\n    channels: {\"A:*\": {min: 0, max: 5}}\n    verify: {tolerance: 0.1}\n";
    let config = load("config.yml", text.as_bytes(), &|_| None).unwrap();
    let limits = config.write_limits.unwrap();
    let file = b"B: {read_only: true}\n_note: for people\n".to_vec();
    let ChannelLimits::Table {
        channels,
        unlisted,
        verify,
    } = limits.table(Some(("limits.yml", Ok(file))))
    else {
        panic!("it was read");
    };
    assert!(!unlisted && channels["B"].read_only && channels["A:*"].max == Some(5.0));
    assert_eq!((channels.len(), verify.unwrap().tolerance), (2, 0.1));
    let json = br#"{"channels": {"B": {"min": 1, "max": 2}}}"#.to_vec();
    assert!(matches!(
        limits.table(Some(("limits.json", Ok(json)))),
        ChannelLimits::Table { .. }
    ));
    for broken in [
        Err("no such file".to_owned()),
        Ok(b"B: {mni: 1}".to_vec()),
        Ok(b"B: {min: 3, max: 2}".to_vec()),
    ] {
        let table = limits.table(Some(("limits.yml", broken)));
        assert!(
            matches!(table, ChannelLimits::Unavailable { .. }),
            "{table:?}"
        );
    }
}

#[test]
fn warm_interpreters_are_switched_counted_and_bounded() {
    let warm = |text: &str| {
        let text = format!("execution: {{local: {{warm: {text}}}}}");
        good(&text).execution.local.warm
    };
    assert!(warm("true").enabled);
    assert!(!warm("false").enabled);
    let all = warm("{from: 1, wait: 2s, parents: 3, forks: 4, memory: 5MiB, idle: 6m}");
    let expected = WarmOptions {
        enabled: true,
        from: 1,
        patience: Duration::from_secs(2),
        parents_max: 3,
        forks_max: 4,
        memory_max: 5 << 20,
        idle: Duration::from_secs(360),
        ..WarmOptions::default()
    };
    assert_eq!(all, expected);
    assert_eq!(
        faults("execution: {local: {warm: {parents: 0, whenever: 1}}}").len(),
        2
    );
}
