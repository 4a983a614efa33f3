//! Mail, against a small scripted server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use stepwell::failure::{Failure, FailureKind};
use stepwell::transport::network::NetworkTransport;
use stepwell::transport::{Channel, Mail, MailTls, Message, Transport as _};

use crate::transport::fault;

/// A mail server that answers every line by the script, and hands on everything that it was told.
struct Server {
    address: SocketAddr,
    told: Receiver<String>,
}

impl Server {
    /// `refuses` is the beginning of a command, and what is said to it.
    fn new(extensions: &'static str, refuses: Option<(&'static str, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.write_all(b"220 test ESMTP\r\n").unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let mut letter = false;
                for line in lines {
                    let Ok(line) = line else { break };
                    let _ = tell.send(line.clone());
                    let answer = match (letter, refuses) {
                        (true, _) if line == "." => {
                            letter = false;
                            "250 taken"
                        }
                        (true, _) => continue,
                        (false, Some((command, refusal))) if line.starts_with(command) => refusal,
                        (false, _) if line.starts_with("EHLO") => extensions,
                        (false, _) if line == "DATA" => {
                            letter = true;
                            "354 go on"
                        }
                        (false, _) if line.starts_with("AUTH") => "235 welcome",
                        (false, _) => "250 fine",
                    };
                    if stream
                        .write_all(format!("{answer}\r\n").as_bytes())
                        .is_err()
                    {
                        break;
                    }
                }
            }
        });
        Self { address, told }
    }

    fn mail(&self) -> Mail {
        Mail {
            server: "127.0.0.1".to_owned(),
            port: self.address.port(),
            tls: MailTls::None,
            user: None,
            password: None,
            from: "Stepwell <stepwell@lab.example>".to_owned(),
            to: vec![
                "ada@lab.example".to_owned(),
                "Bob <bob@lab.example>".to_owned(),
            ],
        }
    }

    fn told(&self) -> Vec<String> {
        self.told.try_iter().collect()
    }
}

async fn send(mail: Mail) -> Result<(), Failure> {
    let message = Message {
        title: "A question:\r\nBcc: eve@evil.example".to_owned(),
        text: "May it run?\n.\nGr\u{fc}\u{df}e".to_owned(),
        key: "run-7/ramp/asked".to_owned(),
        facts: Value::Null,
    };
    NetworkTransport::default()
        .send(Channel::Mail(mail), message)
        .await
}

fn line<'l>(told: &'l [String], start: &str) -> &'l str {
    told.iter()
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("{start} is not in {told:#?}"))
}

#[tokio::test]
async fn a_mail_is_taken() {
    let server = Server::new("250-test\r\n250 8BITMIME", None);
    send(server.mail()).await.unwrap();
    let first = server.told();
    assert!(line(&first, "MAIL FROM:").contains("<stepwell@lab.example>"));
    for to in ["<ada@lab.example>", "<bob@lab.example>"] {
        let asked = first
            .iter()
            .any(|line| line.starts_with("RCPT TO:") && line.contains(to));
        assert!(asked, "{first:#?}");
    }
    assert_eq!(
        line(&first, "Subject: "),
        "Subject: A question:  Bcc: eve@evil.example"
    );
    assert!(
        !first.iter().any(|line| line.starts_with("Bcc")),
        "{first:#?}"
    );
    let end = first.iter().position(|line| line == ".").unwrap();
    assert!(
        end + 2 >= first.len(),
        "the text must not end the letter: {first:#?}"
    );
    send(server.mail()).await.unwrap();
    let second = server.told();
    assert!(line(&first, "Message-ID: ").ends_with("@lab.example>"));
    assert_eq!(line(&first, "Message-ID: "), line(&second, "Message-ID: "));
}

#[tokio::test]
async fn a_user_shows_the_password() {
    let server = Server::new("250-test\r\n250 AUTH PLAIN", None);
    let mail = Mail {
        user: Some("me".to_owned()),
        password: Some("t0ken".to_owned()),
        ..server.mail()
    };
    send(mail).await.unwrap();
    // \0me\0t0ken in base64.
    assert_eq!(line(&server.told(), "AUTH"), "AUTH PLAIN AG1lAHQwa2Vu");
}

#[tokio::test]
async fn a_server_that_refuses_is_quoted() {
    let cases = [
        ("MAIL", "550 not from you", FailureKind::Configuration, 550),
        (
            "RCPT",
            "451 come back later",
            FailureKind::Infrastructure,
            451,
        ),
        ("AUTH", "535 bad password", FailureKind::Configuration, 535),
    ];
    for (command, refusal, kind, status) in cases {
        let server = Server::new("250-test\r\n250 AUTH PLAIN", Some((command, refusal)));
        let mail = Mail {
            user: Some("me".to_owned()),
            password: Some("t0ken".to_owned()),
            ..server.mail()
        };
        let failure = send(mail).await.unwrap_err();
        assert_eq!(fault(&failure), (kind, "mail_refused"), "{failure:?}");
        assert_eq!(failure.detail, json!({ "status": status }));
        let words = refusal.split_once(' ').unwrap().1;
        assert!(failure.cause.join("\n").contains(words), "{failure:?}");
        assert!(!format!("{failure:?}").contains("t0ken"), "{failure:?}");
    }
}

#[tokio::test]
async fn nothing_is_said_in_the_clear_when_it_must_not() {
    let server = Server::new("250-test\r\n250 AUTH PLAIN", None);
    let mail = Mail {
        tls: MailTls::StartTls,
        user: Some("me".to_owned()),
        password: Some("t0ken".to_owned()),
        ..server.mail()
    };
    let failure = send(mail).await.unwrap_err();
    assert_eq!(
        fault(&failure),
        (FailureKind::Infrastructure, "mail_refused"),
        "{failure:?}"
    );
    let told = server.told();
    assert!(
        !told
            .iter()
            .any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")),
        "{told:#?}"
    );
}

#[tokio::test]
async fn a_mail_server_that_is_not_there() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let server = Server::new("250 test", None);
    let mail = Mail {
        port,
        ..server.mail()
    };
    let failure = send(mail).await.unwrap_err();
    assert_eq!(
        fault(&failure),
        (FailureKind::Infrastructure, "connection_refused")
    );
    let mail = Mail {
        server: "there-is-no.invalid".to_owned(),
        ..server.mail()
    };
    let failure = send(mail).await.unwrap_err();
    assert_eq!(
        fault(&failure),
        (FailureKind::Infrastructure, "host_unknown")
    );
    let mail = Mail {
        to: vec!["nobody".to_owned()],
        ..server.mail()
    };
    let failure = send(mail).await.unwrap_err();
    assert_eq!(
        fault(&failure),
        (FailureKind::Configuration, "request_invalid")
    );
    assert!(server.told().is_empty());
}
