//! Passwords, tokens and keys.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const SECRET: Family = Family {
    calls: &[
        "keyring.*",
        "netrc.netrc",
        "getpass.getpass",
        "dotenv.load_dotenv",
        "dotenv.dotenv_values",
        "secretstorage.*",
        "hvac.*",
    ],
    ..Family::new(Rule::SecretRead)
};

/// Words in the name of an environment variable that holds a secret.
const WORDS: &[&str] = &[
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "SSH_AUTH",
];

/// Parts of paths behind which secrets are kept.
const PATHS: &[&str] = &[
    "/.ssh/",
    "/.aws/",
    "/.netrc",
    "/.pgpass",
    "/.gnupg/",
    "/.kube/config",
    "/.docker/config.json",
    "/.git-credentials",
    "/.pypirc",
    "/.config/gcloud/",
    "/.env",
    "/etc/shadow",
    "/proc/kcore",
    "/run/secrets/",
];

/// Whether an environment variable of that name holds a secret.
pub(in crate::python::analysis) fn named_like_a_secret(variable: &str) -> bool {
    let variable = variable.to_ascii_uppercase();
    WORDS.iter().any(|word| variable.contains(word)) || variable.ends_with("_PASS")
}

/// Whether a file of that path holds a secret.
pub(in crate::python::analysis) fn holds_secrets(path: &str) -> bool {
    let path = path.strip_prefix('~').unwrap_or(path);
    let hidden = path.starts_with(".env").then(|| format!("/{path}"));
    let path = hidden.as_deref().unwrap_or(path);
    let proc_environ = path.starts_with("/proc/") && path.ends_with("/environ");
    PATHS
        .iter()
        .any(|part| path.contains(part) && (*part != "/.env" || path.ends_with("/.env")))
        || proc_environ
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "GITHUB_TOKEN",
            "aws_secret_access_key",
            "DB_PASS",
            "Api_Key",
        ] {
            assert!(named_like_a_secret(name), "{name}");
        }
        for name in ["HOME", "PATH", "COMPASS", "EPICS_CA_ADDR_LIST", "KEYBOARD"] {
            assert!(!named_like_a_secret(name), "{name}");
        }
        for path in [
            "~/.ssh/id_rsa",
            "/proc/1/environ",
            "/etc/shadow",
            ".env",
            "/srv/app/.env",
        ] {
            assert!(holds_secrets(path), "{path}");
        }
        for path in [
            "/data/environment.csv",
            ".envelope",
            "/data/x.envelope",
            "/proc/cpuinfo",
        ] {
            assert!(!holds_secrets(path), "{path}");
        }
    }
}
