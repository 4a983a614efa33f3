//! Paths of files: constant, partly constant, or unknown; inside the run folder or not.

use ruff_text_size::TextRange;

use super::call::Site;
use super::family::{FileMode, FileWrite, holds_secrets, named_like_a_secret};
use super::reader::Reader;
use super::rules::Rule;
use super::symbol::Symbol;
use super::value::{Atom, Constant, Set};

/// Absolute paths that hold nothing.
const HARMLESS: &[&str] = &["/dev/null", "/dev/stdout", "/dev/stderr"];

/// The engine's own files in the run folder.
const INNER: &str = ".attempt";

/// Where a path leads, from the run folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Inside,
    Unknown,
    Outside,
}

fn reach(path: &str, whole: bool) -> Reach {
    let drive = path
        .get(1..3)
        .is_some_and(|rest| rest == ":\\" || rest == ":/");
    if HARMLESS.contains(&path) {
        return Reach::Inside;
    }
    if path.starts_with(['/', '~', '\\']) || drive {
        return Reach::Outside;
    }
    let mut depth = 0i32;
    for part in path.split(['/', '\\']) {
        match part {
            ".." => depth -= 1,
            "" | "." => {}
            // What belongs to the engine there is none of the code's.
            INNER => return Reach::Outside,
            _ => depth += 1,
        }
        if depth < 0 {
            return Reach::Outside;
        }
    }
    if path.is_empty() && !whole {
        Reach::Unknown
    } else {
        Reach::Inside
    }
}

/// `https://…`, `s3://…`; not `file://…`.
fn is_address(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme != "file" && scheme.chars().all(|letter| letter.is_ascii_alphanumeric())
    })
}

