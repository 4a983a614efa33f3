//! Where the code of a step runs: what was wished, what is known of the step, and the rules that decide.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Mode, millis};
use crate::expression::{self, Expression, Lookup, Scope, StepStatusWord};

/// The wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    /// On the engine's machine.
    #[default]
    Local,
    /// In a kernel of a Jupyter server.
    Container,
    /// Wherever the rules of the installation say.
    Auto,
}

impl Execution {
    /// Every word with its meaning.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("local", Self::Local),
        ("container", Self::Container),
        ("auto", Self::Auto),
    ];

    /// Reads a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let found = Self::WORDS.into_iter().find(|(known, _)| *known == word);
        found.map(|(_, execution)| execution)
    }

    /// The word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Container => "container",
            Self::Auto => "auto",
        }
    }
}

impl fmt::Display for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// On the engine's machine.
    Local,
    /// In a kernel of a Jupyter server.
    Container,
}

impl Method {
    /// Every word with its meaning.
    pub const WORDS: [(&'static str, Self); 2] =
        [("local", Self::Local), ("container", Self::Container)];

    /// The word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Container => "container",
        }
    }
}

/// How far the code of a step is to be kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityLevel {
    /// Hardly.
    Low,
    /// As usual.
    #[default]
    Medium,
    /// As far as can be.
    High,
}

impl SecurityLevel {
    /// Every word with its meaning.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What a step says of itself, for the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecutionFacts {
    /// Its code must not share the machine with anything.
    #[serde(skip_serializing_if = "is_false")]
    pub requires_isolation: bool,
    /// It needs what only a prepared image has.
    #[serde(skip_serializing_if = "is_false")]
    pub has_special_dependencies: bool,
    /// How long it is expected to take.
    #[serde(with = "millis", skip_serializing_if = "Option::is_none")]
    pub estimated_time: Option<Duration>,
    /// How far it is to be kept apart.
    #[serde(skip_serializing_if = "is_usual")]
    pub security_level: SecurityLevel,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_usual(level: &SecurityLevel) -> bool {
    *level == SecurityLevel::Medium
}

impl ExecutionFacts {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// One rule of the installation.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectRule {
    /// When it holds; none = always.
    pub when: Option<Expression>,
    /// What then.
    pub method: Method,
}

impl SelectRule {
    /// The names that a condition may use.
    pub const NAMES: [&'static str; 5] = [
        "requires_isolation",
        "has_special_dependencies",
        "estimated_time",
        "security_level",
        "mode",
    ];

    /// What holds where config.yml says nothing.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        let rule = |text: &str| {
            Expression::parse(text).ok().map(|when| Self {
                when: Some(when),
                method: Method::Container,
            })
        };
        [
            "security_level == 'high' or requires_isolation",
            "has_special_dependencies or estimated_time > 300",
        ]
        .into_iter()
        .filter_map(rule)
        .chain([Self {
            when: None,
            method: Method::Local,
        }])
        .collect()
    }
}

/// Where a step runs, and what decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where.
    pub method: Method,
    /// Which rule, for people.
    pub rule: String,
}

/// Decides where a step runs. Pure: the same wish, rules and facts give the same place.
///
/// # Errors
/// The condition of a rule can't be evaluated.
pub fn place(
    wish: (Execution, &str),
    rules: &[SelectRule],
    (facts, mode): (&ExecutionFacts, Mode),
) -> Result<Placed, expression::Error> {
    let (execution, source) = wish;
    let fixed = |method| {
        Ok(Placed {
            method,
            rule: source.to_owned(),
        })
    };
    match execution {
        Execution::Local => return fixed(Method::Local),
        Execution::Container => return fixed(Method::Container),
        Execution::Auto => {}
    }
    let scope = Facts::of(facts, mode);
    for (index, rule) in rules.iter().enumerate() {
        let number = index + 1;
        let (holds, text) = match &rule.when {
            None => (true, "always".to_owned()),
            Some(when) => (when.condition(&scope)?, when.source().to_owned()),
        };
        if holds {
            return Ok(Placed {
                method: rule.method,
                rule: format!("{source}, rule {number} of select: {text}"),
            });
        }
    }
    Ok(Placed {
        method: Method::Local,
        rule: format!("{source}, no rule of select holds"),
    })
}

