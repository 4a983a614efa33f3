//! One mail by SMTP.

use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::trust::Trust;
use super::{fault, internal};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::transport::{Mail, MailTls, Message, SEND_TIMEOUT, address};

/// Gives the message to the server of the mailbox.
pub(super) async fn send(trust: &Trust, mail: Mail, message: Message) -> Result<(), Failure> {
    let letter = letter(&mail, &message)?;
    let extra = trust.extra.clone();
    let (server, tls) = (mail.server.clone(), mail.tls);
    // Certificates are read from the disk.
    let tls = tokio::task::spawn_blocking(move || protection(&server, tls, extra))
        .await
        .map_err(|error| internal("setting up TLS failed").caused_by(&error))??;
    // Asked first, since the errors of the mail library don't tell this from others.
    let _addresses = tokio::net::lookup_host((mail.server.as_str(), mail.port))
        .await
        .map_err(|error| fault::unknown_host(&mail.server).caused_by(&error))?;
    let shown = format!("{}:{}", mail.server, mail.port);
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.server)
        .port(mail.port)
        .tls(tls)
        .timeout(Some(SEND_TIMEOUT));
    if let (Some(user), Some(password)) = (mail.user, mail.password) {
        builder = builder.credentials(Credentials::new(user, password));
    }
    builder
        .build()
        .send(letter)
        .await
        .map(|_| ())
        .map_err(|error| fault::of_mail(&error, &shown))
}

fn protection(
    server: &str,
    tls: MailTls,
    extra: Vec<rustls::pki_types::CertificateDer<'static>>,
) -> Result<Tls, Failure> {
    let parameters = |extra: Vec<rustls::pki_types::CertificateDer<'static>>| {
        let mut builder = TlsParameters::builder(server.to_owned());
        for authority in extra {
            builder = builder.add_root_certificate(Certificate::from_der(authority.to_vec())?);
        }
        builder.build_rustls()
    };
    let made = match tls {
        MailTls::StartTls => parameters(extra).map(Tls::Required),
        MailTls::Tls => parameters(extra).map(Tls::Wrapper),
        MailTls::None => Ok(Tls::None),
    };
    made.map_err(|error| fault::of_mail(&error, server))
}

fn letter(mail: &Mail, message: &Message) -> Result<lettre::Message, Failure> {
    let from = mailbox(&mail.from)?;
    // The same message has the same id, so that a mailbox can see that it has it already.
    let digest = Digest::of(message.key.as_bytes());
    let id = format!("<{digest}@{}>", from.email.domain()).replace(':', ".");
    let mut builder = lettre::Message::builder()
        .from(from)
        .message_id(Some(id))
        .subject(one_line(&message.title));
    for to in &mail.to {
        builder = builder.to(mailbox(to)?);
    }
    builder
        .singlepart(SinglePart::plain(message.text.clone()))
        .map_err(|error| invalid("the mail can't be made").caused_by(&error))
}

fn mailbox(written: &str) -> Result<Mailbox, Failure> {
    address::mailbox(written).map_err(|message| invalid(&message))
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn invalid(message: &str) -> Failure {
    Failure::new(FailureKind::Configuration, code::REQUEST_INVALID, message)
}