impl Reader<'_> {
    fn reach(&self, path: &Set) -> Reach {
        path.own
            .iter()
            .filter_map(|atom| {
                let text = self.symbols.text(atom.beginning()?);
                Some(reach(&text, atom.text().is_some()))
            })
            .max()
            .unwrap_or(Reach::Unknown)
    }

    /// Reports a call that writes files where it should not, or nobody knows where.
    pub(super) fn file_write(&mut self, file: FileWrite, name: Symbol, site: &Site<'_>) {
        self.opens_secret(file, name, site);
        if !self.writes(file.mode, site) {
            return;
        }
        let unknown = Set::UNKNOWN;
        let mut worst = Reach::Inside;
        for argument in file.paths {
            let path = self.argument(site, *argument).unwrap_or(&unknown).clone();
            worst = worst.max(self.reach(&path));
        }
        if file.receiver {
            worst = worst.max(self.reach(site.receiver));
        }
        match worst {
            Reach::Inside => {}
            Reach::Unknown => self.report_path(Some(Rule::FsWrite), site.range, name),
            Reach::Outside => self.report_path(Some(Rule::FsOutside), site.range, name),
        }
    }

    /// Reports the opening of a file that holds secrets, to read or to write.
    fn opens_secret(&mut self, file: FileWrite, name: Symbol, site: &Site<'_>) {
        let mut paths: Vec<Atom> = Vec::new();
        for argument in file.paths {
            paths.extend(
                self.argument(site, *argument)
                    .into_iter()
                    .flat_map(|path| &path.own),
            );
        }
        if file.receiver {
            paths.extend(&site.receiver.own);
        }
        let secret = |atom: &Atom| {
            atom.beginning()
                .is_some_and(|text| holds_secrets(&self.symbols.text(text)))
        };
        if paths.iter().any(secret) {
            self.report_path(Some(Rule::SecretRead), site.range, name);
        }
    }

    /// Reports the reading of a variable of the environment that is named like a secret.
    pub(super) fn read_variable(&mut self, name: Option<&Set>, path: Symbol, range: TextRange) {
        let secret = |atom: &Atom| {
            atom.beginning()
                .is_some_and(|text| named_like_a_secret(&self.symbols.text(text)))
        };
        let mut names = name.into_iter().flat_map(|name| &name.own);
        if names.any(secret) {
            self.report_path(Some(Rule::SecretRead), range, path);
        }
    }

    /// Reports the reading of an address where files are read.
    pub(super) fn read_address(&mut self, path: Symbol, site: &Site<'_>) {
        let address = |atom: &Atom| {
            atom.beginning()
                .is_some_and(|text| is_address(&self.symbols.text(text)))
        };
        let mut given = site.arguments.iter().flat_map(|given| &given.value.own);
        if given.any(address) {
            self.report_path(Some(Rule::Network), site.range, path);
        }
    }

    /// Reports a saving method of something unknown when its path is known to lead outside.
    pub(super) fn saved_outside(&mut self, argument: (usize, &str), name: &str, site: &Site<'_>) {
        let path = self.argument(site, argument).cloned();
        if path.is_some_and(|path| self.reach(&path) == Reach::Outside) {
            self.report(Rule::FsOutside, site.range, name);
        }
    }

    fn argument<'s>(
        &mut self,
        site: &'s Site<'_>,
        (position, name): (usize, &str),
    ) -> Option<&'s Set> {
        let name = self.symbols.intern(name);
        let named = site
            .arguments
            .iter()
            .find(|argument| argument.name == Some(name))
            .map(|argument| &argument.value);
        named.or_else(|| site.argument(position))
    }

    fn writes(&mut self, mode: FileMode, site: &Site<'_>) -> bool {
        match mode {
            FileMode::Always => true,
            FileMode::Never => false,
            FileMode::Given(argument) => self.argument(site, argument).is_some_and(|given| {
                !given.is_only(Constant::None) && !given.is_only(Constant::False)
            }),
            FileMode::Text(argument, without) => {
                let Some(mode) = self.argument(site, argument).cloned() else {
                    return without;
                };
                let mut texts = mode.own.iter().filter_map(|atom| atom.text());
                let writing = |mode: &str| mode.contains(['w', 'a', 'x', '+']);
                mode.open
                    || mode.own.is_empty()
                    || texts.any(|mode| writing(&self.symbols.text(mode)))
            }
            FileMode::Flags => !self.only_reads(site),
        }
    }

    /// Whether the flags of `os.open` are `os.O_RDONLY` and nothing else.
    fn only_reads(&mut self, site: &Site<'_>) -> bool {
        let flags = self.argument(site, (1, "flags")).cloned();
        let reads = |atom: &Atom| {
            atom.path()
                .is_some_and(|path| &*self.symbols.text(path) == "os.O_RDONLY")
        };
        flags.is_some_and(|flags| {
            !flags.open && !flags.own.is_empty() && flags.own.iter().all(reads)
        })
    }

    /// `left / right` where one side is a path.
    pub(super) fn path_below(&mut self, left: &Set, right: &Set) -> Set {
        let class = self.symbols.intern("pathlib.Path");
        let is_path = |set: &Set| set.own.contains(&Atom::Instance(class));
        if !is_path(left) && !is_path(right) {
            return Set::UNKNOWN;
        }
        let mut path = self.joined_paths(&[left, right]);
        path.add(Atom::Instance(class));
        path
    }

    /// `pathlib.Path(…)` keeps its text beside its class.
    pub(super) fn make_path(&mut self, site: &Site<'_>) -> Set {
        let class = self.symbols.intern("pathlib.Path");
        let parts: Vec<&Set> = site.arguments.iter().map(|part| &part.value).collect();
        let mut path = self.joined_paths(&parts);
        path.add(Atom::Instance(class));
        path
    }

    /// The texts of paths put together as `os.path.join` does.
    pub(super) fn joined_paths(&mut self, parts: &[&Set]) -> Set {
        let Some((first, rest)) = parts.split_first() else {
            return self.text("");
        };
        let class = self.symbols.intern("pathlib.Path");
        let texts = |set: &Set| {
            let mut set = set.clone();
            set.own.retain(|atom| *atom != Atom::Instance(class));
            set
        };
        let mut joined = texts(first);
        for part in rest {
            let part = texts(part);
            let slash = self.text("/");
            let base = self.concatenated(&joined, &slash);
            let mut next = self.concatenated(&base, &part);
            for atom in &part.own {
                if let Atom::Text(text) | Atom::Prefix(text) = *atom
                    && self.symbols.text(text).starts_with(['/', '~'])
                {
                    next.add(*atom);
                }
            }
            joined = next;
        }
        joined
    }
}
