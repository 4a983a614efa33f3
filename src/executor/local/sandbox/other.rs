//! Walls for a process that can't make them itself: a process that was forked from a warm interpreter is told what
//! to enter, and does so with a handful of calls.

use std::os::fd::OwnedFd;

use super::{Entered, missing, space};
use super::{LANDLOCK, NO_NEW_PRIVILEGES, SECCOMP, calls, calls_reason, files, given, held};
use crate::executor::local::folder::{Folder, Order};
use crate::plan::IsolationLevel;

/// What a process is to enter, and what it has then.
#[derive(Debug)]
pub(in crate::executor::local) struct Walls {
    /// Whether there are any.
    pub wanted: bool,
    /// Flags of the namespaces; none = this machine has none.
    pub namespaces: Option<i32>,
    /// The rules for files; none = this kernel has none.
    pub files: Option<OwnedFd>,
    /// The filters of calls, as the kernel takes them.
    pub calls: Vec<Vec<u8>>,
    /// What is held once all of them are entered.
    pub entered: Entered,
}

impl Walls {
    /// Prepares the walls of the attempt. What this machine does not have is missing, as for any other process.
    pub(in crate::executor::local) fn prepare(folder: &Folder, order: &Order) -> Self {
        let protection = &order.job.protection;
        let mut layers = given(order);
        let mut walls = Self {
            wanted: protection.isolation != IsolationLevel::Off,
            namespaces: None,
            files: None,
            calls: Vec::new(),
            entered: Entered::default(),
        };
        if walls.wanted {
            layers.push(held(
                NO_NEW_PRIVILEGES,
                "no program gives it more rights than it has",
            ));
            let refused = order.offered.namespaces.as_ref().err();
            walls.namespaces = refused
                .is_none()
                .then(|| space::wanted(protection.network).bits());
            layers.extend(space::layers(
                refused.map(String::as_str),
                protection.network,
            ));
            layers.push(walls.rule_files(folder, order));
            layers.push(match calls::programs(protection.network) {
                Ok(programs) => {
                    walls.calls = programs.iter().map(|program| bytes(program)).collect();
                    held(SECCOMP, calls_reason(protection.network))
                }
                Err(error) => missing(SECCOMP, &error),
            });
        }
        walls.entered = Entered::new(layers, protection.isolation);
        walls
    }

    fn rule_files(&mut self, folder: &Folder, order: &Order) -> crate::executor::Layer {
        match files::ruleset(folder, order) {
            Ok((ruleset, handled)) => {
                self.files = ruleset.into();
                let tried = order
                    .offered
                    .layers
                    .iter()
                    .find(|layer| layer.name == LANDLOCK);
                match tried {
                    Some(layer) if layer.held && self.files.is_some() => {
                        held(LANDLOCK, handled.reason())
                    }
                    Some(_) | None if self.files.is_some() => {
                        missing(LANDLOCK, "this kernel knows only a part of the rules")
                    }
                    Some(_) | None => missing(LANDLOCK, "this kernel has it not"),
                }
            }
            Err(error) => missing(LANDLOCK, &error.to_string()),
        }
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
