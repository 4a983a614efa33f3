//! What people write who come from other tools, and what they mean here.

/// Keys: the map that they stand in, the key, what to write instead.
const KEYS: [(&str, &str, &str); 23] = [
    (
        WORKFLOW,
        "on",
        "a run begins with `stepwell run`, or by itself under `schedules:`",
    ),
    (WORKFLOW, "jobs", "there is one list of steps: `steps:`"),
    (WORKFLOW, "tasks", "there is one list of steps: `steps:`"),
    (WORKFLOW, "stages", "there is one list of steps: `steps:`"),
    (WORKFLOW, "env", "variables belong to a step: its `env`"),
    (
        WORKFLOW,
        "params",
        "what a run is given stands under `inputs:`",
    ),
    (STEP, "run", PYTHON_FILE),
    (STEP, "uses", PYTHON_FILE),
    (STEP, "script", PYTHON_FILE),
    (STEP, "code", "indent it below `python:`"),
    (STEP, "file", "indent it below `python:`"),
    (
        STEP,
        "mode",
        "it belongs to `python:`: `python: {file: …, mode: read_only}`",
    ),
    (
        STEP,
        "packages",
        "it belongs to `python:`: `python: {file: …, packages: [numpy]}`",
    ),
    (RETRY, "on_unknown", "it stands in the step, beside `retry`"),
    (
        APPROVAL,
        "deadline",
        "it stands in the step, beside `approval`; `timeout` is the time to answer",
    ),
    (
        APPROVAL,
        "release_on_wait",
        "it stands in the step, beside `locks`",
    ),
    (
        SCHEDULE,
        "inputs",
        "what the runs are given stands under `with:`",
    ),
    (STEP, "when", "write `if: ${{ … }}`"),
    (STEP, "depends_on", "write `needs: [step]`"),
    (STEP, "continue-on-error", "write `on_failure: continue`"),
    (STEP, "timeout-minutes", "write the unit: `timeout: 5m`"),
    (STEP, "inputs", "what the code sees stands under `with:`"),
    (
        PYTHON,
        "script",
        "write `file: stages/load.py`, or `code: |` and the code below it",
    ),
];

/// Maps that something else was written for, and how they are written.
const MAPS: [(&str, &str); 19] = [
    (
        WORKFLOW,
        "a workflow file begins with `version: 1` and `name: …`",
    ),
    (
        STEP,
        "write `- id: load` and the other keys of the step below `id`",
    ),
    (
        PYTHON,
        "write `python: {file: stages/load.py}`, or `code: |` below `python:`",
    ),
    (RETRY, "write `retry: {max_attempts: 3}`"),
    (CONCURRENCY, "write `concurrency: {group: orbit, limit: 1}`"),
    (SECRET, "write `archiver: {env: ARCHIVER_TOKEN}`"),
    (
        SCHEDULE,
        "write `- {id: nightly, cron: \"30 2 * * *\", timezone: Europe/Berlin}`",
    ),
    (CACHE, "write `cache: true` or `cache: {ttl: 7d}`"),
    (APPROVAL, "write `approval: {title: …}`"),
    ("`approve_code`", "write `approve_code: true`"),
    (
        "`foreach`",
        "write `foreach: {items: ${{ … }}, steps: […]}`, in block style",
    ),
    (
        "`until`",
        "write `until:`, and below it `condition`, `max` and `steps`",
    ),
    ("`wait`", "write `wait: {duration: 5m}`"),
    ("`http`", "write `http: {url: https://…}`"),
    (
        "`notify`",
        "write `notify: channel` and `text: …` beside it",
    ),
    ("`workflow`", "write `workflow: child.yml`"),
    ("`notebook`", "write `notebook: {merge: [load, analyse]}`"),
    (
        "a branch of `parallel`",
        "write `- name: left` and `steps:` below it",
    ),
    (
        "`handlers`",
        "write the kind of the handler and its list of steps: `failure: […]`",
    ),
];

const WORKFLOW: &str = "a workflow";
const STEP: &str = "a step";
const PYTHON: &str = "`python`";
const RETRY: &str = "`retry`";
const APPROVAL: &str = "`approval`";
const CONCURRENCY: &str = "`concurrency`";
const SECRET: &str = "a secret";
const SCHEDULE: &str = "a schedule";
const CACHE: &str = "`cache`";
const PYTHON_FILE: &str = "a step runs Python: `python: {file: stages/load.py}`";

/// What to write instead of a key that another tool has.
pub(super) fn instead_of_key(what: &str, key: &str) -> Option<&'static str> {
    KEYS.iter()
        .find(|(map, habit, _)| *map == what && *habit == key)
        .map(|(_, _, advice)| *advice)
}

/// How a map is written, for those who wrote text, a list or nothing.
pub(super) fn shape(what: &str) -> Option<&'static str> {
    MAPS.iter()
        .find(|(map, _)| *map == what)
        .map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::keys;

    #[test]
    fn every_row_is_about_a_map_that_exists_and_a_key_that_does_not() {
        let tables = [
            &keys::WORKFLOW,
            &keys::STEP,
            &keys::PYTHON,
            &keys::RETRY,
            &keys::APPROVAL,
            &keys::APPROVE_CODE,
            &keys::FOREACH,
            &keys::UNTIL,
            &keys::WAIT,
            &keys::HTTP,
            &keys::NOTIFY,
            &keys::CHILD,
            &keys::NOTEBOOK,
            &keys::BRANCH,
            &keys::HANDLERS,
            &keys::CONCURRENCY,
            &keys::SECRET,
            &keys::SCHEDULE,
            &keys::CACHE,
        ];
        for (what, key, _) in KEYS {
            let table = tables.iter().find(|table| table.what == what).unwrap();
            assert!(!table.now.contains(&key), "{what} has `{key}`");
            assert!(!table.later.contains(&key), "{what} will have `{key}`");
        }
        for (what, _) in MAPS {
            assert!(tables.iter().any(|table| table.what == what), "{what}");
        }
    }
}
