//! What code imports whatever happens: imports without which it can't come to its end.

use ruff_python_ast::Stmt;
use ruff_text_size::Ranged as _;

use super::parse;
use super::position::Lines;

/// An import that is always carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// Top-level name of the module.
    pub module: String,
    /// Line in the text, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// By which code changes where modules come from: what is missing now may be there by then.
const MOVES: [&str; 6] = [
    "sys.path",
    "sys.modules",
    "meta_path",
    "path_hooks",
    "addsitedir",
    "pip",
];

/// The imports of the top level, outside of every `try`, `if`, `with` and function. Nothing of code that can't be read,
/// or that changes where modules are looked for.
#[must_use]
pub fn needed_imports(code: &str) -> Vec<Needed> {
    let Ok(parsed) = parse::parse(code) else {
        return Vec::new();
    };
    if MOVES.iter().any(|word| code.contains(word)) {
        return Vec::new();
    }
    let lines = Lines::of(code);
    let mut needed = Vec::new();
    for statement in &parsed.syntax().body {
        let (line, column) = lines.position(statement.start().to_usize());
        let mut add = |module: &str| {
            let root = module.split('.').next().unwrap_or_default();
            needed.push(Needed {
                module: root.to_owned(),
                line,
                column,
            });
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "every other statement imports nothing, or perhaps"
        )]
        match statement {
            Stmt::Import(import) => import.names.iter().for_each(|alias| add(&alias.name)),
            Stmt::ImportFrom(from) if from.level == 0 => {
                if let Some(module) = &from.module {
                    add(module);
                }
            }
            _ => {}
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_imported_whatever_happens_is_needed() {
        let code = "import a.b, c as d\nfrom e.f import g\nfrom . import near\ntry:\n    import h\nexcept ImportError:\n    h = None\n\
                    if TYPE_CHECKING:\n    import i\ndef work():\n    import j\nwith suppress(ImportError):\n    import k\n";
        let needed = needed_imports(code);
        let names: Vec<_> = needed
            .iter()
            .map(|one| (one.module.as_str(), one.line))
            .collect();
        assert_eq!(names, [("a", 1), ("c", 1), ("e", 2)]);
        assert_eq!(
            needed_imports("import sys\nsys.path.append('x')\nimport a\n"),
            []
        );
        assert_eq!(needed_imports("import a\nthis is no Python"), []);
    }
}
