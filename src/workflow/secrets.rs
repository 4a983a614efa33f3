//! `secrets`: where they come from, and the only places where they may go.
//!
//! A secret is known by its name alone until a process or a request is started: the plan and the history hold
//! `${{ secrets.name }}`, never a value. So nothing may compute with one.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::compiler::Compiler;
use super::yaml::{self, Node};
use super::{keys, name};
use crate::code;
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::plan::SecretSource;

/// The first name of every reference to a secret.
pub(super) const ROOT: &str = "secrets";

/// What is known of the secrets of a file.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    declared: IndexMap<String, (Option<SecretSource>, Span)>,
    used: BTreeSet<String>,
}

impl Secrets {
    /// Where each comes from.
    pub(super) fn sources(&mut self) -> IndexMap<String, SecretSource> {
        self.declared
            .drain(..)
            .filter_map(|(name, (source, _))| Some((name, source?)))
            .collect()
    }
}

impl Compiler<'_, '_> {
    /// Reads `secrets:`.
    pub(super) fn read_secrets(&mut self, node: &Node) {
        for entry in yaml::map(&mut self.report, node).unwrap_or_default() {
            name::check(
                &mut self.report,
                "the name of a secret",
                &entry.key,
                entry.key_span,
            );
            let source = self.secret_source(&entry.node);
            self.secrets
                .declared
                .insert(entry.key.clone(), (source, entry.key_span));
        }
    }

    fn secret_source(&mut self, node: &Node) -> Option<SecretSource> {
        if node.text().is_some() {
            self.report.error_with(
                code::WRONG_TYPE,
                node.span,
                "expected a secret as a map, found text",
                "a secret's value never stands in a file: say where it is, \
                 `{env: NAME}` or `{file: path}`",
            );
            return None;
        }
        let fields = yaml::fields(&mut self.report, node, &keys::SECRET)?;
        match (fields.get("env"), fields.get("file")) {
            (Some(node), None) => {
                let variable = yaml::text(&mut self.report, node)?;
                if is_variable(variable) {
                    return Some(SecretSource::Env(variable.to_owned()));
                }
                self.report.error_with(
                    code::BAD_VALUE,
                    node.span,
                    format!("`{variable}` can't be the name of a variable"),
                    "letters, digits and _ only, no digit first: `{env: ARCHIVER_TOKEN}`",
                );
                None
            }
            (None, Some(node)) => {
                let path = yaml::text(&mut self.report, node)?;
                if path.trim().is_empty() {
                    self.report
                        .error(code::BAD_FILE, node.span, "the path is empty");
                } else if path.contains("${{") {
                    self.report.error_with(
                        code::BAD_VALUE,
                        node.span,
                        "the place of a secret is fixed text, without expressions",
                        "write the path itself: `{file: /run/secrets/archiver}`",
                    );
                }
                Some(SecretSource::File(path.to_owned()))
            }
            (Some(_), Some(node)) => {
                let message = "`env` and `file` exclude each other";
                self.report
                    .error(code::CONFLICTING_KEYS, node.span, message);
                None
            }
            (None, None) => {
                if !["env", "file"]
                    .iter()
                    .any(|key| fields.has_slip_of(&keys::SECRET, key))
                {
                    self.report.error_with(
                        code::MISSING_KEY,
                        node.span,
                        "a secret needs the key `env` or `file`",
                        "for example `archiver: {env: ARCHIVER_TOKEN}`",
                    );
                }
                None
            }
        }
    }

    /// Checks one reference to a secret: the `expression` that it is part of and the names behind `secrets`.
    /// `allowed` says whether secrets may stand there.
    pub(super) fn secret_use(
        &mut self,
        expression: &str,
        path: &[String],
        span: Span,
        allowed: bool,
    ) {
        let name = path.first().map_or("", String::as_str);
        let shown = if name.is_empty() { "name" } else { name };
        if name.is_empty() {
            // Which one is meant is not known: to call the others unused would be noise.
            self.secrets
                .used
                .extend(self.secrets.declared.keys().cloned());
        }
        self.secrets.used.insert(name.to_owned());
        if !allowed {
            self.report.error_with(
                code::SECRET_NOT_ALLOWED,
                span,
                "a secret can't be used here: its value would become part of the run's history",
                format!(
                    "secrets may stand in `env` of a step, in `http.headers` and in `with` of an action: \
                     `env: {{TOKEN: \"${{{{ {ROOT}.{shown} }}}}\"}}`"
                ),
            );
        } else if name.is_empty() || expression != format!("{ROOT}.{name}") {
            self.report.error_with(
                code::SECRET_EXPRESSION,
                span,
                "a secret can only be named: nothing can be computed with it",
                format!("write `${{{{ {ROOT}.{shown} }}}}` and nothing else between the braces"),
            );
        } else if !self.secrets.declared.contains_key(name) {
            let known = self.secrets.declared.keys().map(String::as_str);
            let mut fault =
                Diagnostic::error(code::UNKNOWN_SECRET, format!("there is no secret `{name}`"));
            fault = match did_you_mean(name, known) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!(
                    "declare it at the top of the file: `secrets: {{{name}: {{env: {}}}}}`",
                    name.to_uppercase()
                )),
            };
            self.report.add(span, fault);
        }
    }

    /// Says which secrets are declared for nothing. Comes when everything has been read.
    pub(super) fn warn_of_unused_secrets(&mut self) {
        for (name, (_, span)) in &self.secrets.declared {
            if !self.secrets.used.contains(name) {
                let fault = Diagnostic::warning(
                    code::UNUSED_SECRET,
                    format!("the secret `{name}` is never used"),
                )
                .help(format!(
                    "remove it, or hand it to a step: `env: {{TOKEN: \"${{{{ {ROOT}.{name} }}}}\"}}`"
                ));
                self.report.add(*span, fault);
            }
        }
    }
}

/// Whether a shell could have a variable of this name.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
