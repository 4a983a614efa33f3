//! The head of the file, what steps have in common, and the rules of questions, read into the plan.

use std::time::Duration;

use serde_json::{Value, json};
use stepwell::plan::{
    Cache, Catchup, Concurrency, OnTimeout, OnUnknown, Overlap, Plan, Reviewers, SecretSource,
    Step, StepKind, WhenFull,
};
use stepwell::workflow::{Compilation, CompileOptions, SourceError, Sources, compile};

use crate::cli_rig::Place;
use crate::cli_schema::agree;
use crate::workflow_compile::shown;

/// One file beside the workflow, one above it, one elsewhere.
struct Shelf;

impl Sources for Shelf {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        match path {
            "a.py" => Ok(b"results = {'x': 1}\n".to_vec()),
            "linked_out.py" => Err(SourceError::Outside),
            _ => Err(SourceError::Missing),
        }
    }

    fn read_anywhere(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        match path {
            "../../shared/b.py" | "/opt/c.py" | "linked_out.py" => {
                Ok(format!("'{path}'\n").into_bytes())
            }
            "../requirements.txt" => Ok(b"numpy\n".to_vec()),
            _ => self.read(path),
        }
    }
}

pub(crate) fn compiled(text: &str) -> Compilation {
    let text = format!("version: 1\nname: w\n{text}");
    let compilation = compile("w.yml", text.as_bytes(), &Shelf, &CompileOptions::default());
    if compilation.plan.is_some() {
        agree(&text);
    }
    compilation
}

/// The plan and what was said beside it.
pub(crate) fn plan_and_words(text: &str) -> (Plan, String) {
    let compilation = compiled(text);
    let said = shown(&compilation);
    let plan = compilation.plan.unwrap_or_else(|| panic!("{text}\n{said}"));
    assert_eq!(Plan::from_bytes(&plan.to_bytes()).unwrap(), plan);
    (plan, said)
}

fn plan(text: &str) -> Plan {
    let (plan, said) = plan_and_words(text);
    assert_eq!(said, "", "{text}");
    plan
}

/// The codes of everything that is said about a text that is refused.
pub(crate) fn refused(text: &str) -> String {
    let compilation = compiled(text);
    assert!(compilation.plan.is_none(), "{text}");
    let codes: Vec<&str> = compilation
        .diagnostics
        .iter()
        .map(|fault| fault.code.as_str())
        .collect();
    codes.join(" ")
}

fn step<'p>(plan: &'p Plan, id: &str) -> &'p Step {
    plan.steps.with_id(id).unwrap()
}

