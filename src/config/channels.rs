//! `channels`: ways to tell people, by name.

use std::collections::BTreeMap;

use crate::code;
use crate::transport::{Channel, Mail, MailTls, address};
use crate::workflow::yaml::{self, Entry, Fields, Keys, Kind, Node, Report};

const CHANNEL: Keys = Keys {
    what: "a channel",
    now: &["webhook", "headers", "slack", "mail"],
    later: &[],
};

/// The keys of which a channel has one.
const KINDS: [&str; 3] = ["webhook", "slack", "mail"];

const MAIL: Keys = Keys {
    what: "`mail`",
    now: &["server", "port", "tls", "user", "password", "from", "to"],
    later: &[],
};

const TLS: [(&str, MailTls); 3] = [
    ("starttls", MailTls::StartTls),
    ("tls", MailTls::Tls),
    ("none", MailTls::None),
];

/// Hosts that are this machine: what goes there is seen by nobody else.
const THIS_MACHINE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Largest number of a port.
const PORT_MAX: u32 = 65_535;

pub(super) fn read(report: &mut Report<'_>, node: &Node, channels: &mut BTreeMap<String, Channel>) {
    for entry in yaml::map(report, node).unwrap_or_default() {
        if entry.key.is_empty() {
            report.error(code::BAD_VALUE, entry.key_span, "a channel needs a name");
        }
        if let Some(channel) = channel(report, &entry.node) {
            channels.insert(entry.key.clone(), channel);
        }
    }
}

fn channel(report: &mut Report<'_>, node: &Node) -> Option<Channel> {
    let fields = yaml::fields(report, node, &CHANNEL)?;
    let kinds: Vec<&Entry> = KINDS
        .into_iter()
        .filter_map(|kind| fields.entry(kind))
        .collect();
    let [kind, others @ ..] = kinds.as_slice() else {
        if !KINDS.iter().any(|kind| fields.has_slip_of(&CHANNEL, kind)) {
            report.error_with(
                code::MISSING_KEY,
                node.span,
                "a channel needs to say what it is",
                "write one of `webhook: ADDRESS`, `slack: ADDRESS` and `mail: {…}`",
            );
        }
        return None;
    };
    for other in others {
        report.error_with(
            code::CONFLICTING_KEYS,
            other.key_span,
            format!("a channel is one thing: `{}` or `{}`", kind.key, other.key),
            "make two channels of it",
        );
    }
    if let Some(entry) = fields.entry("headers")
        && kind.key != "webhook"
    {
        report.error(
            code::USELESS_KEY,
            entry.key_span,
            format!("`headers` means nothing beside `{}`", kind.key),
        );
    }
    match kind.key.as_str() {
        "webhook" => Some(Channel::Webhook {
            url: url(report, &kind.node)?,
            headers: headers(report, fields),
        }),
        "slack" => Some(Channel::Slack {
            url: url(report, &kind.node)?,
        }),
        _ => mail(report, &kind.node).map(Channel::Mail),
    }
}

/// An address of the web. It may be a secret, so no message repeats it.
pub(super) fn url(report: &mut Report<'_>, node: &Node) -> Option<String> {
    let text = yaml::text(report, node)?;
    match address::check(text) {
        Ok(()) => Some(text.to_owned()),
        Err(message) => {
            report.error(code::BAD_VALUE, node.span, message);
            None
        }
    }
}

fn headers(report: &mut Report<'_>, fields: Fields<'_>) -> Vec<(String, String)> {
    let entries = fields
        .get("headers")
        .and_then(|node| yaml::map(report, node));
    let mut headers = Vec::new();
    for entry in entries.unwrap_or_default() {
        let Some(value) = yaml::text(report, &entry.node) else {
            continue;
        };
        match address::check_header(&entry.key, value) {
            Ok(()) => headers.push((entry.key.clone(), value.to_owned())),
            Err(message) => report.error(code::BAD_VALUE, entry.key_span, message),
        }
    }
    headers
}

fn mail(report: &mut Report<'_>, node: &Node) -> Option<Mail> {
    let fields = yaml::fields(report, node, &MAIL)?;
    let server = fields
        .required(report, &MAIL, "server")
        .and_then(|node| filled(report, node));
    let from = fields
        .required(report, &MAIL, "from")
        .and_then(|node| mailbox(report, node));
    let to = fields
        .required(report, &MAIL, "to")
        .and_then(|node| mailboxes(report, node));
    let tls = match fields.get("tls") {
        Some(node) => yaml::word(report, node, &TLS)?,
        None => MailTls::default(),
    };
    let port = match fields.get("port") {
        Some(node) => yaml::whole(report, node, 1, PORT_MAX)?,
        None => tls.usual_port().into(),
    };
    let user = optional(report, fields, "user");
    let password = optional(report, fields, "password");
    let server = server?;
    if user.is_some() != password.is_some() {
        report.error(
            code::MISSING_KEY,
            node.span,
            "`user` and `password` belong together",
        );
    } else if let Some(entry) = fields.entry("password")
        && password.is_some()
        && tls == MailTls::None
        && !THIS_MACHINE.contains(&server.as_str())
    {
        report.error_with(
            code::CONFLICTING_KEYS,
            entry.key_span,
            "with `tls: none` the password would travel in the clear",
            "use `tls: starttls` or `tls: tls`; only a server of this machine may do without",
        );
    }
    Some(Mail {
        server,
        port: u16::try_from(port).ok()?,
        tls,
        user,
        password,
        from: from?,
        to: to?,
    })
}

fn filled(report: &mut Report<'_>, node: &Node) -> Option<String> {
    let text = yaml::text(report, node)?;
    if text.trim().is_empty() {
        report.error(code::BAD_VALUE, node.span, "this must not be empty");
        return None;
    }
    Some(text.to_owned())
}

/// `${SMTP_USER:-}` of an unset variable leaves nothing behind, which means: not set.
fn optional(report: &mut Report<'_>, fields: Fields<'_>, key: &str) -> Option<String> {
    fields
        .get(key)
        .filter(|node| node.kind != Kind::Null)
        .and_then(|node| yaml::text(report, node))
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn mailbox(report: &mut Report<'_>, node: &Node) -> Option<String> {
    let text = yaml::text(report, node)?;
    match address::check_mailbox(text) {
        Ok(()) => Some(text.to_owned()),
        Err(message) => {
            report.error(code::BAD_VALUE, node.span, message);
            None
        }
    }
}

/// One mailbox, or a list of them.
fn mailboxes(report: &mut Report<'_>, node: &Node) -> Option<Vec<String>> {
    if let Kind::Text { .. } = node.kind {
        return mailbox(report, node).map(|one| vec![one]);
    }
    let nodes = yaml::list(report, node)?;
    if nodes.is_empty() {
        report.error(code::BAD_VALUE, node.span, "a mail needs somebody to go to");
        return None;
    }
    nodes.iter().map(|node| mailbox(report, node)).collect()
}
