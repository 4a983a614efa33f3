//! Compiling and analysing: what touches no disk.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use stepwell::python::analysis::{RuleSet, analyze};
use stepwell::workflow::{CompileOptions, NoSources};

use crate::rig;
use crate::samples::Samples;
use crate::table::{Bar, Table};

const ROUNDS: usize = 20;

pub(crate) fn compile(table: &mut Table) {
    let (small, large) = (rig::chain(200), rig::chain(2_000));
    let (mut small_us, mut large_us) = <(Samples, Samples)>::default();
    let mut ratios = Samples::default();
    for _ in 0..ROUNDS {
        let one = compile_micros(&small);
        let other = compile_micros(&large);
        small_us.push(one / 200.0);
        large_us.push(other / 2_000.0);
        ratios.push((other / 2_000.0) / (one / 200.0));
    }
    table.ratio(
        "compile, for each step: of 2,000 beside of 200 (1 × = linear)",
        (&large_us, &small_us, "µs"),
        &ratios,
        Some(Bar::AtMost(1.5)),
    );
}

fn compile_micros(text: &str) -> f64 {
    let begun = Instant::now();
    let made = stepwell::workflow::compile(
        "bench.yml",
        text.as_bytes(),
        &NoSources,
        &CompileOptions::default(),
    );
    let took = begun.elapsed().as_secs_f64() * 1e6;
    assert!(made.plan.is_some(), "{:#?}", made.diagnostics);
    took
}

pub(crate) fn analysis(table: &mut Table) {
    let code = python(2_000);
    let rules = RuleSet::default();
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let report = black_box(analyze(black_box(&code), &rules));
        samples.push_millis(begun.elapsed() / 2);
        assert!(report.assigns_results);
        assert!(report.writes, "{report:#?}");
    }
    table.alone(
        "analysis of Python, for 1,000 lines (of a file of 2,000)",
        &samples,
        "ms",
        Some(Bar::AtMost(2.0)),
    );
}

/// A program as analysts write them, with that many lines or a few more.
fn python(lines: usize) -> String {
    let mut text = String::from(
        "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt\nfrom epics import caput\n\n",
    );
    let mut block = 0;
    while text.lines().count() < lines - 3 {
        block += 1;
        write!(
            text,
            "def reduce_{block}(frame, window={block}):
    \"\"\"Smooths one block of readings, without eval() or caput().\"\"\"
    kept = frame[frame['current'] > 0.1 * window]
    if kept.empty:
        return None
    values = [float(value) for value in kept['current'].rolling(window).mean()]
    table = {{'mean': np.mean(values), 'spread': np.std(values), 'n': len(values)}}
    figure, axes = plt.subplots()
    axes.plot(kept['time'], values, label=f'block {{window}} of {block}')
    axes.legend()
    return table


"
        )
        .unwrap();
    }
    text.push_str(
        "caput('BPM:01:X', 1.0)\nresults = {'blocks': reduce_1(pd.read_csv('data.csv'))}\n",
    );
    text
}
