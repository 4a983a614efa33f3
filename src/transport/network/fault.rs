//! What the network's errors mean.

use std::error::Error;
use std::io;

use lettre::transport::smtp;

use crate::code;
use crate::failure::{Failure, FailureKind};

/// The end of a chain of errors.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Refused,
    /// The certificate is at fault: trying again does not help.
    Certificate,
    Tls,
    Other,
}

/// Why a request got no answer.
pub(super) fn of_http(error: reqwest::Error, shown: &str) -> Failure {
    // The address stands in the error, and may be secret.
    let error = error.without_url();
    if error.is_builder() {
        return Failure::new(
            FailureKind::Configuration,
            code::REQUEST_INVALID,
            format!("the request to {shown} can't be made"),
        )
        .caused_by(&error);
    }
    if error.is_dns() {
        return unknown_host(shown).caused_by(&error);
    }
    of_end(&end(&error), shown).caused_by(&error)
}

/// Why a connection could not be made.
pub(super) fn of_error(error: &(dyn Error + 'static), shown: &str) -> Failure {
    of_end(&end(error), shown).caused_by(error)
}

/// Why a mail was not taken.
pub(super) fn of_mail(error: &smtp::Error, shown: &str) -> Failure {
    let status = error.status().map(u16::from);
    let failure = if error.is_permanent() {
        refused_mail(FailureKind::Configuration, shown)
    } else if error.is_transient() || error.is_client() || error.is_response() {
        refused_mail(FailureKind::Infrastructure, shown)
    } else {
        let end = end(error);
        let vague = end == End::Other && error.is_tls();
        of_end(if vague { &End::Tls } else { &end }, shown)
    };
    let failure = match status {
        Some(status) => failure.detail(serde_json::json!({ "status": status })),
        None => failure,
    };
    failure.caused_by(error)
}

/// Nobody knows that name.
pub(super) fn unknown_host(shown: &str) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::HOST_UNKNOWN,
        format!("the host of {shown} could not be found"),
    )
}

fn refused_mail(kind: FailureKind, shown: &str) -> Failure {
    Failure::new(
        kind,
        code::MAIL_REFUSED,
        format!("the mail server {shown} did not take the message"),
    )
}

fn of_end(end: &End, shown: &str) -> Failure {
    match end {
        End::Refused => Failure::new(
            FailureKind::Infrastructure,
            code::CONNECTION_REFUSED,
            format!("nothing listens at {shown}"),
        ),
        End::Certificate => Failure::new(
            FailureKind::Configuration,
            code::TLS_FAILED,
            format!("the certificate of {shown} is not valid here"),
        )
        .hint("SSL_CERT_FILE names a file with more authorities to trust, in PEM"),
        End::Tls => Failure::new(
            FailureKind::Infrastructure,
            code::TLS_FAILED,
            format!("no encrypted connection to {shown} could be made"),
        ),
        End::Other => Failure::new(
            FailureKind::Infrastructure,
            code::CONNECTION_FAILED,
            format!("the connection to {shown} could not be made, or broke"),
        ),
    }
}

fn end(error: &(dyn Error + 'static)) -> End {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return of_tls(tls);
        }
        if let Some(end) = error.downcast_ref::<io::Error>().and_then(inside) {
            return end;
        }
        next = error.source();
    }
    End::Other
}

/// What lies in such an error, perhaps in another one of the kind: its `source` skips what is directly inside.
fn inside(error: &io::Error) -> Option<End> {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return Some(End::Refused);
    }
    let inner = error.get_ref()?;
    match inner.downcast_ref::<rustls::Error>() {
        Some(tls) => Some(of_tls(tls)),
        None => inside(inner.downcast_ref()?),
    }
}

fn of_tls(error: &rustls::Error) -> End {
    if matches!(error, rustls::Error::InvalidCertificate(_)) {
        End::Certificate
    } else {
        End::Tls
    }
}