/// A part of the plan as JSON.
fn part(plan: &Plan, pointer: &str) -> Value {
    let json: Value = serde_json::from_slice(&plan.to_bytes()).unwrap();
    json.pointer(pointer).cloned().unwrap_or(Value::Null)
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

const ONE: &str = "steps: [{id: a, set: {x: 1}}]";

#[test]
fn the_head_of_the_file_is_in_the_plan() {
    let plan = plan(
        r#"
labels: {team: optics}
timeout: 6h
fail_fast: true
retention: 30d
inputs: {shift: {type: string, default: night}}
concurrency: {group: "orbit-${{ inputs.shift }}", limit: 3, when_full: cancel_running, release_while_waiting: false}
secrets:
  token: {env: TOKEN}
  key: {file: /run/secrets/key}
steps:
  - id: a
    python: {file: a.py}
    env: {T: "${{ secrets.token }}", K: "${{ secrets.key }}"}
"#,
    );
    assert_eq!(plan.labels["team"], "optics");
    assert_eq!(plan.timeout, Some(minutes(360)));
    assert!(plan.fail_fast);
    assert_eq!(plan.retention, Some(minutes(30 * 24 * 60)));
    let group = plan.concurrency.as_ref().unwrap();
    assert_eq!(group.limit, 3);
    assert_eq!(group.when_full, WhenFull::CancelRunning);
    assert!(!group.release_while_waiting);
    assert_eq!(
        part(&plan, "/concurrency/group"),
        json!("orbit-${{ inputs.shift }}")
    );
    let secrets: Vec<_> = plan.secrets.iter().collect();
    assert_eq!(
        secrets,
        [
            (&"token".to_owned(), &SecretSource::Env("TOKEN".into())),
            (
                &"key".to_owned(),
                &SecretSource::File("/run/secrets/key".into())
            ),
        ]
    );
}

#[test]
fn a_head_that_says_nothing_limits_nothing_and_a_group_alone_is_one_at_a_time() {
    let silent = plan(ONE);
    assert_eq!(
        (silent.timeout, silent.fail_fast, silent.retention),
        (None, false, None)
    );
    assert!(silent.concurrency.is_none() && silent.secrets.is_empty());
    let group = plan(&format!("concurrency: {{group: g}}\n{ONE}"));
    let Some(Concurrency {
        limit,
        when_full,
        release_while_waiting,
        ..
    }) = group.concurrency
    else {
        panic!("no group");
    };
    assert_eq!(
        (limit, when_full, release_while_waiting),
        (1, WhenFull::Queue, true)
    );
}

#[test]
fn the_group_of_a_run_is_known_before_its_steps() {
    for (group, expected) in [
        ("${{ steps.a.outputs.x }}", "unknown_name"),
        ("${{ inputs.y }}", "unknown_input"),
        ("", "bad_value"),
    ] {
        let text = format!("concurrency: {{group: \"{group}\"}}\n{ONE}");
        assert_eq!(refused(&text), expected, "{group}");
    }
    plan(&format!(
        "concurrency: {{group: \"${{{{ workflow.name }}}}-${{{{ run.trigger }}}}\"}}\n{ONE}"
    ));
}

#[test]
fn a_schedule_is_in_the_plan_with_what_it_hands_over() {
    let plan = plan(
        r#"
inputs:
  day: {type: date, default: "${{ date(run.scheduled_at) }}"}
  shift: {type: string, choices: [day, night]}
schedules:
  - id: nightly
    cron: "30 2 * * MON-FRI"
    timezone: america/los_angeles
    catchup: all
    catchup_window: 12h
    overlap: cancel_running
    jitter: 2m
    with: {shift: night, day: "${{ date(run.scheduled_at) }}"}
  - {id: hourly, cron: "0 * * * *", timezone: UTC, with: {shift: day}}
steps: [{id: a, set: {x: 1}}]
"#,
    );
    let [nightly, hourly] = plan.schedules.as_slice() else {
        panic!("{:?}", plan.schedules);
    };
    assert_eq!(
        (nightly.id.as_str(), nightly.cron.as_str()),
        ("nightly", "30 2 * * MON-FRI")
    );
    assert_eq!(nightly.timezone, "America/Los_Angeles");
    assert_eq!(
        (nightly.catchup, nightly.catchup_window),
        (Catchup::All, Some(minutes(720)))
    );
    assert_eq!(
        (nightly.overlap, nightly.jitter),
        (Overlap::CancelRunning, Some(minutes(2)))
    );
    assert_eq!(part(&plan, "/schedules/0/with/shift"), json!("night"));
    assert_eq!(
        (hourly.catchup, hourly.overlap),
        (Catchup::Latest, Overlap::Skip)
    );
    assert_eq!((hourly.catchup_window, hourly.jitter), (None, None));
}

#[test]
fn a_schedule_without_a_zone_is_utc_and_says_so() {
    let (plan, said) = plan_and_words(&format!(
        "schedules: [{{id: s, cron: \"0 2 * * *\"}}]\n{ONE}"
    ));
    assert_eq!(plan.schedules[0].timezone, "UTC");
    assert!(
        said.starts_with("warning[schedule_without_timezone]"),
        "{said}"
    );
}

#[test]
fn a_schedule_that_could_not_start_a_run_is_refused() {
    for (schedule, expected) in [
        ("cron: \"0 2 * *\"", "bad_value"),
        ("cron: \"61 2 * * *\"", "bad_value"),
        ("cron: \"0 2 * * *\", timezone: Europe/Berlim", "bad_value"),
        ("cron: \"0 2 * * *\", catchup: some", "bad_value"),
        ("cron: \"0 2 * * *\", overlap: some", "bad_value"),
        ("cron: \"0 2 * * *\", jitter: 5", "wrong_type"),
        (
            "cron: \"0 2 * * *\", catchup: none, catchup_window: 1h",
            "useless_key",
        ),
        ("cron: \"0 2 * * *\", with: {m: 1}", "unknown_input"),
        ("cron: \"0 2 * * *\", with: {n: x}", "wrong_type"),
        (
            "cron: \"0 2 * * *\", with: {n: \"${{ inputs.n }}\"}",
            "unknown_name",
        ),
        ("timezone: UTC", "missing_key"),
    ] {
        let zone = if schedule.contains("timezone") {
            ""
        } else {
            ", timezone: UTC"
        };
        let text = format!(
            "inputs: {{n: {{type: int, default: 1}}}}\nschedules: [{{id: s, {schedule}{zone}}}]\n{ONE}"
        );
        assert_eq!(refused(&text), expected, "{schedule}");
    }
    let needs = "inputs: {n: int}\nschedules: [{id: s, cron: \"0 2 * * *\", timezone: UTC}]\n";
    assert_eq!(refused(&format!("{needs}{ONE}")), "missing_input");
    let twice = "schedules:\n  - {id: s, cron: \"0 2 * * *\", timezone: UTC}\n  - {id: s, cron: \"0 3 * * *\", timezone: UTC}\n";
    assert_eq!(refused(&format!("{twice}{ONE}")), "duplicate_id");
}

#[test]
fn what_steps_have_in_common_is_in_the_plan() {
    let plan = plan(
        r#"
steps:
  - id: a
    python: {file: a.py}
    outputs: {x: int, y: string}
    deadline: 2h
    artifacts: ["*.csv", "plots/**/[a-z]?.png"]
    cache: {ttl: 7d}
    locks: [machine, "magnet-${{ run.id }}"]
    release_on_wait: true
    concurrency: {group: fits, limit: 2}
    labels: {tier: gold}
    retention: 1d
    sensitive: [y]
    idempotency_key: a-${{ run.id }}
    on_unknown: fail
  - {id: b, python: {file: a.py}, cache: true}
  - {id: c, python: {file: a.py}, cache: false}
  - id: d
    set: {x: 1}
    deadline: 1m
    locks: [machine]
    labels: {tier: silver}
    retention: 2d
    sensitive: [x]
    concurrency: {group: "${{ steps.a.outputs.y }}"}
"#,
    );
    let a = step(&plan, "a");
    assert_eq!(a.deadline, Some(minutes(120)));
    assert_eq!(a.artifacts, ["*.csv", "plots/**/[a-z]?.png"]);
    assert_eq!(
        a.cache,
        Some(Cache {
            ttl: Some(minutes(7 * 24 * 60))
        })
    );
    assert_eq!(
        part(&plan, "/steps/0/locks"),
        json!(["machine", "magnet-${{ run.id }}"])
    );
    assert!(a.release_on_wait);
    assert_eq!(a.concurrency.as_ref().unwrap().limit, 2);
    assert_eq!(a.labels["tier"], "gold");
    assert_eq!(a.retention, Some(minutes(24 * 60)));
    assert_eq!(a.sensitive, ["y"]);
    assert_eq!(
        part(&plan, "/steps/0/idempotency_key"),
        json!("a-${{ run.id }}")
    );
    assert_eq!(a.on_unknown, Some(OnUnknown::Fail));
    assert_eq!(step(&plan, "b").cache, Some(Cache { ttl: None }));
    let c = step(&plan, "c");
    assert_eq!(
        (c.cache, c.deadline, c.on_unknown, c.retention),
        (None, None, None, None)
    );
    let d = step(&plan, "d");
    assert_eq!(d.deadline, Some(minutes(1)));
    assert_eq!((d.locks.len(), d.release_on_wait), (1, false));
    assert_eq!(d.labels["tier"], "silver");
    assert_eq!(d.sensitive, ["x"]);
    let edges: Vec<&str> = d.edges.iter().map(|edge| edge.from.as_str()).collect();
    assert_eq!(edges, ["a", "c"], "a name of a group is a reference too");
}

#[test]
fn fields_of_steps_that_do_nothing_or_harm_are_refused() {
    const PY: &str = "python: {file: a.py}, outputs: {x: int}";
    const SET: &str = "set: {x: 1}";
    for (step, expected) in [
        (format!("{SET}, cache: true"), "useless_key"),
        (format!("{SET}, artifacts: [x]"), "useless_key"),
        (format!("{SET}, on_unknown: ask"), "useless_key"),
        (format!("{SET}, idempotency_key: k"), "useless_key"),
        (format!("{SET}, sensitive: [y]"), "unknown_output"),
        (format!("{PY}, sensitive: [y]"), "unknown_output"),
        (format!("{PY}, on_unknown: later"), "bad_value"),
        (format!("{PY}, idempotency_key: \"\""), "bad_value"),
        (format!("{PY}, release_on_wait: true"), "useless_key"),
        (format!("{PY}, locks: machine"), "wrong_type"),
        (format!("{PY}, locks: [m, m]"), "bad_value"),
        (format!("{PY}, locks: [\" \"]"), "bad_value"),
        (format!("{PY}, concurrency: 2"), "wrong_type"),
        (format!("{PY}, concurrency: {{limit: 2}}"), "missing_key"),
        (
            format!("{PY}, concurrency: {{group: g, limit: 0}}"),
            "bad_value",
        ),
        (format!("{PY}, deadline: 5"), "wrong_type"),
        (format!("{PY}, retention: forever"), "bad_value"),
        (format!("{PY}, labels: {{a: 1}}"), "wrong_type"),
        (format!("{PY}, cache: yes"), "wrong_type"),
        (format!("{PY}, cache: {{tll: 1d}}"), "unknown_key"),
        (format!("{PY}, artifacts: \"*.csv\""), "wrong_type"),
        (format!("{PY}, artifacts: [/tmp/x]"), "bad_value"),
        (format!("{PY}, artifacts: [a/../../x]"), "bad_value"),
        (format!("{PY}, artifacts: [\"[a-z.csv\"]"), "bad_value"),
        (format!("{PY}, artifacts: [\"\"]"), "bad_value"),
        (format!("{PY}, artifacts: ['a\\b']"), "bad_value"),
        (
            "python: {file: a.py, mode: write_access}, cache: true".to_owned(),
            "conflicting_keys",
        ),
    ] {
        let text = format!("steps: [{{id: a, {step}}}]");
        assert_eq!(refused(&text), expected, "{step}");
    }
    // What may not be cached is known from the defaults too.
    let text = "defaults: {python: {mode: write_access}}\nsteps: [{id: a, python: {file: a.py}, cache: true}]";
    assert_eq!(refused(text), "conflicting_keys");
}

#[test]
fn the_rules_of_a_question_are_in_the_plan() {
    let plan = plan(
        r#"
inputs: {boss: string}
steps:
  - id: ask
    approval:
      title: Go on?
      reviewers: {roles: [lead], users: [m.beam, "${{ inputs.boss }}"]}
      required: 2
      reject_quorum: 3
      allow_self: false
      remind: [2h, 8h]
      timeout: 12h
      on_timeout: escalate
      escalate_to: {roles: [head]}
      notify: [ops_slack]
      form:
        reason: {type: string, required_on: [reject, changes]}
        scale: {type: float, required_on: [approve]}
        note: {type: string, required: false}
  - id: names
    approval: {title: Go on?, reviewers: [ann, bob], remind: 1h, timeout: 2h, on_timeout: fail}
  - id: words
    approval: {title: Go on?, reviewers: the shift lead}
  - id: code
    python: {file: a.py}
    approve_code: {when: "${{ check.writes }}", reviewers: {users: [ann]}, required: 1, allow_self: true, timeout: 4h}
"#,
    );
    let StepKind::Approval(ask) = &step(&plan, "ask").kind else {
        panic!("no approval");
    };
    assert_eq!(
        part(&plan, "/steps/0/kind/approval/reviewers"),
        json!({"users": ["m.beam", "${{ inputs.boss }}"], "roles": ["lead"]})
    );
    let rules = &ask.rules;
    assert_eq!(
        (rules.required, rules.reject_quorum, rules.allow_self),
        (2, 3, Some(false))
    );
    assert_eq!(rules.remind, [minutes(120), minutes(480)]);
    assert_eq!(
        (rules.timeout, rules.on_timeout),
        (Some(minutes(720)), OnTimeout::Escalate)
    );
    assert!(matches!(&rules.escalate_to, Some(Reviewers::Named(named)) if named.roles == ["head"]));
    assert_eq!(rules.notify, ["ops_slack"]);
    assert_eq!(ask.form["reason"].required_on, ["reject", "changes"]);
    // A yes needs no reason, since it is not named; what a yes needs is required as ever.
    assert!(!ask.form["reason"].required);
    assert!(ask.form["scale"].required);
    assert!(!ask.form["note"].required && ask.form["note"].required_on.is_empty());
    assert_eq!((&ask.on_changes, ask.max_changes), (&None, 5));

    let StepKind::Approval(names) = &step(&plan, "names").kind else {
        panic!("no approval");
    };
    assert!(
        matches!(&names.rules.reviewers, Some(Reviewers::Named(named)) if named.users.len() == 2)
    );
    assert_eq!(names.rules.remind, [minutes(60)]);
    assert_eq!(names.rules.on_timeout, OnTimeout::Fail);
    let StepKind::Approval(words) = &step(&plan, "words").kind else {
        panic!("no approval");
    };
    assert!(matches!(&words.rules.reviewers, Some(Reviewers::Text(_))));
    assert_eq!(
        (words.rules.required, words.rules.on_timeout),
        (1, OnTimeout::Reject)
    );

    let wish = step(&plan, "code").kind.as_python().unwrap();
    let rules = &wish.approve_code.as_ref().unwrap().rules;
    assert!(matches!(&rules.reviewers, Some(Reviewers::Named(named)) if named.users.len() == 1));
    assert_eq!(
        (rules.timeout, rules.allow_self),
        (Some(minutes(240)), Some(true))
    );
}

#[test]
fn questions_that_could_not_be_answered_are_refused() {
    for (rules, expected) in [
        ("required: 0", "bad_value"),
        ("required: two", "wrong_type"),
        ("reject_quorum: 0", "bad_value"),
        ("allow_self: sometimes", "wrong_type"),
        ("reviewers: []", "bad_value"),
        ("reviewers: {}", "bad_value"),
        ("reviewers: {users: []}", "bad_value"),
        ("reviewers: {people: [ann]}", "unknown_key"),
        ("reviewers: 5", "wrong_type"),
        ("reviewers: {users: ann}", "wrong_type"),
        ("reviewers: {roles: [\"${{ run.id }}\"]}", "bad_value"),
        ("reviewers: [ann, ann]", "bad_value"),
        ("reviewers: [ann, bob], required: 3", "bad_value"),
        ("reviewers: [ann, bob], reject_quorum: 3", "bad_value"),
        ("remind: [8h, 2h]", "bad_value"),
        ("remind: [2h, 2h]", "bad_value"),
        ("remind: 2h, timeout: 1h", "bad_value"),
        ("timeout: 12", "wrong_type"),
        ("on_timeout: reject", "missing_key"),
        ("timeout: 1h, on_timeout: approve", "bad_value"),
        ("timeout: 1h, on_timeout: escalate", "missing_key"),
        ("timeout: 1h, escalate_to: [ann]", "useless_key"),
        (
            "timeout: 1h, on_timeout: escalate, escalate_to: ann",
            "wrong_type",
        ),
        ("notify: ops", "wrong_type"),
        ("notify: [\"\"]", "bad_value"),
        ("notify: [ops, ops]", "bad_value"),
    ] {
        let ask = format!("steps: [{{id: a, approval: {{title: Go on?, {rules}}}}}]");
        assert_eq!(refused(&ask), expected, "{rules}");
        let code = format!("steps: [{{id: a, python: {{file: a.py}}, approve_code: {{{rules}}}}}]");
        assert_eq!(refused(&code), expected, "{rules}");
    }
    // Names that are only known later, roles and a way up may bring more people.
    for rules in [
        "reviewers: [\"${{ run.id }}\"], required: 3",
        "reviewers: {users: [ann], roles: [lead]}, required: 3",
        "reviewers: [ann], required: 2, timeout: 1h, on_timeout: escalate, escalate_to: [bob]",
        "remind: [1h, 3h], timeout: 2h, on_timeout: escalate, escalate_to: [bob]",
    ] {
        plan(&format!(
            "steps: [{{id: a, approval: {{title: Go on?, {rules}}}}}]"
        ));
    }
}

#[test]
fn which_answers_need_a_value_is_a_matter_of_forms() {
    for (field, expected) in [
        ("{type: string, required_on: [later]}", "bad_value"),
        ("{type: string, required_on: []}", "bad_value"),
        ("{type: string, required_on: reject}", "wrong_type"),
        (
            "{type: string, required: true, required_on: [reject]}",
            "conflicting_keys",
        ),
        (
            "{type: list, items: {x: {type: int, required_on: [reject]}}}",
            "useless_key",
        ),
    ] {
        let text = format!("steps: [{{id: a, approval: {{title: Go on?, form: {{f: {field}}}}}}}]");
        assert_eq!(refused(&text), expected, "{field}");
    }
    let input = format!("inputs: {{f: {{type: int, required_on: [approve]}}}}\n{ONE}");
    assert_eq!(refused(&input), "useless_key");
    let output =
        "steps: [{id: a, python: {file: a.py}, outputs: {f: {type: int, required_on: [approve]}}}]";
    assert_eq!(refused(output), "useless_key");
}

/// What `on_changes` of the approval `ask` is, in a file with these steps around it.
fn rewinds(before: &str, rest: &str) -> Option<String> {
    let plan = plan(&format!(
        "steps:\n{before}  - {{id: ask, approval: {{title: Go on?, {rest}}}}}\n"
    ));
    let StepKind::Approval(ask) = &step(&plan, "ask").kind else {
        panic!("no approval");
    };
    ask.on_changes.as_ref().map(ToString::to_string)
}

#[test]
fn changes_go_back_to_a_step_that_the_question_waits_for() {
    const CHAIN: &str = "  - {id: a, set: {x: 1}}\n  - {id: b, set: {x: 1}}\n";
    assert_eq!(rewinds(CHAIN, "on_changes: b"), Some("b".to_owned()));
    assert_eq!(
        rewinds(CHAIN, "on_changes: a, max_changes: 2"),
        Some("a".to_owned())
    );
    assert_eq!(rewinds(CHAIN, "required: 1"), None);
    // Through a step inside of another.
    let inside = "  - {id: a, set: {x: 1}}
  - id: s
    needs: []
    switch:
      - name: one
        else: true
        steps: [{id: inner, set: {x: \"${{ steps.a.outputs.x }}\"}}]
";
    assert_eq!(rewinds(inside, "on_changes: a"), Some("a".to_owned()));
    let nested = plan(
        "steps:
  - id: s
    switch:
      - name: one
        else: true
        steps:
          - {id: a, set: {x: 1}}
          - {id: ask, approval: {title: Go on?, on_changes: a}}
",
    );
    let StepKind::Approval(ask) = &step(&nested, "ask").kind else {
        panic!("no approval");
    };
    assert_eq!(ask.on_changes.as_ref().unwrap().as_str(), "s.a");
}

#[test]
fn changes_go_back_nowhere_else() {
    for (rest, expected) in [
        ("on_changes: b", "unknown_step"),
        ("on_changes: ask", "rewind_target"),
        ("on_changes: later", "rewind_target"),
        ("on_changes: inner", "rewind_target"),
        ("on_changes: aside", "rewind_target"),
        ("on_changes: [a]", "wrong_type"),
        ("on_changes: a, max_changes: 0", "bad_value"),
        ("max_changes: 3", "useless_key"),
    ] {
        let text = format!(
            "steps:
  - {{id: aside, set: {{x: 1}}}}
  - {{id: a, needs: [], set: {{x: 1}}}}
  - id: s
    switch: [{{name: one, else: true, steps: [{{id: inner, set: {{x: 1}}}}]}}]
  - {{id: ask, approval: {{title: Go on?, {rest}}}}}
  - {{id: later, set: {{x: 1}}}}
"
        );
        assert_eq!(refused(&text), expected, "{rest}");
    }
}

#[test]
fn rule_27_a_path_leaves_the_folder_only_where_that_is_allowed() {
    let plan = plan(
        "defaults: {python: {requirements: ../requirements.txt, allow_outside: true}}
steps:
  - {id: b, python: {file: x/../../../shared/b.py, allow_outside: true}}
  - {id: c, python: {file: /opt/./c.py, allow_outside: true}}
  - {id: d, python: {file: linked_out.py, allow_outside: true}}
  - {id: e, python: {file: ./a.py, allow_outside: true}}
",
    );
    let digest = |id: &str| step(&plan, id).kind.as_python().unwrap().code().unwrap();
    let bytes = |text: &str| stepwell::id::Digest::of(text.as_bytes());
    assert_eq!(digest("b"), bytes("'../../shared/b.py'\n"));
    assert_eq!(digest("c"), bytes("'/opt/c.py'\n"));
    assert_eq!(digest("d"), bytes("'linked_out.py'\n"));
    assert_eq!(digest("e"), bytes("results = {'x': 1}\n"));
    let python = step(&plan, "b").kind.as_python().unwrap();
    assert_eq!(python.requirements, Some(bytes("numpy\n")));
    for (python, expected) in [
        ("file: ../../shared/b.py", "file_outside"),
        (
            "file: ../../shared/b.py, allow_outside: false",
            "file_outside",
        ),
        ("file: linked_out.py", "file_outside"),
        ("file: ../missing.py, allow_outside: true", "bad_file"),
        ("code: x = 1, allow_outside: true", "useless_key"),
        ("file: a.py, allow_outside: please", "wrong_type"),
        (
            "code: x = 1, requirements: ../requirements.txt",
            "file_outside",
        ),
    ] {
        let text = format!("steps: [{{id: a, python: {{{python}}}}}]");
        assert_eq!(refused(&text), expected, "{python}");
    }
}

#[test]
fn files_outside_are_read_from_the_disk_where_that_is_allowed() {
    let place = Place::new();
    place.write("shared.py", "results = {'n': 41 + 1}\n");
    let python = |more: &str| {
        format!(
            "version: 1\nname: w\nsteps: [{{id: a, python: {{file: ../shared.py{more}}}}}]\noutputs: {{n: \"${{{{ steps.a.outputs.n }}}}\"}}\n"
        )
    };
    place.write("flows/w.yml", &python(""));
    let said = place.run(&["validate", "flows/w.yml"]);
    assert!(said.err.contains("error[file_outside]"), "{said:?}");
    place.write("flows/w.yml", &python(", allow_outside: true"));
    let done = place.json(0, &["run", "flows/w.yml"]);
    assert_eq!(done["outputs"], json!({"n": 42}));
}