/// The facts as an expression sees them.
struct Facts(Value);

impl Facts {
    fn of(facts: &ExecutionFacts, mode: Mode) -> Self {
        let time = facts.estimated_time.unwrap_or_default();
        let seconds = if time.subsec_nanos() == 0 {
            json!(time.as_secs())
        } else {
            json!(time.as_secs_f64())
        };
        Self(json!({
            "requires_isolation": facts.requires_isolation,
            "has_special_dependencies": facts.has_special_dependencies,
            "estimated_time": seconds,
            "security_level": facts.security_level.as_str(),
            "mode": mode.as_str(),
        }))
    }
}

impl Scope for Facts {
    fn lookup(&self, path: &[&str]) -> Lookup<'_> {
        match path.first().and_then(|name| self.0.get(name)) {
            Some(value) => Lookup::Json { value, used: 1 },
            None => Lookup::Unknown {
                known: SelectRule::NAMES.map(str::to_owned).to_vec(),
            },
        }
    }

    fn status(&self, _step: &str) -> Option<StepStatusWord> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed's own function, line for line.
    fn oracle(facts: &ExecutionFacts) -> Method {
        let long = facts.estimated_time.unwrap_or_default() > Duration::from_secs(300);
        if facts.security_level == SecurityLevel::High || facts.requires_isolation {
            return Method::Container;
        }
        if facts.has_special_dependencies || long {
            return Method::Container;
        }
        Method::Local
    }

    fn all_facts() -> Vec<ExecutionFacts> {
        let times = [None, Some(0), Some(300_000), Some(300_001), Some(301_000)];
        let mut all = Vec::new();
        for (_, security_level) in SecurityLevel::WORDS {
            for requires_isolation in [false, true] {
                for has_special_dependencies in [false, true] {
                    for time in times {
                        all.push(ExecutionFacts {
                            requires_isolation,
                            has_special_dependencies,
                            estimated_time: time.map(Duration::from_millis),
                            security_level,
                        });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn the_usual_rules_are_the_truth_table() {
        let rules = SelectRule::usual();
        assert_eq!(rules.len(), 3);
        let all = all_facts();
        assert_eq!(all.len(), 60);
        for facts in all {
            for mode in [Mode::ReadOnly, Mode::WriteAccess] {
                let placed = place((Execution::Auto, "auto"), &rules, (&facts, mode)).unwrap();
                assert_eq!(placed.method, oracle(&facts), "{facts:?}: {placed:?}");
            }
        }
    }

    #[test]
    fn the_decision_names_its_rule() {
        let rules = SelectRule::usual();
        let told = |execution, facts: &ExecutionFacts| {
            place((execution, "here"), &rules, (facts, Mode::ReadOnly))
                .unwrap()
                .rule
        };
        let high = ExecutionFacts {
            security_level: SecurityLevel::High,
            ..Default::default()
        };
        assert_eq!(
            told(Execution::Auto, &high),
            "here, rule 1 of select: security_level == 'high' or requires_isolation"
        );
        assert_eq!(
            told(Execution::Auto, &ExecutionFacts::default()),
            "here, rule 3 of select: always"
        );
        assert_eq!(
            told(Execution::Local, &high),
            "here",
            "a wish goes before every rule"
        );
        let none = place((Execution::Auto, "here"), &[], (&high, Mode::ReadOnly)).unwrap();
        assert_eq!(
            (none.method, none.rule.as_str()),
            (Method::Local, "here, no rule of select holds")
        );
    }

    #[test]
    fn a_rule_that_names_something_else_is_a_fault() {
        let rules = [SelectRule {
            when: Some(Expression::parse("inputs.x > 1").unwrap()),
            method: Method::Container,
        }];
        let facts = ExecutionFacts::default();
        assert!(place((Execution::Auto, "x"), &rules, (&facts, Mode::ReadOnly)).is_err());
    }

    #[test]
    fn facts_that_say_nothing_are_not_stored() {
        assert_eq!(
            serde_json::to_string(&ExecutionFacts::default()).unwrap(),
            "{}"
        );
        let facts: ExecutionFacts = serde_json::from_str("{}").unwrap();
        assert!(facts.is_plain());
    }
}
