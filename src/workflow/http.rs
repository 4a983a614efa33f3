//! `http` and `notify`: what leaves the machine.

use indexmap::IndexMap;

use super::compiler::Compiler;
use super::draft::Site;
use super::installed::Sort;
use super::keys;
use super::text::Uses;
use super::yaml::{self, Fields, Kind, Node};
use crate::code;
use crate::expression::{Part, Template};
use crate::plan::{HttpStep, NotifyStep, NotifyTarget};

/// Methods, as they are written.
pub(super) const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
/// The method when none is written.
const METHOD: &str = "GET";
/// Methods whose requests carry no body.
const BODILESS: [&str; 2] = ["GET", "HEAD"];
/// Lowest and highest status code.
pub(super) const STATUS: (u32, u32) = (100, 599);
/// How an address begins.
const SCHEMES: [&str; 2] = ["http://", "https://"];
/// Characters of the name of a header field beside letters and digits.
const TOKEN_MARKS: &str = "!#$%&'*+-.^_`|~";

impl Compiler<'_, '_> {
    /// Reads `http:`.
    pub(super) fn http(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<HttpStep> {
        let fields = yaml::fields(&mut self.report, node, &keys::HTTP)?;
        let method = match fields.get("method") {
            Some(node) => self.http_method(node),
            None => Some(METHOD.to_owned()),
        };
        let url = fields
            .required(&mut self.report, &keys::HTTP, "url")
            .and_then(|node| self.address(node, uses));
        let headers = match fields.get("headers") {
            Some(node) => self.headers(node, &mut Uses::new(Site::Step, uses.list).with_secrets()),
            None => IndexMap::new(),
        };
        let body = self.http_body(fields, method.as_deref(), uses);
        let expect = match fields.get("expect") {
            Some(node) => self.expected(node),
            None => Vec::new(),
        };
        Some(HttpStep {
            method: method?,
            url: url?,
            headers,
            body,
            expect,
        })
    }

    fn http_method(&mut self, node: &Node) -> Option<String> {
        let found = yaml::text(&mut self.report, node)?;
        if METHODS.contains(&found) {
            return Some(found.to_owned());
        }
        yaml::unknown_word(&mut self.report, node, found, &METHODS);
        None
    }

    /// An address: text that begins with a scheme, as far as that can be seen.
    fn address(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Template> {
        let template = self.text_template(node, uses)?;
        let beginning = match &template {
            Template::Literal(value) => value.as_str(),
            Template::Text(parts) => match parts.first() {
                Some(Part::Text(text)) => Some(text.as_str()),
                Some(Part::Expression(_)) | None => None,
            },
            Template::Expression(_) | Template::List(_) | Template::Map(_) => None,
        };
        let wrong = beginning.is_some_and(|text| {
            !SCHEMES.iter().any(|scheme| {
                text.starts_with(scheme) && (text != *scheme || !is_literal(&template))
            })
        });
        if wrong {
            self.report.error_with(
                code::BAD_VALUE,
                node.span,
                format!("`{}` is no address", node.text().unwrap_or_default()),
                "an address begins with https:// or http:// and names a host",
            );
            return None;
        }
        Some(template)
    }

    fn headers(&mut self, node: &Node, uses: &mut Uses<'_>) -> IndexMap<String, Template> {
        let entries = yaml::map(&mut self.report, node).unwrap_or_default();
        for (position, entry) in entries.iter().enumerate() {
            let is_token = !entry.key.is_empty()
                && entry
                    .key
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || TOKEN_MARKS.contains(c));
            if !is_token {
                self.report.error(
                    code::BAD_VALUE,
                    entry.key_span,
                    format!("`{}` can't be the name of a header field", entry.key),
                );
            }
            let earlier = entries.iter().take(position);
            if let Some(first) = earlier
                .map(|earlier| &earlier.key)
                .find(|key| key.eq_ignore_ascii_case(&entry.key))
            {
                let message = format!("`{first}` and `{}` are the same header field", entry.key);
                self.report
                    .error(code::DUPLICATE_KEY, entry.key_span, message);
            }
            if matches!(entry.node.kind, Kind::List(_) | Kind::Map(_) | Kind::Null) {
                yaml::wrong_type(&mut self.report, &entry.node, "text");
            }
        }
        if node.entries().is_none() {
            return IndexMap::new();
        }
        self.templates(node, uses)
    }

    fn http_body(
        &mut self,
        fields: Fields<'_>,
        method: Option<&str>,
        uses: &mut Uses<'_>,
    ) -> Option<Template> {
        let entry = fields.entry("body")?;
        if let Some(method) = method.filter(|method| BODILESS.contains(method)) {
            self.report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                format!("`body` does nothing in a request of the method {method}"),
                "write `method: POST`, or put the values into the address",
            );
        }
        self.template(&entry.node, uses)
    }

