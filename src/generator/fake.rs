//! A generator without a model, for tests: a closure says what it answers.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::{About, Answer, CodeGenerator, Found, Hearer, Request};
use crate::failure::Failure;
use crate::time::BoxFuture;

type Script = dyn Fn(&Request) -> Result<Answer, Failure> + Send + Sync;

/// A generator that follows a script and remembers what it was asked.
pub struct FakeGenerator {
    script: Box<Script>,
    asked: Mutex<Vec<Request>>,
}

impl FakeGenerator {
    /// Follows `script`.
    #[must_use]
    pub fn new(
        script: impl Fn(&Request) -> Result<Answer, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            asked: Mutex::default(),
        }
    }

    /// Everything that it was asked, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Request> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}

impl fmt::Debug for FakeGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeGenerator").finish_non_exhaustive()
    }
}

impl CodeGenerator for FakeGenerator {
    fn about(&self) -> About {
        About {
            provider: "fake",
            model: Some("fake-1".to_owned()),
        }
    }

    fn generate<'a>(
        &'a self,
        request: Request,
        _: Hearer<'a>,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(request.clone());
        let answer = (self.script)(&request);
        Box::pin(async move { answer })
    }

    fn probe(&self) -> BoxFuture<'_, Result<Found, Failure>> {
        Box::pin(std::future::ready(Ok(Found::sure("a fake"))))
    }
}
