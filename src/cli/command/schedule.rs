//! `stepwell schedule next`: when the schedules of a workflow come.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::super::compile::compile;
use super::super::error::Error;
use super::super::view::text::line;
use super::super::{Context, Exit};
use crate::code;
use crate::plan::{Plan, Schedule};
use crate::schedule::{Slot, Timetable, TimetableError, Zone, slots};
use crate::time::{Clock as _, SystemClock, Timestamp};

/// How many times are shown when nobody says.
const COUNT: u16 = 5;
/// Most times that are shown.
const COUNT_MAX: u16 = 1_000;

/// Look at the schedules of a workflow
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Next(Next),
}

/// Show the next times of every schedule of a workflow file
#[derive(Debug, Args)]
struct Next {
    /// The workflow file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How many times of each
    #[arg(long, value_name = "N", default_value_t = COUNT, value_parser = clap::value_parser!(u16).range(1..=i64::from(COUNT_MAX)))]
    count: u16,
    /// After this instant, as 2026-11-22T14:00:00Z; without it, after now
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
}

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    let Action::Next(next) = &arguments.action;
    let after = match &next.after {
        Some(text) => instant(text)?,
        None => SystemClock.now(),
    };
    let compiled = compile(context, &next.file, None)?;
    context.output.diagnostics(&compiled.warnings);
    let times = upcoming(&compiled.plan, after, usize::from(next.count)).map_err(|error| {
        Error::new(
            Exit::Internal,
            code::INTERNAL,
            format!("a schedule of the plan can't be read: {error}"),
        )
    })?;
    context.output.result(
        || document(&compiled.plan, &times),
        || text(&compiled.plan, &times),
    );
    Ok(Exit::Succeeded)
}

fn instant(text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| {
        Error::usage(code::USAGE, format!("`{text}` is no instant for `--after`"))
            .help("write it with its distance from UTC, for example 2026-11-22T14:00:00Z or 2026-11-22T06:00:00-08:00")
    })
}

/// A schedule and when it comes next.
struct Upcoming<'a> {
    schedule: &'a Schedule,
    timetable: Timetable,
    slots: Vec<Slot>,
}

fn upcoming(
    plan: &Plan,
    after: Timestamp,
    count: usize,
) -> Result<Vec<Upcoming<'_>>, TimetableError> {
    plan.schedules
        .iter()
        .map(|schedule| {
            let timetable = Timetable::new(&plan.name, schedule)?;
            let slots = slots(&timetable.cron, &timetable.zone, after);
            let slots = slots.take(count).collect();
            Ok(Upcoming {
                schedule,
                timetable,
                slots,
            })
        })
        .collect()
}

fn text(plan: &Plan, times: &[Upcoming<'_>]) -> String {
    if times.is_empty() {
        return format!("{} has no schedules\n", line(&plan.name));
    }
    let mut out = String::new();
    for times in times {
        let Timetable { cron, zone, .. } = &times.timetable;
        let words = cron.describe();
        out.push_str(&format!("{}: {words}, {zone}\n", line(&times.schedule.id)));
        if times.slots.is_empty() {
            out.push_str("  never: no day matches in the next 50 years\n");
        }
        for slot in &times.slots {
            let universal = Zone::utc().wall(slot.at).replace("+00:00", "UTC");
            let change = slot.change.map(|change| format!("   {}", change.words()));
            out.push_str(&format!(
                "  {}   {universal}{}\n",
                zone.wall(slot.at),
                change.unwrap_or_default()
            ));
        }
    }
    out
}

fn document(plan: &Plan, times: &[Upcoming<'_>]) -> Value {
    let schedules = times.iter().map(|times| {
        let Timetable { cron, zone, .. } = &times.timetable;
        let next = times.slots.iter().map(|slot| {
            json!({
                "slot": slot.at,
                "local": zone.show(slot.at),
                "starts": times.timetable.start_of(*slot),
                "clock_change": slot.change.map(crate::schedule::ClockChange::words),
            })
        });
        json!({
            "id": times.schedule.id,
            "cron": times.schedule.cron,
            "words": cron.describe(),
            "timezone": zone.name(),
            "next": next.collect::<Vec<_>>(),
        })
    });
    json!({"workflow": plan.name, "schedules": schedules.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::{Catchup, Overlap};
    use crate::workflow::{CompileOptions, NoSources, compile};

    fn plan(schedules: &[(&str, &str, &str)]) -> Plan {
        let text = b"version: 1\nname: study\nsteps:\n  - id: a\n    set: {x: 1}\n";
        let compiled = compile("w.yml", text, &NoSources, &CompileOptions::default());
        let mut plan = compiled.plan.unwrap();
        plan.schedules = schedules
            .iter()
            .map(|(id, cron, timezone)| Schedule {
                id: (*id).to_owned(),
                cron: (*cron).to_owned(),
                timezone: (*timezone).to_owned(),
                catchup: Catchup::Latest,
                catchup_window: None,
                overlap: Overlap::Skip,
                jitter: Some(Duration::from_secs(120)),
                with: indexmap::IndexMap::new(),
            })
            .collect();
        plan
    }

    #[test]
    fn times_are_shown_in_the_zone_and_in_utc_with_what_the_clock_does() {
        let plan = plan(&[
            ("nightly", "30 2 * * *", "America/Los_Angeles"),
            ("never", "0 0 30 2 *", "UTC"),
        ]);
        let after = "2026-03-07T00:00:00Z".parse().unwrap();
        let times = upcoming(&plan, after, 2).unwrap();
        assert_eq!(
            text(&plan, &times),
            "nightly: at 02:30 every day, America/Los_Angeles\n\
             \u{20} Sat 2026-03-07 02:30 -08:00   Sat 2026-03-07 10:30 UTC\n\
             \u{20} Sun 2026-03-08 03:00 -07:00   Sun 2026-03-08 10:00 UTC   the clock jumps over 02:30\n\
             never: at 00:00 on day 30 of the month in February, UTC\n\
             \u{20} never: no day matches in the next 50 years\n"
        );
        let document = document(&plan, &times);
        let next = &document["schedules"][0]["next"];
        assert_eq!(next[1]["slot"], "2026-03-08T10:00:00.000000Z");
        assert_eq!(next[1]["local"], "2026-03-08T03:00:00-07:00");
        assert_eq!(next[1]["clock_change"], "the clock jumps over 02:30");
        assert_eq!(next[0]["clock_change"], Value::Null);
        let starts: Timestamp = next[0]["starts"].as_str().unwrap().parse().unwrap();
        let slot: Timestamp = next[0]["slot"].as_str().unwrap().parse().unwrap();
        assert!(starts.since(slot) <= Duration::from_secs(120));
        assert_eq!(text(&plan, &[]), "study has no schedules\n");
    }
}
