//! What the corpus does not show: places, settings, bounds.

use super::*;

fn with(rules: &RuleSet, code: &str) -> Report {
    analyze(code, rules)
}

fn found(report: &Report) -> Vec<(&str, u32, u32)> {
    report
        .findings
        .iter()
        .map(|finding| (finding.rule.as_str(), finding.line, finding.column))
        .collect()
}

#[test]
fn a_finding_says_where_and_what() {
    let code = "import epics as e\r\nwert = 1\r\nü = [e.caput('X', 1)]\r\n";
    let report = analyze(code, &RuleSet::default());
    let finding = &report.findings[0];
    assert_eq!(
        (
            finding.line,
            finding.column,
            finding.end_line,
            finding.end_column
        ),
        (3, 6, 3, 21)
    );
    assert_eq!(finding.snippet, "e.caput('X', 1)");
    assert_eq!(finding.name.as_deref(), Some("epics.caput"));
    assert_eq!(
        finding.message,
        "`epics.caput` writes to the control system."
    );
    assert_eq!(finding.severity, Severity::Error);
    assert!(report.writes);
    assert_eq!(report.risk, Risk::High);
    assert_eq!(report.imports, ["epics"]);
}

#[test]
fn several_syntax_errors_are_several_findings() {
    let report = analyze("x = = 1\ny = 2\ndef f(:\n    pass\n", &RuleSet::default());
    let lines: std::collections::BTreeSet<u32> =
        report.findings.iter().map(|finding| finding.line).collect();
    assert!(lines.contains(&1) && lines.contains(&3), "{report:?}");
    assert!(!report.readable());
}

#[test]
fn what_cannot_be_read_says_so_by_its_rule() {
    let cases = [
        ("x = '\0'".to_owned(), "syntax"),
        ("(".repeat(5_000), "too_deep"),
        ("x".repeat(CODE_BYTES_MAX + 1), "too_large"),
    ];
    for (code, rule) in cases {
        let report = analyze(&code, &RuleSet::default());
        assert_eq!(report.findings[0].rule, rule);
        assert!(!report.readable());
    }
}

#[test]
fn imports_are_denied_and_allowed_by_name() {
    let rules = RuleSet {
        deny_imports: ["socket".to_owned(), "urllib.request".to_owned()].into(),
        ..RuleSet::default()
    };
    for (code, denied) in [
        ("import socket", true),
        ("from urllib import request", true),
        ("from urllib.request import urlopen", true),
        (
            "import importlib\nimportlib.import_module('soc' + 'ket')",
            true,
        ),
        ("import urllib.parse", false),
        ("import socketserver", false),
    ] {
        assert_eq!(with(&rules, code).blocking().is_some(), denied, "{code}");
    }
    let rules = RuleSet {
        allow_imports: ["numpy".to_owned(), "os.path".to_owned()].into(),
        deny_imports: ["numpy.ctypeslib".to_owned()].into(),
        ..RuleSet::default()
    };
    for (code, denied) in [
        ("import numpy.linalg", false),
        ("from os.path import join", false),
        ("import os", true),
        ("from os import path", false),
        ("import pandas", true),
        ("from numpy import ctypeslib", true),
    ] {
        assert_eq!(with(&rules, code).blocking().is_some(), denied, "{code}");
    }
}

#[test]
fn a_deployment_adds_its_own_operations() {
    let rules = RuleSet {
        operations: Operations {
            write: [
                "magnets.ramp".to_owned(),
                "magnets.Supply.current=".to_owned(),
                "rings.*".to_owned(),
            ]
            .into(),
            read: ["magnets.Supply.measure".to_owned()].into(),
        },
        ..RuleSet::default()
    };
    let code = "import magnets, rings\nmagnets.ramp(1)\ns = magnets.Supply('X')\ns.measure()\ns.current = 2\ns.other = 1\nrings.lib.go()\ngetattr(magnets, n)()\n";
    assert_eq!(
        found(&with(&rules, code)),
        [
            ("control_write", 2, 1),
            ("control_read", 4, 1),
            ("control_write", 5, 1),
            ("control_write", 7, 1),
            ("control_dynamic", 8, 1),
        ]
    );
}

#[test]
fn a_rule_that_is_off_finds_nothing_and_a_stricter_one_blocks() {
    let mut rules = RuleSet::default();
    rules.rules.insert("network".to_owned(), Setting::Off);
    rules.rules.insert("process".to_owned(), Setting::Block);
    let report = with(
        &rules,
        "import requests, os\nrequests.get(u)\nos.system('x')\n",
    );
    assert_eq!(found(&report), [("process", 3, 1)]);
    assert!(!report.capabilities.contains(&Capability::Network));
    assert_eq!(report.blocking().map(|finding| finding.line), Some(3));
}

#[test]
fn results_are_looked_for_at_the_top_level() {
    for (code, assigns) in [
        ("results = {}", true),
        ("if x:\n    results = 1", true),
        ("results['a'] = 1", true),
        ("results.update(a=1)", true),
        ("def f():\n    global results\n    results = 1", true),
        ("a, results = 1, 2", true),
        ("for results in x: pass", true),
        ("results: dict = {}", true),
        ("results: dict", false),
        ("def f():\n    results = 1", false),
        ("class A:\n    results = 1", false),
        ("print(results)", false),
        ("# results = 1", false),
        ("", false),
    ] {
        let report = analyze(code, &RuleSet::default());
        assert_eq!(report.assigns_results, assigns, "{code}");
    }
}

