//! The table that a run prints.

use std::fmt;

use crate::machine;
use crate::samples::Samples;

/// What was measured, as a line of Markdown.
#[derive(Debug)]
struct Row {
    what: String,
    ours: String,
    limit: String,
    ratio: String,
    bar: String,
    met: &'static str,
}

/// All rows, in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

/// A bar that a figure has to keep.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

impl Bar {
    /// With a question mark when the machine is busy.
    fn met(self, figure: f64) -> &'static str {
        let met = match self {
            Self::AtMost(bar) => figure <= bar,
            Self::AtLeast(bar) => figure >= bar,
        };
        match (met, machine::busy()) {
            (true, false) => "yes",
            (true, true) => "yes?",
            (false, false) => "NO",
            (false, true) => "NO?",
        }
    }

    fn shown(self, unit: &str) -> String {
        match self {
            Self::AtMost(bar) => format!("≤ {bar} {unit}"),
            Self::AtLeast(bar) => format!("≥ {bar} {unit}"),
        }
    }
}

impl Table {
    /// A figure of ours beside a limit; `ratios` are ours over the limit, round by round.
    pub(crate) fn ratio(
        &mut self,
        what: &str,
        (ours, limit, unit): (&Samples, &Samples, &str),
        ratios: &Samples,
        bar: Option<Bar>,
    ) {
        self.0.push(Row {
            what: what.to_owned(),
            ours: spread(ours, unit),
            limit: spread(limit, unit),
            ratio: format!("{} ×", spread(ratios, "")),
            bar: bar.map_or_else(String::new, |bar| bar.shown("×")),
            met: bar.map_or("", |bar| bar.met(ratios.median())),
        });
    }

    /// A figure of ours beside a limit, where the difference counts.
    pub(crate) fn difference(
        &mut self,
        what: &str,
        (ours, limit, unit): (&Samples, &Samples, &str),
        bar: f64,
    ) {
        let more = ours.median() - limit.median();
        self.0.push(Row {
            what: what.to_owned(),
            ours: spread(ours, unit),
            limit: spread(limit, unit),
            ratio: format!("{more:+.1} {unit}"),
            bar: format!("≤ +{bar} {unit}"),
            met: Bar::AtMost(bar).met(more),
        });
    }

    /// A figure without a limit beside it.
    pub(crate) fn alone(&mut self, what: &str, ours: &Samples, unit: &str, bar: Option<Bar>) {
        self.0.push(Row {
            what: what.to_owned(),
            ours: spread(ours, unit),
            limit: String::new(),
            ratio: String::new(),
            bar: bar.map_or_else(String::new, |bar| bar.shown(unit)),
            met: bar.map_or("", |bar| bar.met(ours.median())),
        });
    }
}

/// The median, and the least and greatest in brackets.
fn spread(samples: &Samples, unit: &str) -> String {
    let (median, min, max) = (samples.median(), samples.min(), samples.max());
    let text = if (max - min).abs() < f64::EPSILON {
        number(median)
    } else {
        format!("{} ({}–{})", number(median), number(min), number(max))
    };
    format!("{text} {unit}").trim_end().to_owned()
}

fn number(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEADS: [&str; 6] = ["what", "ours", "the limit beside it", "ratio", "bar", "met"];
        let cells = |row: &Row| {
            [
                row.what.clone(),
                row.ours.clone(),
                row.limit.clone(),
                row.ratio.clone(),
                row.bar.clone(),
                row.met.to_owned(),
            ]
        };
        let lines: Vec<[String; 6]> = std::iter::once(HEADS.map(str::to_owned))
            .chain(self.0.iter().map(cells))
            .collect();
        let widths: Vec<usize> = (0..HEADS.len())
            .map(|column| {
                let lengths = lines.iter().map(|line| line[column].chars().count());
                lengths.max().unwrap_or(0)
            })
            .collect();
        for (number, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                for width in &widths {
                    write!(f, "|{}", "-".repeat(width + 2))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
