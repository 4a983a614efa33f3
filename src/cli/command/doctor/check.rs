//! One thing that was looked at.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    /// As it should be.
    Ok,
    /// Worth knowing; runs work all the same.
    Warn,
    /// Runs will not work.
    Fail,
}

/// What was looked at, how it is, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    #[serde(rename = "status")]
    pub(super) health: Health,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) help: Option<String>,
    /// Everything that was found, for programs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) details: Vec<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            health: Health::Ok,
            message: message.into(),
            help: None,
            details: Vec::new(),
        }
    }

    pub(super) fn warn(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            health: Health::Warn,
            ..Self::ok(name, message)
        }
    }

    pub(super) fn fail(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            health: Health::Fail,
            ..Self::ok(name, message)
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
