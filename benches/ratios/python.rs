//! One Python step, cold: a fresh interpreter, with everything that a step leaves.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tokio::runtime::Runtime;

use crate::rig::{self, Rig, Workflow};
use crate::samples::Samples;
use crate::table::Table;

/// Most that a step may cost beyond the bare interpreter, in milliseconds.
const MORE_MS: f64 = 30.0;

const PASS: &str = "pass\n";
/// What both do; then ours leaves the figure open and the bare one writes it itself.
const SCIENCE: &str = "import numpy as np
import pandas as pd
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt
frame = pd.DataFrame({'x': np.arange(1000), 'y': np.random.default_rng(1).normal(size=1000)})
figure, axes = plt.subplots()
axes.plot(frame['x'], frame['y'].rolling(20).mean())
mean = float(frame['y'].mean())
";

pub(crate) fn measure(table: &mut Table) {
    let runtime = rig::runtime();
    let python = interpreter(Path::new("python3"));
    let case = Case {
        ours: PASS.to_owned(),
        bare: PASS.to_owned(),
        rounds: 25,
    };
    beside(
        table,
        "a cold Python step, `pass`",
        &runtime,
        (&python, &case),
    );
    let Some(python) = std::env::var_os("STEPWELL_TEST_PYTHON") else {
        println!("python: no STEPWELL_TEST_PYTHON, so no step with numpy, pandas and matplotlib");
        return;
    };
    let case = Case {
        ours: format!("{SCIENCE}results = {{'mean': mean}}\n"),
        bare: format!("{SCIENCE}figure.savefig('figure.png')\nprint(mean)\n"),
        rounds: 5,
    };
    let what = "a cold Python step, numpy + pandas + pyplot + one PNG";
    beside(table, what, &runtime, (Path::new(&python), &case));
}

struct Case {
    ours: String,
    bare: String,
    rounds: usize,
}

fn beside(table: &mut Table, what: &str, runtime: &Runtime, (python, case): (&Path, &Case)) {
    let rig = Rig::new(Some(python.to_owned()));
    let workflow = Workflow::of(&one_step(&case.ours));
    let script = rig.data.path().join("script.py");
    std::fs::write(&script, &case.bare).unwrap();
    let (mut ours, mut bare) = <(Samples, Samples)>::default();
    // The first round fills the caches of the disk, of Python and of matplotlib, and is not counted.
    for round in 0..=case.rounds {
        let limit = time_bare(python, &script);
        let begun = Instant::now();
        let state = runtime.block_on(async {
            let run = rig.create(&workflow).await;
            rig.drive(run).await
        });
        let took = begun.elapsed();
        let folder = rig.engine.folder(&state).path();
        assert!(folder.join("work/1/notebook.ipynb").is_file());
        assert!(folder.join("run.ipynb").is_file());
        if round > 0 {
            ours.push_millis(took);
            bare.push_millis(limit);
        }
    }
    table.difference(what, (&ours, &bare, "ms"), MORE_MS);
}

fn time_bare(python: &Path, script: &Path) -> std::time::Duration {
    let begun = Instant::now();
    let output = Command::new(python)
        .arg(script)
        .current_dir(script.parent().unwrap())
        .output()
        .unwrap();
    let took = begun.elapsed();
    assert!(output.status.success(), "{output:?}");
    took
}

/// The interpreter itself: what is on the path may be a script that looks for it.
fn interpreter(name: &Path) -> PathBuf {
    let output = Command::new(name)
        .args(["-c", "import sys; print(sys.executable, end='')"])
        .output()
        .unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap())
}

fn one_step(code: &str) -> String {
    let code = code.replace('\n', "\n      ");
    format!(
        "version: 1\nname: step\nsteps:\n  - id: work\n    python:\n     code: |\n      {code}\n"
    )
}
