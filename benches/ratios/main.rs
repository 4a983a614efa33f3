//! What the engine costs, beside the limit of the same machine in the same run: `cargo bench`.
//!
//! Words after `--` choose cases: `cargo bench -- disk chain`. docs/benchmarks.md says what each row means.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bench measures on the machine of whoever reads it, and may stop at the first surprise"
)]

mod chain;
mod disk;
mod growth;
mod history;
mod machine;
mod many;
mod program;
mod pure;
mod python;
mod rig;
mod runs;
mod samples;
mod table;

use table::Table;

/// A case: its name for the command line, and what measures it.
type Case = (&'static str, fn(&mut Table));

/// In this order: what is disturbed by a warm machine comes first.
const CASES: [Case; 10] = [
    ("program", program::measure),
    ("disk", disk::measure),
    ("chain", chain::measure),
    ("many", many::measure),
    ("python", python::measure),
    ("compile", pure::compile),
    ("growth", growth::measure),
    ("replay", history::measure),
    ("analysis", pure::analysis),
    ("store", runs::measure),
];

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    if let Some(unknown) = chosen
        .iter()
        .find(|word| CASES.iter().all(|(name, _)| name != word))
    {
        let names: Vec<&str> = CASES.iter().map(|(name, _)| *name).collect();
        panic!(
            "there is no case `{unknown}`; there are: {}",
            names.join(", ")
        );
    }
    println!("{}", machine::facts());
    let mut table = Table::default();
    for (name, measure) in CASES {
        if chosen.is_empty() || chosen.iter().any(|word| word == name) {
            let load = machine::load();
            measure(&mut table);
            println!("{name}: load {load} before, {} after", machine::load());
        }
    }
    println!("\n{table}");
    rig::tidy_up();
}
