//! `action`: what the program that runs the workflow brings along.

use super::compiler::Compiler;
use super::keys;
use super::yaml::{self, Node};
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::plan::{ActionStep, Mode};

impl Compiler<'_, '_> {
    /// Reads `action:`: a name, or a map. Whoever reads the file sees in it what writes, as everywhere else.
    pub(super) fn action(&mut self, node: &Node) -> Option<ActionStep> {
        if node.text().is_some() {
            let name = self.action_name(node)?;
            let mode = Mode::ReadOnly;
            return Some(ActionStep { name, mode });
        }
        let fields = yaml::fields(&mut self.report, node, &keys::ACTION)?;
        let name = fields
            .required(&mut self.report, &keys::ACTION, "name")
            .and_then(|node| self.action_name(node));
        let mode = match fields.get("mode") {
            Some(node) => self.mode(node),
            None => Some(Mode::default()),
        };
        Some(ActionStep {
            name: name?,
            mode: mode?,
        })
    }

    fn action_name(&mut self, node: &Node) -> Option<String> {
        let name = yaml::text(&mut self.report, node)?;
        if !ActionStep::is_name(name) {
            self.report.error_with(
                code::BAD_ID,
                node.span,
                format!("`{name}` can't be the name of an action"),
                ActionStep::NAME_RULE,
            );
            return None;
        }
        let name = name.to_owned();
        self.warn_of_unknown_action(&name, node);
        Some(name)
    }

    /// A file is no less valid where an action is missing, since another program may have it.
    fn warn_of_unknown_action(&mut self, name: &str, node: &Node) {
        let Some(known) = &self.setting.options.actions else {
            return;
        };
        if known.contains(name) {
            return;
        }
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = match did_you_mean(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => {
                "actions come with programs that embed Stepwell as a library; `stepwell` itself has none"
                    .to_owned()
            }
            None => format!("it has {}", names.join(", ")),
        };
        let message =
            format!("this program has no action `{name}`, so it would refuse to run this");
        let warning = Diagnostic::warning(code::ACTION_UNKNOWN, message).help(help);
        self.report.add(node.span, warning);
    }
}
