//! What may be shown of an address: its scheme and its host. The rest is often a secret, as in Slack's webhooks.

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
    use super::shown;

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
