//! One run, one durable step after another.

use std::time::Instant;

use stepwell::run::{Event, Recorded};

use crate::disk::{Growing, Preallocated, SYNCS, one};
use crate::rig::{self, Rig, Workflow};
use crate::samples::Samples;
use crate::table::{Bar, Table};

const STEPS: usize = 1_000;
const ROUNDS: usize = 5;

pub(crate) fn measure(table: &mut Table) {
    let runtime = rig::runtime();
    let rig = Rig::new(None);
    let workflow = Workflow::of(&rig::chain(STEPS));
    let mut growing = Growing::new(rig.data.path());
    let mut prealloc = Preallocated::new(rig.data.path());
    let mut sums = Sums::default();
    for _ in 0..ROUNDS {
        let mut grown = growing.syncs(SYNCS / 2);
        let mut filled = prealloc.syncs(SYNCS / 2);
        let run = runtime.block_on(rig.create(&workflow));
        let before = rig.syncs.so_far();
        let begun = Instant::now();
        runtime.block_on(rig.drive(run));
        let mean = begun.elapsed().as_secs_f64() * 1e6 / STEPS as f64;
        let after = rig.syncs.so_far();
        filled.extend(&prealloc.syncs(SYNCS / 2));
        grown.extend(&growing.syncs(SYNCS / 2));
        let records = runtime
            .block_on(rig.engine.records(run, 1, 10 * STEPS))
            .unwrap();
        let events = records
            .iter()
            .map(|record| Recorded::from_record(record).unwrap());
        sums.round(&between_steps(events), mean, (&grown, &filled));
        sums.syncs.push((after.0 - before.0) as f64 / STEPS as f64);
        sums.syncing.push((after.1 - before.1) / STEPS as f64);
    }
    sums.print(table);
}

/// Microseconds from the end of each step to the end of the next, by the times in the log.
fn between_steps(events: impl Iterator<Item = Recorded>) -> Samples {
    let ends: Vec<i64> = events
        .filter(|recorded| matches!(recorded.event, Event::StepSucceeded(_)))
        .map(|recorded| recorded.time.as_micros())
        .collect();
    assert_eq!(ends.len(), STEPS);
    let mut samples = Samples::default();
    for pair in ends.windows(2) {
        samples.push((pair[1] - pair[0]) as f64);
    }
    samples
}

#[derive(Default)]
struct Sums {
    steps: Samples,
    means: Samples,
    syncs: Samples,
    syncing: Samples,
    grown: Samples,
    grown_means: Samples,
    filled: Samples,
    over_grown: Samples,
    means_over_grown: Samples,
    over_filled: Samples,
}

impl Sums {
    fn round(&mut self, steps: &Samples, mean: f64, (grown, filled): (&Samples, &Samples)) {
        self.steps.push(steps.median());
        self.means.push(mean);
        self.grown.push(grown.median());
        self.grown_means.push(grown.mean());
        self.filled.push(filled.median());
        self.over_grown.push(steps.median() / grown.median());
        self.means_over_grown.push(mean / grown.mean());
        self.over_filled.push(steps.median() / filled.median());
    }

    fn print(&self, table: &mut Table) {
        table.ratio(
            "a `set` step in a chain of 1,000, p50 beside fdatasync p50 (growing file)",
            (&self.steps, &self.grown, "µs"),
            &self.over_grown,
            Some(Bar::AtMost(1.5)),
        );
        table.ratio(
            "the same, beside fdatasync p50 (preallocated file)",
            (&self.steps, &self.filled, "µs"),
            &self.over_filled,
            None,
        );
        table.ratio(
            "the same, mean of the whole run beside mean fdatasync (growing file)",
            (&self.means, &self.grown_means, "µs"),
            &self.means_over_grown,
            None,
        );
        let exact = one((self.syncs.median() * 100.0).round() / 100.0);
        table.alone("syncs for each step", &exact, "", Some(Bar::AtMost(1.01)));
        table.alone(
            "time of those syncs, for each step",
            &self.syncing,
            "µs",
            None,
        );
    }
}
