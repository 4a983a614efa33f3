//! The generators of an installation, by name, with what they cost and may cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::{Answer, CodeGenerator, Prompt, Written};
use crate::code;
use crate::diagnostic::did_you_mean;
use crate::failure::{Failure, FailureKind};

/// What tokens cost, for a million of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// Read.
    pub input: f64,
    /// Read from a cache of the provider; none = as the others.
    pub cached: Option<f64>,
    /// Written.
    pub output: f64,
    /// Of what.
    pub currency: String,
}

/// A million.
const MILLION: f64 = 1_000_000.0;

/// How few bytes a token is taken for where nobody counts them. English and code have three to five.
const TOKEN_BYTES: u64 = 3;

impl Price {
    /// What an answer cost, when it says how long it was.
    #[must_use]
    pub fn of(&self, answer: &Answer) -> Option<f64> {
        let count = |tokens: u64| f64::from(u32::try_from(tokens).unwrap_or(u32::MAX));
        let (input, output) = (answer.input_tokens?, answer.output_tokens?);
        let cached = answer.cached_tokens.unwrap_or(0).min(input);
        let of_cache = self.cached.unwrap_or(self.input);
        let sum = count(input - cached) * self.input
            + count(cached) * of_cache
            + count(output) * self.output;
        Some(sum / MILLION)
    }
}

/// What a call may have cost of which nobody says it: rather too much than too little.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Tokens read, by the length of the prompt.
    pub input_tokens: u64,
    /// Tokens written, by what had come.
    pub output_tokens: u64,
    /// How much that is.
    pub amount: f64,
    /// Of what.
    pub currency: String,
}

/// What a generator may cost, in the currency of its price.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// In one run.
    pub per_run: Option<f64>,
    /// In one month of the calendar, in UTC, all runs of the data folder together.
    pub per_month: Option<f64>,
}

impl Budget {
    /// Whether there is no bound.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.per_run.is_none() && self.per_month.is_none()
    }
}

/// A generator with its terms.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The generator.
    pub generator: Arc<dyn CodeGenerator>,
    /// What its tokens cost.
    pub price: Option<Price>,
    /// What it may cost.
    pub budget: Budget,
}

impl Entry {
    /// One that costs nothing that is known.
    #[must_use]
    pub fn free(generator: Arc<dyn CodeGenerator>) -> Self {
        Self {
            generator,
            price: None,
            budget: Budget::default(),
        }
    }

    /// What an answer cost, and in which currency: as the other side says, else by the price.
    #[must_use]
    pub fn cost(&self, answer: &Answer) -> Option<(f64, String)> {
        const DOLLARS: &str = "USD";
        let by_price = self.price.as_ref();
        match (answer.cost_usd, by_price) {
            (Some(said), None) => Some((said, DOLLARS.to_owned())),
            (Some(said), Some(price)) if price.currency == DOLLARS => {
                Some((said, DOLLARS.to_owned()))
            }
            (Some(_) | None, Some(price)) => Some((price.of(answer)?, price.currency.clone())),
            (None, None) => None,
        }
    }

    /// What an answer may have cost that broke off when so much of it had come. None when nothing is known to have
    /// been read, or there is no price.
    #[must_use]
    pub fn estimate(&self, prompt: &Prompt, written: Written) -> Option<Estimate> {
        let price = self.price.as_ref().filter(|_| written.bytes > 0)?;
        let read = prompt.system.len() + prompt.user.len();
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        let (input, output) = (
            read.div_ceil(TOKEN_BYTES),
            written.bytes.div_ceil(TOKEN_BYTES),
        );
        let answer = Answer {
            input_tokens: Some(input),
            output_tokens: Some(output),
            ..Answer::default()
        };
        Some(Estimate {
            input_tokens: input,
            output_tokens: output,
            amount: price.of(&answer)?,
            currency: price.currency.clone(),
        })
    }
}

/// Generators by name.
#[derive(Debug, Clone, Default)]
pub struct Generators {
    /// Each with its terms.
    pub by_name: BTreeMap<String, Entry>,
    /// The one of steps that name none.
    pub default: Option<String>,
}

impl Generators {
    /// One generator, which is the default.
    #[must_use]
    pub fn only(name: &str, generator: Arc<dyn CodeGenerator>) -> Self {
        Self {
            by_name: BTreeMap::from([(name.to_owned(), Entry::free(generator))]),
            default: Some(name.to_owned()),
        }
    }

    /// The generator of that name, or the default one.
    ///
    /// # Errors
    /// There is none.
    pub fn find<'a>(&'a self, name: Option<&'a str>) -> Result<(&'a str, &'a Entry), Failure> {
        let wanted = name.or(self.default.as_deref());
        let found = wanted.and_then(|name| Some((name, self.by_name.get(name)?)));
        found.ok_or_else(|| self.unknown(wanted))
    }

    fn unknown(&self, wanted: Option<&str>) -> Failure {
        let message = match wanted {
            Some(name) => format!("config.yml has no generator `{name}`"),
            None => "config.yml has no `default_generator`, and the step names none".to_owned(),
        };
        let known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        let failure = Failure::new(FailureKind::Configuration, code::UNKNOWN_GENERATOR, message);
        let near = wanted.and_then(|name| did_you_mean(name, known.iter().copied()));
        match near {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None if known.is_empty() => failure
                .hint("it has no `generators` at all; docs/configuration.md shows how to write one"),
            None => failure.hint(format!(
                "it has {}; choose one with `generator: NAME` beside the task, or set `default_generator` in config.yml",
                known.join(", ")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_for_a_million_tokens() {
        let price = Price {
            input: 3.0,
            cached: Some(0.3),
            output: 15.0,
            currency: "EUR".to_owned(),
        };
        let answer = Answer {
            input_tokens: Some(1_000_000),
            cached_tokens: Some(500_000),
            output_tokens: Some(200_000),
            cost_usd: Some(99.0),
            ..Answer::default()
        };
        let entry = Entry {
            price: Some(price),
            ..Entry::free(Arc::new(super::super::template::TemplateGenerator::new(
                "x".into(),
            )))
        };
        let (amount, currency) = entry.cost(&answer).unwrap();
        assert!((amount - (1.5 + 0.15 + 3.0)).abs() < 1e-9, "{amount}");
        assert_eq!(currency, "EUR", "the other side's dollars are not euros");
        assert_eq!(entry.cost(&Answer::default()), None);
    }
}