    /// `expect:`: one status code or several.
    fn expected(&mut self, node: &Node) -> Vec<u16> {
        let items = match &node.kind {
            Kind::List(items) => items.as_slice(),
            Kind::Null
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text { .. }
            | Kind::Map(_) => std::slice::from_ref(node),
        };
        if items.is_empty() {
            self.report.error_with(
                code::BAD_VALUE,
                node.span,
                "`expect` holds no status code",
                "leave the key out when every code from 200 to 299 is a success",
            );
        }
        let mut codes = Vec::new();
        for item in items {
            let found = yaml::whole(&mut self.report, item, STATUS.0, STATUS.1);
            if let Some(code) = found.and_then(|code| u16::try_from(code).ok())
                && !codes.contains(&code)
            {
                codes.push(code);
            }
        }
        codes
    }

    /// Reads `notify:`: a channel with `text` beside it, or a map.
    pub(super) fn notify(
        &mut self,
        node: &Node,
        step: Fields<'_>,
        uses: &mut Uses<'_>,
    ) -> Option<NotifyStep> {
        if node.text().is_some() {
            let to = self.channel(node);
            let text = step.get("text");
            if text.is_none() {
                self.report.error_with(
                    code::MISSING_KEY,
                    node.span,
                    "the step does not say what to tell",
                    "write `text: …` beside `notify`",
                );
            }
            let text = text.and_then(|node| self.text_template(node, uses));
            return Some(NotifyStep {
                to: to?,
                text: text?,
            });
        }
        let fields = yaml::fields(&mut self.report, node, &keys::NOTIFY)?;
        if let Some(entry) = step.entry("text") {
            self.report.error_with(
                code::CONFLICTING_KEYS,
                entry.key_span,
                "`text` stands beside `notify`, which is a map",
                "indent it below `notify:`",
            );
        }
        let to = self.notify_target(fields, uses);
        let text = match (fields.get("text"), step.get("text")) {
            (None, Some(_)) => None,
            _ => fields
                .required(&mut self.report, &keys::NOTIFY, "text")
                .and_then(|node| self.text_template(node, uses)),
        };
        Some(NotifyStep {
            to: to?,
            text: text?,
        })
    }

    fn notify_target(&mut self, fields: Fields<'_>, uses: &mut Uses<'_>) -> Option<NotifyTarget> {
        match (fields.entry("channel"), fields.entry("webhook")) {
            (Some(channel), None) => self.channel(&channel.node),
            (None, Some(webhook)) => self.address(&webhook.node, uses).map(NotifyTarget::Webhook),
            (Some(_), Some(second)) => {
                let message = "`channel` and `webhook` exclude each other";
                self.report
                    .error(code::CONFLICTING_KEYS, second.key_span, message);
                None
            }
            (None, None) => {
                self.report.error_with(
                    code::MISSING_KEY,
                    fields.node().span,
                    "`notify` does not say whom to tell",
                    "give it a `channel` of config.yml or a `webhook`",
                );
                None
            }
        }
    }

    /// The name of a channel of config.yml.
    fn channel(&mut self, node: &Node) -> Option<NotifyTarget> {
        let name = yaml::text(&mut self.report, node)?;
        if name.trim().is_empty() || name.contains("${{") {
            self.report.error_with(
                code::BAD_VALUE,
                node.span,
                format!("`{name}` is not the name of a channel"),
                "write the name of a channel of config.yml, without expressions",
            );
            return None;
        }
        let name = name.to_owned();
        self.check_installed(Sort::Channel, &name, node.span);
        Some(NotifyTarget::Channel(name))
    }
}

fn is_literal(template: &Template) -> bool {
    matches!(template, Template::Literal(_))
}
