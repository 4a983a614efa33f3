//! Whom to tell, and what.

use std::fmt;

use serde_json::{Value, json};

use super::address;

/// A way to tell people.
#[derive(Clone, PartialEq, Eq)]
pub enum Channel {
    /// A POST with the message as JSON.
    Webhook {
        /// Where to.
        url: String,
        /// Header fields, such as `Authorization`.
        headers: Vec<(String, String)>,
    },
    /// An incoming webhook of Slack, or of anything that understands its messages (Mattermost, Rocket.Chat).
    Slack {
        /// Where to. Who knows it can write there, so it is a secret.
        url: String,
    },
    /// A mail by SMTP.
    Mail(Mail),
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook { url, .. } => write!(f, "Webhook({})", address::shown(url)),
            Self::Slack { url } => write!(f, "Slack({})", address::shown(url)),
            Self::Mail(mail) => write!(f, "Mail({}:{})", mail.server, mail.port),
        }
    }
}

/// Header fields whose values are no secrets.
const PLAIN_HEADERS: [&str; 3] = ["Accept", "Content-Type", "User-Agent"];

impl Channel {
    /// What nobody may read: addresses that are keys themselves, values of header fields, the password.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let (url, headers, password) = match self {
            Self::Webhook { url, headers } => (Some(url), headers.as_slice(), None),
            Self::Slack { url } => (Some(url), &[] as &[(String, String)], None),
            Self::Mail(mail) => (None, &[] as &[(String, String)], mail.password.as_ref()),
        };
        let values = headers
            .iter()
            .filter(|(name, _)| {
                !PLAIN_HEADERS
                    .iter()
                    .any(|plain| name.eq_ignore_ascii_case(plain))
            })
            .map(|(_, value)| value);
        url.into_iter()
            .chain(values)
            .chain(password)
            .map(String::as_str)
    }
}

/// A mailbox, and the server that takes mail for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Name of the server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// Who we are to the server; none = it wants to know nothing.
    pub user: Option<String>,
    /// The password of that user.
    pub password: Option<String>,
    /// The sender, `Name <name@host>` or `name@host`.
    pub from: String,
    /// Everybody who gets it, written the same way.
    pub to: Vec<String>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({}:{})", self.server, self.port)
    }
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailTls {
    /// It begins in the clear and must become encrypted before anything is said. The usual port is 587.
    #[default]
    StartTls,
    /// It is encrypted from its first byte on. The usual port is 465.
    Tls,
    /// It is never encrypted: for a server of this machine. The usual port is 25.
    None,
}

impl MailTls {
    /// The port that such servers usually have.
    #[must_use]
    pub fn usual_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// What people are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// One line: the subject of a mail.
    pub title: String,
    /// The rest, plain text.
    pub text: String,
    /// The same for the same message sent twice: header `Idempotency-Key` of a webhook, `Message-ID` of a mail.
    pub key: String,
    /// What programs want to know; in the document of a webhook as it is.
    pub facts: Value,
}

impl Message {
    /// The document that a webhook gets.
    #[must_use]
    pub fn webhook(&self) -> Value {
        json!({
            "title": self.title,
            "text": self.text,
            "key": self.key,
            "facts": self.facts,
        })
    }

    /// The document that Slack gets. `&`, `<` and `>` are its only marks that could call people or make links.
    #[must_use]
    pub fn slack(&self) -> Value {
        let title = slack_text(&self.title.replace('\n', " "));
        let text = slack_text(&self.text);
        let text = match (title.trim().is_empty(), text.trim().is_empty()) {
            (true, _) => text,
            (false, true) => format!("*{title}*"),
            (false, false) => format!("*{title}*\n{text}"),
        };
        json!({ "text": text })
    }
}

fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_gets_no_marks_of_others() {
        let message = Message {
            title: "a < b\nand".to_owned(),
            text: "<!channel> & you".to_owned(),
            key: "k".to_owned(),
            facts: Value::Null,
        };
        assert_eq!(
            message.slack(),
            json!({"text": "*a &lt; b and*\n&lt;!channel&gt; &amp; you"})
        );
    }

    #[test]
    fn what_is_printed_of_a_channel_has_no_secret() {
        let channels = [
            Channel::Webhook {
                url: "https://u:hidden@host.example/hidden?hidden".to_owned(),
                headers: vec![("X".to_owned(), "hidden".to_owned())],
            },
            Channel::Slack {
                url: "https://host.example/hidden".to_owned(),
            },
            Channel::Mail(Mail {
                server: "host.example".to_owned(),
                port: 25,
                tls: MailTls::None,
                user: Some("hidden".to_owned()),
                password: Some("hidden".to_owned()),
                from: "hidden@host.example".to_owned(),
                to: Vec::new(),
            }),
        ];
        for channel in channels {
            let printed = format!("{channel:?}");
            assert!(printed.contains("host.example"), "{printed}");
            assert!(!printed.contains("hidden"), "{printed}");
        }
    }
}
