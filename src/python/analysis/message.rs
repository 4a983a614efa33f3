//! What a finding says to people.

use super::family::LOADING_VARIABLES;
use super::rules::Rule;

/// One sentence about a finding of this rule; `name` is the qualified name behind the text, or empty.
pub(super) fn of(rule: Rule, name: &str) -> String {
    match rule {
        Rule::ControlWrite => format!("`{name}` writes to the control system."),
        Rule::ControlRead => format!("`{name}` reads from the control system."),
        Rule::ControlDynamic => {
            format!("This reaches into `{name}` by a name that is not in the text: it may write.")
        }
        Rule::ControlSuspect => {
            format!(
                "`{name}` looks like a write to the control system, of an object that the text does not tell."
            )
        }
        Rule::Process => format!("`{name}` starts, stops or changes processes of the system."),
        Rule::Tampering => {
            format!("`{name}` is replaced: from here on it does not mean what it says.")
        }
        Rule::ImportPath if LOADING_VARIABLES.contains(&name) => {
            format!("`{name}` decides what other interpreters and programs load.")
        }
        Rule::ImportPath => {
            format!("`{name}` makes Python import modules from a folder that nobody has read.")
        }
        Rule::DynamicCode => format!("`{name}` runs code that is not in the text."),
        Rule::DynamicImport => "This imports a module whose name is not in the text.".to_owned(),
        Rule::DynamicAccess if name.is_empty() => {
            "This reaches any module or name of the program by a name that is not in the text."
                .to_owned()
        }
        Rule::DynamicAccess => {
            format!("This reaches into `{name}` by a name that is not in the text.")
        }
        Rule::Introspection => {
            format!("`{name}` walks the interpreter's own objects, which reach everything.")
        }
        Rule::Native => format!("`{name}` leaves Python: native code knows no rules."),
        Rule::FsOutside if name.ends_with("chdir") => {
            format!("`{name}` leaves the run folder: from here on relative paths lead elsewhere.")
        }
        Rule::FsWrite if name.ends_with("chdir") => {
            format!("`{name}` goes where the text does not tell: relative paths lead there.")
        }
        Rule::FsOutside => format!("`{name}` writes or removes files outside the run folder."),
        Rule::FsWrite => {
            format!("`{name}` writes or removes files at a path that is not in the text.")
        }
        Rule::Network => format!("`{name}` opens or serves a network connection."),
        Rule::Deserialize => {
            format!("`{name}` builds objects from bytes, and such bytes can run code.")
        }
        Rule::EnvRead => format!("`{name}` looks into the process environment."),
        Rule::Threads => format!("`{name}` starts threads or worker processes."),
        Rule::SecretRead => format!("`{name}` looks for passwords, tokens or keys."),
        Rule::Hooks => {
            format!("`{name}` leaves work for later, where no time limit of the step sees it.")
        }
        Rule::CallDenied => format!("`{name}` may not be called here."),
        Rule::ImportDenied => format!("The module `{name}` may not be imported here."),
        Rule::TooComplex => {
            "Values flow in more ways than the analysis follows, so it may miss something."
                .to_owned()
        }
        Rule::Syntax | Rule::TooDeep | Rule::TooLarge => "The code can't be read.".to_owned(),
    }
}
