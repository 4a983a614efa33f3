//! The plans of the runs at hand: many runs of one workflow share one, read and parsed once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::id::Digest;
use crate::plan::Plan;

/// Plans by digest, as long as some run holds them.
#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<HashMap<Digest, Weak<Plan>>>);

impl Plans {
    /// The plan with that digest, if a run holds it.
    pub(super) fn get(&self, digest: Digest) -> Option<Arc<Plan>> {
        self.locked().get(&digest)?.upgrade()
    }

    /// Lets later runs share the plan.
    pub(super) fn share(&self, digest: Digest, plan: &Arc<Plan>) {
        let mut plans = self.locked();
        plans.retain(|_, plan| plan.strong_count() > 0);
        plans.insert(digest, Arc::downgrade(plan));
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Digest, Weak<Plan>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{CompileOptions, NoSources, compile};

    #[test]
    fn a_plan_is_shared_as_long_as_somebody_holds_it() {
        let text = b"version: 1\nname: one\nsteps:\n  - {id: a, set: {x: 1}}\n";
        let made = compile("one.yml", text, &NoSources, &CompileOptions::default());
        let plan = Arc::new(made.plan.unwrap());
        let (digest, plans) = (plan.digest(), Plans::default());
        assert!(plans.get(digest).is_none());
        plans.share(digest, &plan);
        assert!(Arc::ptr_eq(&plans.get(digest).unwrap(), &plan));
        drop(plan);
        assert!(plans.get(digest).is_none());
    }
}
