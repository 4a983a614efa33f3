//! `generators`: who writes code for tasks, by name.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{channels, quantity};
use crate::code;
use crate::generator::http;
use crate::generator::key::KeySource;
use crate::generator::wire::{self, Dialect};
use crate::generator::{Budget, Price, TIMEOUT, command};
use crate::workflow::yaml::{self, Entry, Fields, Keys, Kind, Node, Report};

/// The generators of an installation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// Each by its name.
    pub by_name: BTreeMap<String, Generator>,
    /// `default_generator`: the one of steps that name none.
    pub default: Option<String>,
}

/// One generator.
#[derive(Debug, Clone, PartialEq)]
pub struct Generator {
    /// What it is.
    pub kind: GeneratorKind,
    /// What its tokens cost.
    pub price: Option<Price>,
    /// What it may cost.
    pub budget: Budget,
}

/// What a generator is. Files are as written, relative to the configuration file.
#[derive(Debug, Clone, PartialEq)]
pub enum GeneratorKind {
    /// A model over HTTP.
    Http(http::Settings),
    /// Recorded answers.
    Scripted(String),
    /// A Python file.
    Template(String),
    /// A program.
    Command(command::Settings),
}

/// Providers that are no model over HTTP.
const OTHERS: [&str; 3] = ["scripted", "template", "command"];

const GENERATOR: Keys = Keys {
    what: "a generator",
    now: &[
        "provider",
        "base_url",
        "model",
        "api_key",
        "temperature",
        "fresh_temperature",
        "max_tokens",
        "max_tokens_field",
        "seed",
        "num_ctx",
        "structured",
        "timeout",
        "stream",
        "first_byte_timeout",
        "idle_timeout",
        "price",
        "budget",
        "file",
        "command",
        "input",
        "env",
    ],
    later: &[],
};

/// Which keys a provider reads.
const HTTP_KEYS: [&str; 16] = [
    "base_url",
    "model",
    "api_key",
    "temperature",
    "fresh_temperature",
    "max_tokens",
    "max_tokens_field",
    "seed",
    "num_ctx",
    "structured",
    "timeout",
    "stream",
    "first_byte_timeout",
    "idle_timeout",
    "price",
    "budget",
];
const FILE_KEYS: [&str; 1] = ["file"];
const COMMAND_KEYS: [&str; 4] = ["command", "input", "env", "timeout"];

const API_KEY: Keys = Keys {
    what: "`api_key`",
    now: &["env", "file"],
    later: &[],
};

const PRICE: Keys = Keys {
    what: "`price`",
    now: &["input", "output", "cached", "currency"],
    later: &[],
};

const BUDGET: Keys = Keys {
    what: "`budget`",
    now: &["per_run", "per_month"],
    later: &[],
};

const FIELDS: [&str; 2] = ["max_tokens", "max_completion_tokens"];
const INPUTS: [(&str, command::Input); 2] = [
    ("text", command::Input::Text),
    ("json", command::Input::Json),
];
const TOKENS_MAX: u32 = 10_000_000;
const TEMPERATURE_MAX: f64 = 2.0;
/// Longest name: it becomes part of a file's name.
const NAME_CHARS_MAX: usize = 64;

pub(super) fn read(report: &mut Report<'_>, node: &Node, settings: &mut Settings) {
    for entry in yaml::map(report, node).unwrap_or_default() {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name = entry.key.as_str();
        let fits = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(plain)
            && name.len() <= NAME_CHARS_MAX;
        if !fits {
            report.error_with(
                code::BAD_VALUE,
                entry.key_span,
                format!("`{name}` can't be the name of a generator"),
                "use letters, digits, `_`, `-` and `.`",
            );
        }
        if let Some(generator) = generator(report, &entry.node) {
            settings.by_name.insert(entry.key.clone(), generator);
        }
    }
}

pub(super) fn read_default(report: &mut Report<'_>, entry: &Entry, settings: &mut Settings) {
    let Some(name) = yaml::text(report, &entry.node) else {
        return;
    };
    if !settings.by_name.contains_key(name) {
        let known: Vec<&str> = settings.by_name.keys().map(String::as_str).collect();
        if known.is_empty() {
            report.error(
                code::UNKNOWN_GENERATOR,
                entry.node.span,
                format!("there is no generator `{name}`: there are no `generators`"),
            );
        } else {
            yaml::unknown_word(report, &entry.node, name, &known);
        }
    }
    settings.default = Some(name.to_owned());
}

