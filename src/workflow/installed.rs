//! Names of the installation that a workflow uses: roles, channels and generators of config.yml. A file is no less valid
//! where they are missing, since it may be meant for another installation; whoever checks it here is told.

use std::collections::BTreeSet;

use super::compiler::Compiler;
use crate::code::{self, Code};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};

/// What the installation has that workflows name.
#[derive(Debug, Clone, Default)]
pub struct Installed {
    /// `people.roles`.
    pub roles: BTreeSet<String>,
    /// `channels`.
    pub channels: BTreeSet<String>,
    /// `generators`.
    pub generators: BTreeSet<String>,
    /// Whether there is a `default_generator`.
    pub has_default_generator: bool,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sort {
    Role,
    Channel,
    Generator,
}

impl Sort {
    fn of(self, installed: &Installed) -> &BTreeSet<String> {
        match self {
            Self::Role => &installed.roles,
            Self::Channel => &installed.channels,
            Self::Generator => &installed.generators,
        }
    }

    const fn code(self) -> Code {
        match self {
            Self::Role => code::UNKNOWN_ROLE,
            Self::Channel => code::UNKNOWN_CHANNEL,
            Self::Generator => code::UNKNOWN_GENERATOR,
        }
    }

    /// The word for it.
    pub(super) const fn word(self) -> &'static str {
        self.words().0
    }

    /// The word for it, its key of config.yml, and what its absence means.
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Role => (
                "role",
                "people.roles",
                "nobody has it, so nobody could answer",
            ),
            Self::Channel => ("channel", "channels", "nobody would be told"),
            Self::Generator => ("generator", "generators", "no code could be written"),
        }
    }
}

impl Compiler<'_, '_> {
    /// Warns of a name that this installation does not have.
    pub(super) fn check_installed(&mut self, sort: Sort, name: &str, span: Span) {
        let Some(installed) = &self.setting.options.installed else {
            return;
        };
        let known = sort.of(installed);
        if known.contains(name) {
            return;
        }
        let (word, key, means) = sort.words();
        let message = format!("config.yml has no {word} `{name}`: {means}");
        let help = match did_you_mean(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("`{key}` of config.yml is empty"),
            None => {
                let names: Vec<&str> = known.iter().map(String::as_str).collect();
                format!("`{key}` of config.yml has {}", names.join(", "))
            }
        };
        let warning = Diagnostic::warning(sort.code(), message).help(help);
        self.report.add(span, warning);
    }

    /// Warns of a task that names no generator where no default one is.
    pub(super) fn check_default_generator(&mut self, span: Span) {
        let Some(installed) = &self.setting.options.installed else {
            return;
        };
        if installed.has_default_generator {
            return;
        }
        let names: Vec<&str> = installed.generators.iter().map(String::as_str).collect();
        let help = if names.is_empty() {
            "`generators` of config.yml is empty".to_owned()
        } else {
            let names = names.join(", ");
            format!(
                "write `generator: NAME` beside the task, or set `default_generator` in config.yml; it has {names}"
            )
        };
        let message = "config.yml has no `default_generator`, and the task names none: no code could be written";
        let warning = Diagnostic::warning(code::UNKNOWN_GENERATOR, message).help(help);
        self.report.add(span, warning);
    }
}
