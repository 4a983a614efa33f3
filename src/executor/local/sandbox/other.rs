//! Walls for a process that can't make them itself: a process that was forked from a warm interpreter is told what
//! to enter, and does so with a handful of calls.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::files::{Fixed, Machine};
use super::{Entered, Outline, missing, space};
use super::{LANDLOCK, NO_NEW_PRIVILEGES, SECCOMP, calls, calls_reason, given, held};
use crate::executor::Layer;
use crate::executor::local::folder::{Folder, Order};
use crate::plan::IsolationLevel;

/// Walls that are prepared, and some of them entered, before there is an attempt.
#[derive(Debug)]
pub(in crate::executor::local) struct Ahead {
    pub outline: Outline,
    /// Flags of the namespaces; none = none are wanted, or this machine has none.
    pub namespaces: Option<i32>,
    /// The filter of calls, as the kernel takes it.
    pub calls: Option<Vec<u8>>,
    calls_missing: Option<String>,
    files: Option<Result<Fixed, String>>,
}

/// What a process is to enter last, and what it has then.
#[derive(Debug)]
pub(in crate::executor::local) struct Walls {
    /// The rules for files; none = this kernel has none.
    pub files: Option<OwnedFd>,
    /// What is held once all of them are entered.
    pub entered: Entered,
}

impl Ahead {
    /// Prepares what does not depend on the attempt. What this machine does not have is missing, as for any other process.
    /// Before = what the rules for files of an earlier attempt were made from.
    pub(in crate::executor::local) fn prepare(
        outline: Outline,
        before: Option<Rc<Machine>>,
    ) -> Self {
        let mut ahead = Self {
            namespaces: None,
            calls: None,
            calls_missing: None,
            files: None,
            outline,
        };
        if ahead.is_wanted() {
            let network = ahead.outline.network;
            let offered = ahead.outline.offered.namespaces.is_ok();
            ahead.namespaces = offered.then(|| space::wanted(network).bits());
            ahead.files = Some(fixed(&ahead.outline, before));
            match calls::program(network) {
                Ok(program) => ahead.calls = Some(bytes(&program)),
                Err(error) => ahead.calls_missing = Some(error),
            }
        }
        ahead
    }

    /// What the rules for files are made from.
    pub(in crate::executor::local) fn machine(&self) -> Option<Rc<Machine>> {
        let files = self.files.as_ref()?.as_ref().ok()?;
        Some(files.machine())
    }

    /// Whether there are any.
    pub(in crate::executor::local) fn is_wanted(&self) -> bool {
        self.outline.isolation != IsolationLevel::Off
    }

    /// The rest, for that attempt.
    pub(in crate::executor::local) fn complete(self, folder: &Folder, order: &Order) -> Walls {
        let mut layers = given(order);
        let mut files = None;
        let (outline, wanted) = (&self.outline, self.is_wanted());
        if wanted {
            layers.push(held(
                NO_NEW_PRIVILEGES,
                "no program gives it more rights than it has",
            ));
            let refused = outline.offered.namespaces.as_ref().err();
            layers.extend(space::layers(refused.map(String::as_str), outline.network));
            let rules = match self.files {
                Some(Ok(before)) if !before.is_current() => fixed(outline, None),
                Some(before) => before,
                None => fixed(outline, None),
            };
            let rules = rules.and_then(|rules| {
                let made = rules.complete(folder, order);
                made.map_err(|error| error.to_string())
            });
            layers.push(match rules {
                Ok((ruleset, handled)) => {
                    files = ruleset.into();
                    rule_files(outline, files.is_some(), handled.reason())
                }
                Err(error) => missing(LANDLOCK, &error),
            });
            layers.push(match &self.calls_missing {
                None => held(SECCOMP, calls_reason(outline.network)),
                Some(error) => missing(SECCOMP, error),
            });
        }
        Walls {
            files,
            entered: Entered::new(layers, outline.isolation),
        }
    }
}

fn fixed(outline: &Outline, before: Option<Rc<Machine>>) -> Result<Fixed, String> {
    Fixed::new(outline, before).map_err(|error| error.to_string())
}

fn rule_files(outline: &Outline, made: bool, reason: &str) -> Layer {
    let mut tried = outline.offered.layers.iter();
    let tried = tried.find(|layer| layer.name == LANDLOCK);
    match tried {
        Some(layer) if layer.held && made => held(LANDLOCK, reason),
        Some(_) | None if made => missing(LANDLOCK, "this kernel knows only a part of the rules"),
        Some(_) | None => missing(LANDLOCK, "this kernel has it not"),
    }
}

/// A filter as it lies in memory.
fn bytes(program: &[seccompiler::sock_filter]) -> Vec<u8> {
    program
        .iter()
        .flat_map(|line| {
            let [a, b] = line.code.to_ne_bytes();
            let [e, f, g, h] = line.k.to_ne_bytes();
            [a, b, line.jt, line.jf, e, f, g, h]
        })
        .collect()
}
