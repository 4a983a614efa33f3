//! Python steps, fresh and forked from warm interpreters, with everything that a step leaves, beside bare Python.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::rig::{self, Rig, Workflow};
use crate::samples::Samples;
use crate::table::{Bar, Table};

/// Most that a fresh step may cost beyond the bare interpreter, in milliseconds.
const MORE_MS: f64 = 30.0;

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

const FIBONACCI: &str = "def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
";

pub(crate) fn measure(table: &mut Table) {
    let runtime = rig::runtime();
    let python = interpreter(Path::new("python3"));
    let pass = Case {
        ours: vec!["pass\n".to_owned()],
        bare: vec!["-c".to_owned(), "pass".to_owned()],
        rounds: 25,
    };
    let what = "a fresh Python step, `pass`";
    fresh(table, what, &runtime, (&python, &pass));
    let what = "a warm Python step, `pass`, beside `python -c pass`";
    warm(table, what, &runtime, (&python, &pass), Some(1.0));
    let chain = Case::script(40, &format!("{FIBONACCI}results = fibonacci(10)\n"), 7);
    let what = "a chain of 40 warm Python steps, fibonacci(10)";
    warm(table, what, &runtime, (&python, &chain), Some(0.5));
    let heavy = Case::script(10, &format!("{FIBONACCI}results = fibonacci(33)\n"), 2);
    let what = "a chain of 10 warm Python steps, fibonacci(33)";
    warm(table, what, &runtime, (&python, &heavy), None);
    let Some(python) = std::env::var_os("STEPWELL_TEST_PYTHON") else {
        println!("python: no STEPWELL_TEST_PYTHON, so no step with numpy, pandas and matplotlib");
        return;
    };
    let case = Case {
        ours: vec![format!("{SCIENCE}results = {{'mean': mean}}\n")],
        bare: vec![format!(
            "{SCIENCE}figure.savefig('figure.png')\nprint(mean)\n"
        )],
        rounds: 7,
    };
    let python = Path::new(&python);
    let what = "a fresh Python step, numpy + pandas + pyplot + one PNG";
    fresh(table, what, &runtime, (python, &case));
    let what = "a warm Python step, numpy + pandas + pyplot + one PNG";
    warm(table, what, &runtime, (python, &case), Some(0.25));
}

struct Case {
    /// The code of each step; they run one after another.
    ours: Vec<String>,
    /// A script for as many bare interpreters; or their arguments.
    bare: Vec<String>,
    rounds: usize,
}

impl Case {
    fn script(steps: usize, code: &str, rounds: usize) -> Self {
        Self {
            ours: vec![code.to_owned(); steps],
            bare: vec![code.to_owned()],
            rounds,
        }
    }
}

fn fresh(table: &mut Table, what: &str, runtime: &Runtime, (python, case): (&Path, &Case)) {
    let rig = Rig::new(Some(python.to_owned()));
    let (ours, bare, _) = beside(&rig, runtime, (python, case));
    table.difference(what, (&ours, &bare, "ms"), MORE_MS);
}

fn warm(
    table: &mut Table,
    what: &str,
    runtime: &Runtime,
    (python, case): (&Path, &Case),
    bar: Option<f64>,
) {
    let rig = Rig::warm(python.to_owned());
    let (ours, bare, ratios) = beside(&rig, runtime, (python, case));
    table.ratio(what, (&ours, &bare, "ms"), &ratios, bar.map(Bar::AtMost));
}

/// A run of ours beside bare interpreters, round by round.
fn beside(
    rig: &Rig,
    runtime: &Runtime,
    (python, case): (&Path, &Case),
) -> (Samples, Samples, Samples) {
    let workflow = Workflow::of(&chain(&case.ours));
    let script = rig.data.path().join("script.py");
    let mut args = case.bare.clone();
    if let [code] = case.bare.as_slice() {
        std::fs::write(&script, code).unwrap();
        args = vec![script.to_string_lossy().into_owned()];
    }
    let (mut ours, mut bare, mut ratios) = <(Samples, Samples, Samples)>::default();
    // The first round fills the caches of the disk, of Python and of matplotlib, and is not counted.
    for round in 0..=case.rounds {
        let limit = time_bare(python, &args, (rig.data.path(), case.ours.len()));
        let begun = Instant::now();
        let state = runtime.block_on(async {
            let run = rig.create(&workflow).await;
            rig.drive(run).await
        });
        let took = begun.elapsed();
        let folder = rig.engine.folder(&state).path();
        assert!(folder.join("s1/1/notebook.ipynb").is_file());
        assert!(folder.join("run.ipynb").is_file());
        if round > 0 {
            ours.push_millis(took);
            bare.push_millis(limit);
            ratios.push(took.as_secs_f64() / limit.as_secs_f64());
        }
    }
    (ours, bare, ratios)
}

fn time_bare(python: &Path, args: &[String], (folder, times): (&Path, usize)) -> Duration {
    let begun = Instant::now();
    for _ in 0..times {
        let output = Command::new(python)
            .args(args)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    begun.elapsed()
}

/// The interpreter itself: what is on the path may be a script that looks for it.
fn interpreter(name: &Path) -> PathBuf {
    let output = Command::new(name)
        .args(["-c", "import sys; print(sys.executable, end='')"])
        .output()
        .unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap())
}

/// Steps one after another.
fn chain(codes: &[String]) -> String {
    let mut text = String::from("version: 1\nname: bench\nsteps:\n");
    for (number, code) in (1..).zip(codes) {
        let code = code.replace('\n', "\n      ");
        writeln!(text, "  - id: s{number}").unwrap();
        if number > 1 {
            writeln!(text, "    needs: [s{}]", number - 1).unwrap();
        }
        writeln!(text, "    python:\n     code: |\n      {code}").unwrap();
    }
    text
}
