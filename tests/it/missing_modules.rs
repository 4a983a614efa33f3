//! Modules that the environment does not have: said before a person is asked, and never by importing them.

use serde_json::Value;

use crate::cli_rig::Place;

/// A place with a module that leaves a trace when it is imported; none without a Python.
fn place() -> Option<Place> {
    if std::env::var_os("STEPWELL_TEST_PYTHON").is_none() {
        assert!(std::env::var_os("CI").is_none(), "there is no Python");
        eprintln!("passed over: there is no Python for tests");
        return None;
    }
    let place = Place::new();
    let trace = place.path("imported").display().to_string();
    // An interpreter that is started with the folder on its path imports the latter two by itself.
    for name in ["far_away", "sitecustomize", "usercustomize"] {
        place.write(
            &format!("libraries/{name}.py"),
            &format!("open({trace:?}, 'w').write('x')\n"),
        );
    }
    Some(place)
}

fn failure(run: &Value) -> &Value {
    &run["failure"]["failure"]
}

#[test]
fn nobody_is_asked_about_code_that_can_not_run() {
    let Some(place) = place() else { return };
    let code = "import json\nimport no_such_thing.deep as deep, nor_this\nresults = {'n': 1}";
    place.python("ramp", "", code);
    for mode in ["write_access", "read_only"] {
        let run = place.json(1, &["run", "ramp.yml", "--mode", mode]);
        let failure = failure(&run);
        assert_eq!(
            (&failure["code"], &failure["kind"]),
            (&"module_missing".into(), &"code".into())
        );
        let message = failure["message"].as_str().unwrap();
        assert!(
            message.contains("Line 2: The module `no_such_thing` is not in the environment"),
            "{message}"
        );
        let hint = failure["hint"].as_str().unwrap();
        assert!(
            hint.contains(
                "the package that has `no_such_thing`, `nor_this` to the step's `packages`"
            ),
            "{hint}"
        );
        assert_eq!(
            run["steps"]["work"]["attempts"],
            Value::Array(Vec::new()),
            "nothing began"
        );
    }
    assert_eq!(place.text(0, &["approvals"]), "no open questions\n");
    assert_eq!(place.text(0, &["refusals"]), "nothing was refused\n");
    // Somebody puts it beside the workflow: the run goes on as it would have.
    place.write("no_such_thing/deep.py", "");
    place.write("nor_this.py", "");
    place.json(0, &["retry", "@last", "--yes"]);
}

#[test]
fn imports_that_may_be_meant_to_fail_are_a_note() {
    let Some(place) = place() else { return };
    let code = "try:\n    import no_such_thing\nexcept ImportError:\n    no_such_thing = None\n\
                def later():\n    import nor_this\nresults = {'n': 1}";
    place.python("careful", "", code);
    place.json(0, &["run", "careful.yml"]);
    place.json(3, &["run", "careful.yml", "--mode", "write_access"]);
    let shown = place.text(0, &["approvals"]);
    assert!(
        shown.contains("`no_such_thing` is not in the environment; it is imported only where"),
        "{shown}"
    );
    // Code that looks for modules elsewhere knows better.
    let elsewhere = "import sys\nsys.path.append(sys.argv[0] + '/nowhere')\nimport no_such_thing\nresults = {'n': 1}";
    place.python("elsewhere", "", elsewhere);
    place.json(3, &["run", "elsewhere.yml", "--mode", "write_access"]);
}

#[test]
fn a_module_that_the_code_writes_itself_is_missing_wherever_it_is_imported() {
    let Some(place) = place() else { return };
    let written = "import pathlib\npathlib.Path('evil.py').write_text(\"import subprocess; out = subprocess.run(['id'])\")\n";
    for (name, import) in [
        (
            "tried",
            "try:\n    import evil\nexcept ImportError:\n    raise\n",
        ),
        ("inner", "def work():\n    import evil\nwork()\n"),
        (
            "computed",
            "import importlib\nimportlib.import_module('evil')\n",
        ),
    ] {
        place.python(name, "", &format!("{written}{import}results = {{'n': 1}}"));
        let run = place.json(1, &["run", &format!("{name}.yml")]);
        assert_eq!(failure(&run)["code"], "module_missing", "{run}");
        let shown = place.json(0, &["show", "@last"]).to_string();
        assert!(
            shown.contains("The module `evil` is not in the environment; it is imported only"),
            "{shown}"
        );
    }
}

#[test]
fn a_module_is_found_on_the_path_of_the_step_and_not_imported_for_that() {
    let Some(place) = place() else { return };
    let libraries = place.path("libraries").display().to_string();
    let env = format!("    env: {{PYTHONPATH: {libraries:?}}}\n");
    place.python("far", &env, "import far_away\nresults = {'n': 1}");
    place.json(3, &["run", "far.yml", "--mode", "write_access"]);
    assert!(
        !place.path("imported").exists(),
        "to look for it is not to run it"
    );
    // Where a folder is meant from is not known before the code runs: then nothing is said to be missing.
    let env = "    env: {PYTHONPATH: libraries}\n";
    place.python("far", env, "import far_away\nresults = {'n': 1}");
    place.json(3, &["run", "far.yml", "--mode", "write_access"]);
    place.python("far", "", "import far_away\nresults = {'n': 1}");
    let run = place.json(1, &["run", "far.yml", "--mode", "write_access"]);
    assert_eq!(
        failure(&run)["code"],
        "module_missing",
        "what was found on a path is not remembered"
    );
    // What was found is remembered, and what was not is looked for again.
    place.python("near", "", "import colorsys\nresults = {'n': 1}");
    place.json(0, &["run", "near.yml"]);
    let known = std::fs::read_to_string(place.path("data/envs/modules.json")).unwrap();
    assert!(
        known.contains("colorsys") && !known.contains("far_away"),
        "{known}"
    );
}

#[test]
fn a_generator_is_told_what_is_missing_and_writes_the_code_anew() {
    let Some(place) = place() else { return };
    place.write(
        "answers.md",
        "## 1\n\n```python\nimport no_such_thing\nresults = {\"n\": 1}\n```\n\n## 2\n\n```python\nresults = {\"n\": 2}\n```\n",
    );
    place.write(
        "config.yml",
        "generators: {recorded: {provider: scripted, file: answers.md}}\ndefault_generator: recorded\n",
    );
    place.write(
        "task.yml",
        "version: 1\nname: task\nsteps:\n  - id: fit\n    python: {task: Compute n}\n    outputs: {n: int}\noutputs: {n: \"${{ steps.fit.outputs.n }}\"}\n",
    );
    let run = place.json(0, &["run", "task.yml"]);
    assert_eq!(run["outputs"]["n"], 2, "{run}");
    let written = run["steps"]["fit"]["generations"].to_string();
    assert!(written.contains("findings"), "{written}");
}
