//! Addresses: which are fine, and what may be shown of one. Only its scheme and its host may: the rest is often
//! a secret, as in Slack's webhooks.

use lettre::message::Mailbox;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

/// Header fields that belong to the connection.
const OF_THE_CONNECTION: [&str; 8] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Says what is wrong with an address that a request is to go to. The address itself is not repeated.
///
/// # Errors
/// One sentence.
pub fn check(url: &str) -> Result<(), String> {
    parse(url).map(|_| ())
}

/// Says what is wrong with a mailbox, written `name@host` or `Name <name@host>`.
///
/// # Errors
/// One sentence.
pub fn check_mailbox(written: &str) -> Result<(), String> {
    mailbox(written).map(|_| ())
}

/// Says what is wrong with a header field. Its value may be a secret and is not repeated.
///
/// # Errors
/// One sentence.
pub fn check_header(name: &str, value: &str) -> Result<(), String> {
    header(name, value).map(|_| ())
}

pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let field = HeaderName::from_bytes(name.as_bytes())
        .ok()
        .filter(|field| !OF_THE_CONNECTION.contains(&field.as_str()))
        .ok_or_else(|| format!("the header field `{name}` can't be set"))?;
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        format!("the value of the header field `{name}` has characters that can't be sent")
    })?;
    value.set_sensitive(true);
    Ok((field, value))
}

pub(super) fn parse(url: &str) -> Result<Url, String> {
    let parsed = Url::parse(url).map_err(|error| format!("the address is no URL: {error}"))?;
    if matches!(parsed.scheme(), "http" | "https") {
        Ok(parsed)
    } else {
        Err("the address must begin with http:// or https://".to_owned())
    }
}

pub(super) fn mailbox(written: &str) -> Result<Mailbox, String> {
    written
        .parse()
        .map_err(|error| format!("`{written}` is no mailbox: {error}"))
}

/// The scheme and host of a URL, with its port when it names one; `an address` when it is no URL.
#[must_use]
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "an address".to_owned();
    };
    let plain = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric());
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if !plain || host.is_empty() {
        return "an address".to_owned();
    }
    format!("{}://{host}", scheme.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_addresses_and_real_mailboxes_are_fine() {
        for fine in ["http://a", "https://u:p@a.example:1/b?c"] {
            assert_eq!(check(fine), Ok(()));
        }
        for bad in ["", "a.example", "ftp://a", "http://", "file:///etc/passwd"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        for fine in ["a@b.example", "Ada L. <a@b>"] {
            assert_eq!(check_mailbox(fine), Ok(()));
        }
        for bad in ["", "a", "a@", "a@b c", "a@b.example\r\nBcc: c@d.example"] {
            assert!(check_mailbox(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_scheme_and_host_are_shown() {
        for (url, expected) in [
            ("https://a.example/b/c?d=e#f", "https://a.example"),
            ("HTTP://a.example:8080", "http://a.example:8080"),
            ("http://[::1]:80/x", "http://[::1]:80"),
            ("https://u:p@a.example/", "https://a.example"),
            ("https://u:p@q@a.example?x", "https://a.example"),
            ("secret", "an address"),
            ("secret token://a", "an address"),
            ("https:///path", "an address"),
            ("", "an address"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }
}
