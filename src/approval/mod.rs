//! When a person has to say yes, and to what exactly; who may.

mod authorize;
mod bounds;
mod modules;
mod people;
mod policy;
mod rules;
mod subject;

pub use authorize::{Asked, Denied, Voter, authorize, nobody_may_approve};
pub use bounds::{Bound, Bounds, Changed, Covered};
pub use modules::{KnownModules, Module, ModuleChange, Modules};
pub use people::Roles;
pub use policy::{
    CodeApproval, Decision, GlobalMode, ModePolicy, Policy, PythonApproval, Verdict, decide,
};
pub use rules::{Answer, People, Rules, Tally};
pub use subject::{Subject, subject_digest};
