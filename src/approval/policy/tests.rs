use super::*;
use crate::python::analysis::{Finding, Rule, RuleSet, Severity, analyze};

const PAGE: &str = include_str!("../../../docs/approval-policy.md");

/// A report for each word of the first column of the table.
fn reports() -> Vec<(&'static str, Report)> {
    let with = |rule: Rule| {
        let mut report = analyze("", &RuleSet::default());
        report.capabilities.extend(rule.capability());
        report.risk = Risk::of(&report.capabilities);
        report.findings.push(finding(rule, rule.severity()));
        report
    };
    vec![
        ("plain", analyze("results = {}", &RuleSet::default())),
        ("unreadable", with(Rule::Syntax)),
        ("unreadable", with(Rule::TooDeep)),
        ("refused", with(Rule::ImportDenied)),
        ("control write", with(Rule::ControlWrite)),
        ("outside write", with(Rule::FsOutside)),
        ("process", with(Rule::Process)),
        ("native", with(Rule::Native)),
        ("dynamic code", with(Rule::DynamicCode)),
        ("unknown", with(Rule::ControlDynamic)),
        ("unknown", with(Rule::Introspection)),
        ("unknown", with(Rule::ControlSuspect)),
        ("unknown", with(Rule::Tampering)),
        ("dynamic code", with(Rule::ImportPath)),
        ("refused", with(Rule::CallDenied)),
        ("secrets", with(Rule::SecretRead)),
        ("hooks", with(Rule::Hooks)),
        ("network", with(Rule::Network)),
        ("unpickles", with(Rule::Deserialize)),
        ("reads", with(Rule::ControlRead)),
    ]
}

fn finding(rule: Rule, severity: Severity) -> Finding {
    Finding {
        rule: rule.id().to_owned(),
        severity,
        line: 1,
        column: 1,
        end_line: 1,
        end_column: 2,
        message: "Found.".to_owned(),
        snippet: "x".to_owned(),
        name: None,
        file: None,
    }
}

fn rows() -> Vec<Vec<&'static str>> {
    let table = PAGE.split("| code | allows_writes |").nth(1).unwrap();
    table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

