//! When a person has to say yes, and to what exactly.

mod people;
mod policy;
mod subject;

pub use people::Roles;
pub use policy::{
    CodeApproval, Decision, GlobalMode, ModePolicy, Policy, PythonApproval, Verdict, decide,
};
pub use subject::{Subject, subject_digest};