fn generator(report: &mut Report<'_>, node: &Node) -> Option<Generator> {
    let fields = yaml::fields(report, node, &GENERATOR)?;
    let provider = fields.required(report, &GENERATOR, "provider")?;
    let word = yaml::text(report, provider)?;
    let dialect = Dialect::ALL
        .into_iter()
        .find(|dialect| dialect.as_str() == word);
    let kind = match (dialect, word) {
        (Some(dialect), _) => {
            refuse_others(report, fields, word, &HTTP_KEYS);
            GeneratorKind::Http(model(report, fields, dialect)?)
        }
        (None, "scripted" | "template") => {
            refuse_others(report, fields, word, &FILE_KEYS);
            let file = fields.required(report, &GENERATOR, "file")?;
            let file = yaml::text(report, file)?.to_owned();
            if word == "scripted" {
                GeneratorKind::Scripted(file)
            } else {
                GeneratorKind::Template(file)
            }
        }
        (None, "command") => {
            refuse_others(report, fields, word, &COMMAND_KEYS);
            GeneratorKind::Command(program(report, fields)?)
        }
        (None, _) => {
            let known = Dialect::ALL.map(Dialect::as_str);
            let known: Vec<&str> = known.into_iter().chain(OTHERS).collect();
            yaml::unknown_word(report, provider, word, &known);
            return None;
        }
    };
    let price = fields.get("price").and_then(|node| price(report, node));
    let budget = match fields.get("budget") {
        Some(node) => budget(report, node, fields),
        None => Budget::default(),
    };
    Some(Generator {
        kind,
        price,
        budget,
    })
}

fn refuse_others(report: &mut Report<'_>, fields: Fields<'_>, provider: &str, read: &[&str]) {
    let all = GENERATOR.now.iter();
    for key in all.filter(|key| **key != "provider" && !read.contains(key)) {
        if let Some(entry) = fields.entry(key) {
            report.error(
                code::USELESS_KEY,
                entry.key_span,
                format!("`{key}` does nothing for the provider `{provider}`"),
            );
        }
    }
}

fn model(report: &mut Report<'_>, fields: Fields<'_>, dialect: Dialect) -> Option<http::Settings> {
    let name = fields.required(report, &GENERATOR, "model")?;
    let mut settings = http::Settings::new(dialect, yaml::text(report, name)?);
    if let Some(node) = fields.get("base_url") {
        let url = channels::url(report, node)?;
        if url.contains(['?', '#']) {
            let message = "a path is added at its end, so it has no `?` and no `#`";
            report.error(code::BAD_VALUE, node.span, message.to_owned());
            return None;
        }
        url.trim_end_matches('/').clone_into(&mut settings.base_url);
    }
    settings.api_key = fields.get("api_key").and_then(|node| key(report, node));
    if let Some(node) = fields.get("temperature") {
        settings.temperature = match node.kind {
            // What the provider does by itself: some models refuse the word.
            Kind::Null => None,
            Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text { .. }
            | Kind::List(_)
            | Kind::Map(_) => Some(quantity::number_in(report, node, 0.0, TEMPERATURE_MAX)?),
        };
    }
    if let Some(entry) = fields.entry("fresh_temperature") {
        if settings.temperature.is_none() {
            let message = "`fresh_temperature` does nothing with `temperature: null`";
            report.error(code::USELESS_KEY, entry.key_span, message);
        }
        settings.fresh_temperature =
            quantity::number_in(report, &entry.node, 0.0, TEMPERATURE_MAX)?;
    }
    if let Some(node) = fields.get("max_tokens") {
        settings.max_tokens = yaml::whole(report, node, 1, TOKENS_MAX)?;
    }
    if let Some(node) = fields.get("structured") {
        settings.structured = yaml::boolean(report, node)?;
    }
    settings.timeout = timeout(report, fields);
    if let Some(node) = fields.get("stream") {
        settings.stream = yaml::boolean(report, node)?;
    }
    let wait = |report: &mut Report<'_>, key| {
        let entry = fields.entry(key)?;
        if !settings.stream {
            let message = format!("`{key}` does nothing with `stream: false`");
            report.error(code::USELESS_KEY, entry.key_span, message);
        }
        quantity::duration(report, &entry.node)
    };
    let first = wait(report, "first_byte_timeout");
    let idle = wait(report, "idle_timeout");
    settings.first_byte_timeout = first;
    settings.idle_timeout = idle.unwrap_or(settings.idle_timeout);
    only_for(report, fields, dialect, &mut settings)?;
    Some(settings)
}

