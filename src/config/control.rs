//! `control_system`: what may be written to which channel.

use std::collections::BTreeMap;

use super::place;
use crate::code;
use crate::executor::{ChannelLimit, ChannelLimits, Verify};
use crate::workflow::yaml::{self, Fields, Keys, Node, Report};

/// Limits of channels, as the configuration names them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WriteLimits {
    /// `file`: where they are, relative to the configuration file.
    pub file: Option<String>,
    /// `channels`: or they stand here.
    pub channels: BTreeMap<String, ChannelLimit>,
    /// `unlisted`: whether other channels may be written.
    pub unlisted: bool,
    /// `verify`: whether what was written is read back.
    pub verify: Option<Verify>,
}

impl WriteLimits {
    /// The table, with what the file says; `file` is its text, or why it can't be read.
    #[must_use]
    pub fn table(&self, file: Option<(&str, Result<Vec<u8>, String>)>) -> ChannelLimits {
        let mut channels = self.channels.clone();
        if let Some((name, read)) = file {
            match read.and_then(|bytes| read_file(name, &bytes)) {
                Ok(read) => channels.extend(read),
                Err(reason) => return ChannelLimits::Unavailable { reason },
            }
        }
        ChannelLimits::Table {
            channels,
            unlisted: self.unlisted,
            verify: self.verify,
        }
    }
}

const CONTROL: Keys = Keys {
    what: "`control_system`",
    now: &["write_limits", "limits_checking"],
    later: &[],
};

const WRITE_LIMITS: Keys = Keys {
    what: "`write_limits`",
    now: &["file", "channels", "unlisted", "verify"],
    later: &[],
};

const LIMITS_CHECKING: Keys = Keys {
    what: "`limits_checking`",
    now: &["enabled", "database_path", "allow_unlisted_channels"],
    later: &["on_violation"],
};

const CHANNEL: Keys = Keys {
    what: "a channel",
    now: &["min", "max", "step", "read_only", "verify"],
    later: &[],
};

const VERIFY: Keys = Keys {
    what: "`verify`",
    now: &["tolerance"],
    later: &[],
};

const UNLISTED: [(&str, bool); 2] = [("refuse", false), ("allow", true)];

pub(super) fn read(report: &mut Report<'_>, node: &Node) -> Option<WriteLimits> {
    let fields = yaml::fields(report, node, &CONTROL)?;
    let (own, other) = (
        fields.entry("write_limits"),
        fields.entry("limits_checking"),
    );
    let entry = place::one_of(report, own, other)?;
    if entry.key == "write_limits" {
        let fields = yaml::fields(report, &entry.node, &WRITE_LIMITS)?;
        Some(write_limits(report, fields))
    } else {
        let fields = yaml::fields(report, &entry.node, &LIMITS_CHECKING)?;
        limits_checking(report, fields)
    }
}

fn write_limits(report: &mut Report<'_>, fields: Fields<'_>) -> WriteLimits {
    let file = fields.get("file");
    let unlisted = fields.get("unlisted");
    let verify = fields.get("verify");
    if file.is_none() && fields.get("channels").is_none() {
        report.error_with(
            code::MISSING_KEY,
            fields.node().span,
            "`write_limits` needs `file` or `channels`",
            "for example `channels: {\"SR:CUR:SET\": {min: 0, max: 500}}`",
        );
    }
    WriteLimits {
        file: file
            .and_then(|node| yaml::text(report, node))
            .map(str::to_owned),
        channels: fields
            .get("channels")
            .map(|node| channels(report, node))
            .unwrap_or_default(),
        unlisted: unlisted
            .and_then(|node| yaml::word(report, node, &UNLISTED))
            .unwrap_or_default(),
        verify: verify.and_then(|node| read_verify(report, node)),
    }
}

fn limits_checking(report: &mut Report<'_>, fields: Fields<'_>) -> Option<WriteLimits> {
    let flag = |report: &mut Report<'_>, key: &str| {
        fields
            .get(key)
            .and_then(|node| yaml::boolean(report, node))
            .unwrap_or_default()
    };
    let (enabled, unlisted) = (
        flag(report, "enabled"),
        flag(report, "allow_unlisted_channels"),
    );
    let path = fields
        .get("database_path")
        .and_then(|node| yaml::text(report, node));
    if enabled && path.is_none() {
        report.error(
            code::MISSING_KEY,
            fields.node().span,
            "`limits_checking` needs the key `database_path`",
        );
    }
    enabled.then(|| WriteLimits {
        file: path.map(str::to_owned),
        unlisted,
        ..WriteLimits::default()
    })
}

fn read_verify(report: &mut Report<'_>, node: &Node) -> Option<Verify> {
    let fields = yaml::fields(report, node, &VERIFY)?;
    let tolerance = fields
        .get("tolerance")
        .and_then(|node| yaml::number(report, node));
    if tolerance.is_some_and(|tolerance| tolerance < 0.0) {
        report.error(code::BAD_VALUE, node.span, "a tolerance is not below 0");
    }
    Some(Verify {
        tolerance: tolerance.unwrap_or_default(),
    })
}

fn channels(report: &mut Report<'_>, node: &Node) -> BTreeMap<String, ChannelLimit> {
    let mut found = BTreeMap::new();
    for entry in yaml::map(report, node).unwrap_or_default() {
        // Notes of whoever keeps the list.
        if entry.key.starts_with('_') {
            continue;
        }
        if let Some(limit) = channel(report, &entry.node) {
            found.insert(entry.key.clone(), limit);
        }
    }
    found
}

fn channel(report: &mut Report<'_>, node: &Node) -> Option<ChannelLimit> {
    let fields = yaml::fields(report, node, &CHANNEL)?;
    let mut number = |key: &str| fields.get(key).and_then(|node| yaml::number(report, node));
    let (min, max, step) = (number("min"), number("max"), number("step"));
    let read_only = fields.get("read_only");
    let verify = fields.get("verify");
    let limit = ChannelLimit {
        min,
        max,
        step,
        read_only: read_only
            .and_then(|node| yaml::boolean(report, node))
            .unwrap_or_default(),
        verify: verify.and_then(|node| read_verify(report, node)),
    };
    if min.zip(max).is_some_and(|(min, max)| min > max) || step.is_some_and(|step| step < 0.0) {
        report.error(
            code::BAD_VALUE,
            node.span,
            "`min` is above `max`, or `step` is below 0",
        );
    }
    Some(limit)
}

/// A file of limits, YAML or JSON: a map of channels, with `channels:` above it or without.
fn read_file(name: &str, bytes: &[u8]) -> Result<BTreeMap<String, ChannelLimit>, String> {
    let told = |faults: Vec<crate::diagnostic::Diagnostic>| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("{name}: {}", faults.join("; "))
    };
    let text = yaml::decode(name, bytes).map_err(|fault| told(vec![*fault]))?;
    let mut report = Report::new(name, text);
    let root = yaml::tree(&mut report);
    let found = root.map(|root| {
        let inner = root
            .entries()
            .and_then(|entries| entries.iter().find(|entry| entry.key == "channels"));
        channels(&mut report, inner.map_or(&root, |entry| &entry.node))
    });
    if report.has_errors() {
        return Err(told(report.into_diagnostics()));
    }
    found.ok_or_else(|| format!("{name} is empty"))
}
