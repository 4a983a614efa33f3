//! Large runs: does a step, an item, a level cost more because there are many of them?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use stepwell::plan::Plan;
use stepwell::rehearsal::{Rehearsal, Rest, Review, World};
use stepwell::run::{RunState, RunStatus};
use stepwell::time::Timestamp;
use stepwell::workflow::{CompileOptions, SourceError, Sources, compile};

use crate::rig::{self, Rig, Workflow};
use crate::samples::Samples;
use crate::table::{Bar, Table};

const ROUNDS: usize = 5;
/// The ratio of a tenfold size that counts as linear.
const LINEAR: Bar = Bar::AtMost(1.5);

pub(crate) fn measure(table: &mut Table) {
    let [few, many] = [200, 2_000].map(|steps| (Workflow::of(&rig::chain(steps)).plan, steps));
    machine(table, "step", &few, &many);
    let [few, many] = [1_000, 10_000].map(|count| (Workflow::of(&items(count)).plan, count));
    machine(table, "item of a foreach", &few, &many);
    engine(table);
    levels(table);
}

/// The machine alone, without engine, store or files: deciding a whole run, and folding its history again.
fn machine(
    table: &mut Table,
    unit: &str,
    (small, few): &(Arc<Plan>, usize),
    (large, many): &(Arc<Plan>, usize),
) {
    let (mut drive_few, mut drive_many, mut drive) = <(Samples, Samples, Samples)>::default();
    let (mut fold_few, mut fold_many, mut fold) = <(Samples, Samples, Samples)>::default();
    for _ in 0..ROUNDS {
        let (driven, folded) = driven_and_folded(small, *few);
        let (driven_large, folded_large) = driven_and_folded(large, *many);
        drive_few.push(driven);
        drive_many.push(driven_large);
        drive.push(driven_large / driven);
        fold_few.push(folded);
        fold_many.push(folded_large);
        fold.push(folded_large / folded);
    }
    table.ratio(
        &format!("the machine, for each {unit}: of {many} beside of {few} (1 × = linear)"),
        (&drive_many, &drive_few, "µs"),
        &drive,
        Some(LINEAR),
    );
    table.ratio(
        &format!("fold, for each {unit}: of {many} beside of {few} (1 × = linear)"),
        (&fold_many, &fold_few, "µs"),
        &fold,
        Some(LINEAR),
    );
}

/// Microseconds for each of `count` steps or items.
fn driven_and_folded(plan: &Arc<Plan>, count: usize) -> (f64, f64) {
    let world = World::new(Review::default());
    let begun = Instant::now();
    let mut run = Rehearsal::new(plan, serde_json::Map::new(), Timestamp::from_micros(0)).unwrap();
    assert_eq!(run.rest(&world).unwrap(), Rest::Ended);
    let driven = begun.elapsed();
    assert_eq!(run.state().status(), RunStatus::Succeeded);
    let begun = Instant::now();
    let replayed = RunState::replay(run.state().run, Arc::clone(plan), run.history()).unwrap();
    let folded = begun.elapsed();
    assert_eq!(replayed.unwrap().seq, run.state().seq);
    let each = |time: std::time::Duration| time.as_secs_f64() * 1e6 / count as f64;
    (each(driven), each(folded))
}

/// A foreach through the engine and the real store.
fn engine(table: &mut Table) {
    let runtime = rig::runtime();
    let (mut few_us, mut many_us, mut ratios) = <(Samples, Samples, Samples)>::default();
    for _ in 0..ROUNDS {
        let [few, many] = [1_000, 10_000].map(|count| {
            let (rig, workflow) = (Rig::new(None), Workflow::of(&items(count)));
            let begun = Instant::now();
            runtime.block_on(async { rig.drive(rig.create(&workflow).await).await });
            begun.elapsed().as_secs_f64() * 1e6 / count as f64
        });
        few_us.push(few);
        many_us.push(many);
        ratios.push(many / few);
    }
    table.ratio(
        "engine and store, for each item: of 10000 beside of 1000 (1 × = linear)",
        (&many_us, &few_us, "µs"),
        &ratios,
        Some(LINEAR),
    );
}

fn items(count: usize) -> String {
    format!(
        "version: 1
name: items
steps:
  - id: per_item
    foreach:
      items: ${{{{ range({count}) }}}}
      as: n
      concurrency: 100
      steps:
        - id: twice
          set: {{value: \"${{{{ n * 2 }}}}\"}}
      collect: {{values: \"${{{{ steps.twice.outputs.value }}}}\"}}
outputs: {{last: \"${{{{ steps.per_item.outputs.values[-1] }}}}\"}}
"
    )
}

/// Workflows inside each other: compiled, and driven through the engine and the real store.
fn levels(table: &mut Table) {
    const FEW: usize = 10;
    const MANY: usize = 100;
    let (mut compile_few, mut compile_many, mut compiled) =
        <(Samples, Samples, Samples)>::default();
    let (mut drive_few, mut drive_many, mut driven) = <(Samples, Samples, Samples)>::default();
    let runtime = rig::runtime();
    for _ in 0..ROUNDS {
        let [(one, run), (other, longer)] = [FEW, MANY].map(|levels| {
            let begun = Instant::now();
            let nest = nested(levels);
            let compiling = begun.elapsed().as_secs_f64() * 1e6 / levels as f64;
            let rig = Rig::new(None);
            let begun = Instant::now();
            runtime.block_on(async { rig.drive(rig.create(&nest).await).await });
            (
                compiling,
                begun.elapsed().as_secs_f64() * 1e3 / levels as f64,
            )
        });
        compile_few.push(one);
        compile_many.push(other);
        compiled.push(other / one);
        drive_few.push(run);
        drive_many.push(longer);
        driven.push(longer / run);
    }
    table.ratio(
        &format!("compile, for each level: of {MANY} sub-runs inside each other beside of {FEW}"),
        (&compile_many, &compile_few, "µs"),
        &compiled,
        Some(LINEAR),
    );
    table.ratio(
        &format!("engine and store, for each level: of {MANY} beside of {FEW}"),
        (&drive_many, &drive_few, "ms"),
        &driven,
        Some(LINEAR),
    );
}

/// The files of a nest of workflows.
struct Nest(BTreeMap<String, String>);

impl Sources for Nest {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let text = self.0.get(path).ok_or(SourceError::Missing)?;
        Ok(text.clone().into_bytes())
    }
}

fn nested(levels: usize) -> Workflow {
    let text = |level: usize| {
        let step = if level == levels {
            "set: {depth: 1}".to_owned()
        } else {
            format!("workflow: {{file: level_{}.yml}}", level + 1)
        };
        format!(
            "version: 1\nname: level_{level}\nsteps:\n  - id: inner\n    {step}\noutputs: {{depth: \"${{{{ steps.inner.outputs.depth }}}}\"}}\n"
        )
    };
    let files = (2..=levels).map(|level| (format!("level_{level}.yml"), text(level)));
    let made = compile(
        "level_1.yml",
        text(1).as_bytes(),
        &Nest(files.collect()),
        &CompileOptions::default(),
    );
    let plan = made
        .plan
        .unwrap_or_else(|| panic!("{:#?}", made.diagnostics));
    Workflow {
        plan: Arc::new(plan),
        blobs: made.blobs,
    }
}
