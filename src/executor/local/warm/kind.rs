//! Which steps can share a parent, and which ones start fresh whatever is there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::executor::Job;
use crate::id::Digest;
use crate::plan::Mode;

/// What distinguishes parents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::executor::local) struct Kind {
    pub environment: Digest,
    pub interpreter: PathBuf,
    pub mode: Mode,
    /// Modules that are imported before anything is forked, sorted.
    pub modules: Vec<String>,
}

/// Packages that take long to import, start no thread by that, and are whole after a fork. Everything else is
/// imported by the step itself. None of them talks to a control system or holds a device.
const PACKAGES: [&str; 4] = ["numpy", "pandas", "scipy", "matplotlib"];
/// What the drawing of a figure imports in the end.
const FIGURES: [&str; 2] = ["matplotlib.pyplot", "matplotlib.backends.backend_agg"];
/// Most modules of one parent.
const MODULES_MAX: usize = 24;
/// Variables that the interpreter or libraries read before the code runs; a parent has read its own.
const READ_EARLY: [&str; 16] = [
    "PYTHON",
    "LD_",
    "LC_",
    "LANG",
    "TZ",
    "MPL",
    "MATPLOTLIB",
    "OMP_",
    "OPENBLAS_",
    "GOTO_",
    "MKL_",
    "BLIS_",
    "NUMEXPR_",
    "VECLIB_",
    "MALLOC_",
    "NPY_",
];

impl Kind {
    /// The kind of an attempt; or why it starts fresh, whatever parents there are.
    pub(in crate::executor::local) fn of(job: &Job) -> Result<Self, String> {
        if let Some(reason) = unfit(job) {
            return Err(reason);
        }
        Ok(Self {
            environment: job.environment.digest,
            interpreter: job.environment.interpreter.clone(),
            mode: job.mode,
            modules: modules(&job.code),
        })
    }
}

fn unfit(job: &Job) -> Option<String> {
    if !job.secrets.is_empty() {
        return Some("it has secrets, which only a new process of its own gets".to_owned());
    }
    let early = job
        .env
        .keys()
        .find(|name| READ_EARLY.iter().any(|prefix| name.starts_with(prefix)));
    if let Some(name) = early {
        return Some(format!(
            "its variable {name} is read before the code runs, and a warm interpreter has read its own"
        ));
    }
    if job.folder.to_str().is_none() {
        return Some("the path of its folder is no UTF-8".to_owned());
    }
    None
}

/// What the code imports of what is known. It is a guess by the look of the lines: what is missed is imported by the
/// code itself, and what is too much costs memory.
fn modules(code: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    for line in code.lines() {
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix("import ") {
            for part in rest.split([',', ';']) {
                add(part, &mut found);
            }
        } else if let Some(rest) = line.strip_prefix("from ") {
            add(rest, &mut found);
            if rest.starts_with("matplotlib import") && rest.contains("pyplot") {
                add(FIGURES[0], &mut found);
            }
        }
    }
    found.into_iter().take(MODULES_MAX).collect()
}

fn add(text: &str, found: &mut BTreeSet<String>) {
    let Some(name) = text.split_whitespace().next() else {
        return;
    };
    let plain = name.split('.').all(|part| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    let top = name.split('.').next().unwrap_or_default();
    if !plain || !PACKAGES.contains(&top) {
        return;
    }
    found.insert(name.to_owned());
    if name == FIGURES[0] {
        found.extend(FIGURES.map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_imported_before_a_fork_is_what_the_code_names_of_what_is_known() {
        let code = "import os, numpy as np; import pandas\nfrom scipy.optimize import curve_fit\n\
                    if x:\n    from matplotlib import pyplot as plt\nimport torch\n\
                    text = 'import scipy.stats'\nimport numpy.\nimport epics\n";
        assert_eq!(
            modules(code),
            [
                "matplotlib",
                "matplotlib.backends.backend_agg",
                "matplotlib.pyplot",
                "numpy",
                "scipy.optimize"
            ]
        );
        assert!(modules("results = 1\n").is_empty());
    }
}
