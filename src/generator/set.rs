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
    /// What so many tokens cost: read, of these from a cache, and written.
    #[must_use]
    pub fn of(&self, input: u64, cached: u64, output: u64) -> f64 {
        let count = |tokens: u64| f64::from(u32::try_from(tokens).unwrap_or(u32::MAX));
        let cached = cached.min(input);
        let of_cache = self.cached.unwrap_or(self.input);
        let sum = count(input - cached) * self.input
            + count(cached) * of_cache
            + count(output) * self.output;
        sum / MILLION
    }
}

/// What a call cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    /// How much.
    pub amount: f64,
    /// Of what.
    pub currency: String,
    /// Whether the other side did not say how much was read and written, so that the bytes were counted.
    pub estimated: bool,
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

    /// What an answer cost: as the other side says, else by the price. With a price it is always known: of what the
    /// other side does not say, the bytes are counted, since a bound that counts nothing bounds nothing.
    #[must_use]
    pub fn cost(&self, prompt: &Prompt, answer: &Answer, written: Written) -> Option<Charge> {
        const DOLLARS: &str = "USD";
        let said = answer.cost_usd;
        let said = said.filter(|said| said.is_finite() && *said >= 0.0);
        let in_dollars = |amount| Charge {
            amount,
            currency: DOLLARS.to_owned(),
            estimated: false,
        };
        match (said, self.price.as_ref()) {
            (Some(said), None) => Some(in_dollars(said)),
            (Some(said), Some(price)) if price.currency == DOLLARS => Some(in_dollars(said)),
            (Some(_) | None, Some(price)) => Some(by_price(price, prompt, answer, written)),
            (None, None) => None,
        }
    }

    /// What an answer may have cost that broke off when so much of it had come. None when nothing is known to have
    /// been read, or there is no price.
    #[must_use]
    pub fn estimate(&self, prompt: &Prompt, written: Written) -> Option<Estimate> {
        let price = self.price.as_ref().filter(|_| written.bytes > 0)?;
        let (input, output) = (tokens_of(prompt), written.bytes.div_ceil(TOKEN_BYTES));
        Some(Estimate {
            input_tokens: input,
            output_tokens: output,
            amount: price.of(input, 0, output),
            currency: price.currency.clone(),
        })
    }
}

/// How many tokens a prompt may have.
fn tokens_of(prompt: &Prompt) -> u64 {
    bytes(prompt.system.len() + prompt.user.len()).div_ceil(TOKEN_BYTES)
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The cost by the tokens that the other side counted. Where it says none, or nothing of a text that is there, the
/// bytes are counted.
fn by_price(price: &Price, prompt: &Prompt, answer: &Answer, written: Written) -> Charge {
    // An answer in pieces was counted as it came, reasoning too; the text of another has only what was not thought.
    let came = match written.bytes {
        0 => answer.text.len().max(answer.raw.len()),
        _ => answer.text.len(),
    };
    let read = tokens_of(prompt);
    let came = bytes(came).max(written.bytes).div_ceil(TOKEN_BYTES);
    let input = usable(answer.input_tokens, read);
    let output = usable(answer.output_tokens, came);
    let cached = answer.cached_tokens.filter(|_| input.is_some());
    Charge {
        amount: price.of(
            input.unwrap_or(read),
            cached.unwrap_or(0),
            output.unwrap_or(came),
        ),
        currency: price.currency.clone(),
        estimated: input.is_none() || output.is_none(),
    }
}

/// A number of tokens that can be believed.
fn usable(said: Option<u64>, counted: u64) -> Option<u64> {
    said.filter(|said| *said > 0 || counted == 0)
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
        let prompt = Prompt::default();
        let none = Written::default();
        let entry = Entry {
            price: Some(price),
            ..Entry::free(Arc::new(super::super::template::TemplateGenerator::new(
                "x".into(),
            )))
        };
        let cost = entry.cost(&prompt, &answer, none).unwrap();
        assert!((cost.amount - (1.5 + 0.15 + 3.0)).abs() < 1e-9, "{cost:?}");
        assert_eq!(
            cost.currency, "EUR",
            "the other side's dollars are not euros"
        );
        assert!(!cost.estimated);
    }

    #[test]
    fn what_nobody_counted_is_counted_by_its_bytes() {
        let price = Price {
            input: 1_000_000.0,
            cached: Some(0.0),
            output: 1_000_000.0,
            currency: "USD".to_owned(),
        };
        let entry = Entry {
            price: Some(price),
            ..Entry::free(Arc::new(super::super::template::TemplateGenerator::new(
                "x".into(),
            )))
        };
        let prompt = Prompt {
            system: "123".to_owned(),
            user: "456789".to_owned(),
        };
        let of = |input_tokens, output_tokens, cost_usd, bytes| {
            let answer = Answer {
                text: "123456".to_owned(),
                input_tokens,
                output_tokens,
                cached_tokens: Some(9),
                cost_usd,
                ..Answer::default()
            };
            let written = Written {
                bytes,
                ..Written::default()
            };
            let cost = entry.cost(&prompt, &answer, written).unwrap();
            (cost.amount, cost.estimated)
        };
        assert_eq!(of(None, None, None, 0), (5.0, true));
        assert_eq!(of(None, Some(7), None, 0), (10.0, true));
        assert_eq!(of(Some(19), None, None, 0), (12.0, true));
        assert_eq!(
            of(Some(19), None, None, 30),
            (20.0, true),
            "what was thought counts"
        );
        assert_eq!(
            of(Some(0), Some(0), None, 0),
            (5.0, true),
            "a text has tokens"
        );
        assert_eq!(of(None, None, Some(-3.0), 0), (5.0, true));
        assert_eq!(of(None, None, Some(f64::NAN), 0), (5.0, true));
        assert_eq!(of(None, None, Some(2.0), 0), (2.0, false));
    }
}