fn expected(rows: &[Vec<&'static str>], case: [&str; 7]) -> &'static str {
    rows.iter()
        .find(|row| {
            row.iter()
                .zip(case)
                .all(|(cell, value)| *cell == "any" || cell.split(", ").any(|word| word == value))
        })
        .map_or("no row fits", |row| row[7])
}

fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

fn policies() -> Vec<(Policy, [&'static str; 5])> {
    let mut all = Vec::new();
    for (global_mode, global) in [
        (GlobalMode::Disabled, "disabled"),
        (GlobalMode::Selective, "selective"),
        (GlobalMode::AllCapabilities, "all_capabilities"),
    ] {
        for code in [
            CodeApproval::Disabled,
            CodeApproval::AllCode,
            CodeApproval::ControlWrites,
        ] {
            for bits in 0..8 {
                let [enabled, allows, requires] = [1, 2, 4].map(|bit| bits & bit != 0);
                let mode = ModePolicy {
                    allows_writes: allows,
                    requires_approval: requires,
                };
                let policy = Policy {
                    global_mode,
                    python: PythonApproval {
                        enabled,
                        mode: code,
                    },
                    read_only: mode.clone(),
                    write_access: mode,
                };
                let words = [
                    yes(allows),
                    yes(requires),
                    global,
                    yes(enabled),
                    code.as_str(),
                ];
                all.push((policy, words));
            }
        }
    }
    all
}

#[test]
fn every_combination_answers_as_the_page_says() {
    let (rows, reports, mut used) = (rows(), reports(), std::collections::BTreeSet::new());
    for (policy, [allows, requires, global, enabled, code]) in policies() {
        for (word, report) in &reports {
            for step_asks in [None, Some(false), Some(true)] {
                let asks = yes(step_asks == Some(true));
                let case = [*word, allows, requires, global, enabled, code, asks];
                let expected = expected(&rows, case);
                for mode in [Mode::ReadOnly, Mode::WriteAccess] {
                    let decision = decide(&policy, mode, report, step_asks);
                    let got = json!(decision.verdict);
                    assert_eq!(got, expected, "{case:?}: {decision:?}");
                    assert_eq!(decision.code.is_some(), expected == "block", "{case:?}");
                    assert!(!decision.rule.is_empty() && decision.reason.ends_with('.'));
                }
                used.insert(expected);
            }
        }
    }
    assert_eq!(
        used.into_iter().collect::<Vec<_>>(),
        ["ask", "block", "pass"]
    );
}

#[test]
fn the_configuration_as_delivered() {
    let policy = Policy::default();
    let cases = [
        (
            "plain",
            Mode::ReadOnly,
            Verdict::Pass,
            "approval.capabilities.python_execution.mode = control_writes",
        ),
        (
            "plain",
            Mode::WriteAccess,
            Verdict::Ask,
            "execution.modes.write_access.requires_approval = true",
        ),
        (
            "control write",
            Mode::ReadOnly,
            Verdict::Block,
            "execution.modes.read_only.allows_writes = false",
        ),
        (
            "control write",
            Mode::WriteAccess,
            Verdict::Ask,
            "execution.modes.write_access.requires_approval = true",
        ),
        (
            "process",
            Mode::ReadOnly,
            Verdict::Ask,
            "approval.capabilities.python_execution.mode = control_writes",
        ),
        (
            "unknown",
            Mode::ReadOnly,
            Verdict::Ask,
            "execution.modes.read_only.allows_writes = false",
        ),
        (
            "network",
            Mode::ReadOnly,
            Verdict::Pass,
            "approval.capabilities.python_execution.mode = control_writes",
        ),
        ("unreadable", Mode::WriteAccess, Verdict::Block, "analysis"),
        (
            "refused",
            Mode::WriteAccess,
            Verdict::Block,
            "analysis.rules.import_denied",
        ),
    ];
    let reports = reports();
    for (word, mode, verdict, rule) in cases {
        let (_, report) = reports.iter().find(|(known, _)| *known == word).unwrap();
        let decision = decide(&policy, mode, report, None);
        assert_eq!(
            (decision.verdict, decision.rule.as_str()),
            (verdict, rule),
            "{word} in {mode}"
        );
    }
}

#[test]
fn code_that_can_not_be_read_says_where() {
    let report = analyze("x = 1\nif x\n    y\n", &RuleSet::default());
    let decision = decide(&Policy::default(), Mode::ReadOnly, &report, None);
    assert_eq!(decision.verdict, Verdict::Block);
    assert!(
        decision.reason.starts_with("Line 2: "),
        "{}",
        decision.reason
    );
    // In a notebook by its cell, and not also by a line of what the cells are together.
    let code = "# %% cell 1\nx = 1\n# %% cell 2\nx = 2\nif x\n    y\n";
    let mut report = analyze(code, &RuleSet::default());
    report.name_cells(code);
    let decision = decide(&Policy::default(), Mode::ReadOnly, &report, None);
    assert!(
        decision.reason.starts_with("Cell 2, line 2: "),
        "{}",
        decision.reason
    );
    assert!(!decision.reason.contains("Line "), "{}", decision.reason);
}

#[test]
fn a_write_in_sight_does_not_hide_what_is_out_of_sight() {
    let mut report = analyze("", &RuleSet::default());
    report
        .capabilities
        .extend([Capability::Process, Capability::DynamicAccess]);
    report.risk = Risk::of(&report.capabilities);
    let policy = Policy {
        global_mode: GlobalMode::Disabled,
        ..Policy::default()
    };
    assert_eq!(report.risk, Risk::High);
    assert_eq!(
        decide(&policy, Mode::ReadOnly, &report, None).verdict,
        Verdict::Ask
    );
}

#[test]
fn the_seed_spells_control_writes_otherwise() {
    let read: CodeApproval = serde_json::from_value(json!("epics_writes")).unwrap();
    assert_eq!(read, CodeApproval::ControlWrites);
    assert_eq!(json!(read), "control_writes");
}

#[test]
fn the_digest_follows_every_setting() {
    let digests: std::collections::BTreeSet<_> = policies()
        .iter()
        .map(|(policy, _)| policy.digest())
        .collect();
    assert_eq!(digests.len(), policies().len());
}