/// Keys that only some protocols have.
fn only_for(
    report: &mut Report<'_>,
    fields: Fields<'_>,
    dialect: Dialect,
    settings: &mut http::Settings,
) -> Option<()> {
    let knows = [
        ("max_tokens_field", dialect == Dialect::OpenAi),
        ("seed", wire::takes_seed(dialect)),
        ("num_ctx", dialect == Dialect::Ollama),
    ];
    for (key, known) in knows {
        if let Some(entry) = fields.entry(key).filter(|_| !known) {
            let word = dialect.as_str();
            report.error(
                code::USELESS_KEY,
                entry.key_span,
                format!("`{key}` does nothing for the provider `{word}`"),
            );
        }
    }
    if let Some(node) = fields.get("max_tokens_field") {
        let word = yaml::text(report, node)?;
        if !FIELDS.contains(&word) {
            yaml::unknown_word(report, node, word, &FIELDS);
        }
        word.clone_into(&mut settings.max_tokens_field);
    }
    if let Some(node) = fields.get("seed") {
        settings.seed = Some(yaml::whole(report, node, 0, u32::MAX)?.into());
    }
    if let Some(node) = fields.get("num_ctx") {
        settings.num_ctx = yaml::whole(report, node, 256, TOKENS_MAX)?;
    }
    Some(())
}

fn timeout(report: &mut Report<'_>, fields: Fields<'_>) -> Duration {
    let node = fields.get("timeout");
    let read = node.and_then(|node| quantity::duration(report, node));
    read.unwrap_or(TIMEOUT)
}

/// Where a key is. The key itself has no place here.
fn key(report: &mut Report<'_>, node: &Node) -> Option<KeySource> {
    if node.text().is_some() {
        report.error_with(
            code::WRONG_TYPE,
            node.span,
            "a key must not stand in config.yml",
            "say where it is: `{env: NAME}` or `{file: PATH}`",
        );
        return None;
    }
    let fields = yaml::fields(report, node, &API_KEY)?;
    let text = |report: &mut Report<'_>, node: &Node| {
        let text = yaml::text(report, node)?.trim().to_owned();
        if text.is_empty() {
            report.error(code::BAD_VALUE, node.span, "this must not be empty");
            return None;
        }
        Some(text)
    };
    match (fields.get("env"), fields.get("file")) {
        (Some(name), None) => Some(KeySource::Env(text(report, name)?)),
        (None, Some(path)) => Some(KeySource::File(text(report, path)?.into())),
        (Some(_), Some(second)) => {
            let message = "`env` and `file` exclude each other";
            report.error(code::CONFLICTING_KEYS, second.span, message);
            None
        }
        (None, None) => {
            let message = "`api_key` needs the key `env` or `file`";
            report.error(code::MISSING_KEY, node.span, message);
            None
        }
    }
}

fn price(report: &mut Report<'_>, node: &Node) -> Option<Price> {
    let fields = yaml::fields(report, node, &PRICE)?;
    let input = fields
        .required(report, &PRICE, "input")
        .and_then(|node| amount(report, node));
    let output = fields
        .required(report, &PRICE, "output")
        .and_then(|node| amount(report, node));
    let cached = fields.get("cached").and_then(|node| amount(report, node));
    let currency = match fields.get("currency") {
        Some(node) => yaml::text(report, node)?.to_owned(),
        None => "USD".to_owned(),
    };
    Some(Price {
        input: input?,
        cached,
        output: output?,
        currency,
    })
}

fn budget(report: &mut Report<'_>, node: &Node, of: Fields<'_>) -> Budget {
    let Some(fields) = yaml::fields(report, node, &BUDGET) else {
        return Budget::default();
    };
    if of.get("price").is_none() {
        report.error_with(
            code::MISSING_KEY,
            node.span,
            "`budget` needs `price`: without it nobody knows what a call costs",
            "add `price: {input: …, output: …}`, for a million tokens",
        );
    }
    let per_run = fields.get("per_run").and_then(|node| amount(report, node));
    let per_month = fields
        .get("per_month")
        .and_then(|node| amount(report, node));
    Budget { per_run, per_month }
}

fn amount(report: &mut Report<'_>, node: &Node) -> Option<f64> {
    quantity::number_in(report, node, 0.0, 1e12)
}

fn program(report: &mut Report<'_>, fields: Fields<'_>) -> Option<command::Settings> {
    let node = fields.required(report, &GENERATOR, "command")?;
    let words = yaml::texts(report, node)?;
    if words.first().is_none_or(String::is_empty) {
        report.error(code::BAD_VALUE, node.span, "`command` needs a program");
        return None;
    }
    let input = match fields.get("input") {
        Some(node) => yaml::word(report, node, &INPUTS)?,
        None => command::Input::default(),
    };
    let env = fields.get("env").and_then(|node| yaml::texts(report, node));
    Some(command::Settings {
        command: words,
        input,
        env: env.unwrap_or_default(),
        timeout: timeout(report, fields),
    })
}