#[test]
fn a_write_behind_a_thousand_findings_is_not_lost() {
    let code =
        "import epics\n".to_owned() + &"epics.caget('X')\n".repeat(2_000) + "epics.caput('X', 1)\n";
    let report = analyze(&code, &RuleSet::default());
    assert!(report.writes);
    assert!(report.findings.len() <= 1_001);
}

#[test]
fn giving_up_is_said_and_not_silent() {
    let mut code = String::from("import epics\n");
    for index in 0..300 {
        code += &format!("def f{index}(x): return x\n");
    }
    code += "[";
    for index in 0..300 {
        code += &format!("f{index}, ");
    }
    code += "epics.caput][-1]('X', 1)\n";
    let report = analyze(&code, &RuleSet::default());
    assert!(
        report.capabilities.contains(&Capability::DynamicAccess),
        "{:?}",
        found(&report)
    );
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.rule == "too_complex")
    );
}

#[test]
fn much_data_is_not_complex() {
    let code = "data = [".to_owned()
        + &"{'name': 'x', 'values': [1, 2], 'more': {'y': None}},\n".repeat(2_000)
        + "]\n";
    let report = analyze(&code, &RuleSet::default());
    assert_eq!((found(&report), report.risk), (vec![], Risk::Low));
}

#[test]
fn a_long_chain_of_functions_is_followed_or_given_up_aloud() {
    let mut code = String::from("import epics\n");
    for index in (0..40).rev() {
        code += &format!("def f{index}():\n    return f{}()\n", index + 1);
    }
    code += "def f40():\n    return epics.caput\nf0()('X', 1)\n";
    let report = analyze(&code, &RuleSet::default());
    let loud = report.writes || report.risk == Risk::Unknown;
    assert!(loud, "{report:?}");
}

fn own(id: &str, target: Target, arguments: &[(&str, &str)]) -> OwnPattern {
    let arguments = arguments.iter();
    OwnPattern {
        id: id.to_owned(),
        target,
        arguments: arguments
            .map(|(place, text)| ((*place).to_owned(), (*text).to_owned()))
            .collect(),
        severity: Severity::Error,
        capability: Some(Capability::ControlWrite),
        message: "Not like this.".to_owned(),
    }
}

#[test]
fn a_deployment_has_patterns_of_its_own() {
    let rules = RuleSet {
        patterns: vec![
            own(
                "ramp",
                Target::Call("magnets.ramp".into()),
                &[("0", "SR:*"), ("fast", "true")],
            ),
            own("any", Target::Call("rings.*".into()), &[]),
            own(
                "current",
                Target::Attribute("magnets.Supply.current".into()),
                &[],
            ),
            own("fire", Target::Method("fire".into()), &[("0", "*laser*")]),
        ],
        ..RuleSet::default()
    };
    for (line, found) in [
        ("magnets.ramp('SR:Q1', fast=True)", &["ramp"][..]),
        ("magnets.ramp('SR:Q1', fast=False)", &[]),
        ("magnets.ramp('SR:Q1')", &[]),
        ("magnets.ramp('BR:Q1', fast=True)", &[]),
        ("magnets.ramp(name, fast=how)", &["ramp"]),
        ("magnets.ramp(*given)", &["ramp"]),
        ("pool.submit(magnets.ramp, 'BR:Q1')", &["ramp"]),
        ("rings.lib.go()", &["any"]),
        ("magnets.Supply('X').current = 3", &["current"]),
        ("magnets.Supply('X').currents = 3", &[]),
        ("context.x.fire('the laser 2')", &["fire"]),
        ("context.x.fire('a shot')", &[]),
        ("# magnets.ramp('SR:Q1', fast=True)", &[]),
    ] {
        let report = with(&rules, &format!("import magnets, rings\n{line}\n"));
        let rules: Vec<&str> = report.findings.iter().map(|f| f.rule.as_str()).collect();
        assert_eq!(rules, found, "{line}");
        assert_eq!(report.writes, !found.is_empty(), "{line}");
    }
}

#[test]
fn calls_are_denied_and_allowed_by_name() {
    let rules = RuleSet {
        allow_calls: [
            "requests.*".to_owned(),
            "epics.caput".to_owned(),
            "numpy".to_owned(),
        ]
        .into(),
        deny_calls: ["time.sleep".to_owned(), "os.*".to_owned()].into(),
        ..RuleSet::default()
    };
    let code = "import requests, epics, time, os, numpy\nrequests.get(u)\nepics.caput('X', 1)\ntime.sleep(5)\n\
                os.getcwd()\nlist(map(time.sleep, s))\ngetattr(numpy, n)\nepics.PV('X').put(1)\n";
    assert_eq!(
        found(&with(&rules, code)),
        [
            ("call_denied", 4, 1),
            ("call_denied", 5, 1),
            ("call_denied", 6, 6),
            ("control_write", 8, 1),
        ]
    );
}

#[test]
fn a_pack_that_is_off_finds_nothing_and_leaves_the_others() {
    let lines = [
        ("epics.caput('X', 1)", Pack::Epics),
        ("tango.DeviceProxy('X').On()", Pack::Tango),
        ("pydoocs.write('X', 1)", Pack::Doocs),
        (
            "pyvisa.ResourceManager().open_resource('X').write('ON')",
            Pack::Instruments,
        ),
        ("context.it.write_channel('X', 1)", Pack::Generic),
        ("context.pv.put(1)", Pack::Generic),
    ];
    for off in Pack::ALL {
        let rules = RuleSet {
            packs_off: [off].into(),
            ..RuleSet::default()
        };
        for (line, pack) in lines {
            let code = format!("import epics, tango, pydoocs, pyvisa\n{line}\n");
            let found = with(&rules, &code).findings.len();
            assert_eq!(found > 0, pack != off, "{line} without {off:?}");
        }
    }
}
