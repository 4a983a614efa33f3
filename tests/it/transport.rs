//! The way out, against small servers of the test: what is sent, what comes back, what goes wrong.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::failure::{Failure, FailureKind};
use stepwell::transport::network::NetworkTransport;
use stepwell::transport::{
    BODY_BYTES_MAX, Channel, Message, REDIRECTS_MAX, Request, Response, Transport as _,
};

/// Long enough for a machine under load; nothing waits for it but what must fail.
const LONG: Duration = Duration::from_secs(60);

/// A server that hands every connection, with the request that it read, to the script.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Receiver<String>,
}

impl Server {
    pub(crate) fn new(script: impl Fn(&str, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, seen) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&mut stream);
                if tell.send(request.clone()).is_err() {
                    return;
                }
                script(&request, &mut stream);
            }
        });
        Self { address, seen }
    }

    /// Answers everything with this.
    fn says(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |_, stream| stream.write_all(&answer).unwrap())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, in small letters, as they stood on the wire.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.try_iter().collect()
    }
}

/// A server that reads a little and says this, whatever it was asked, then hangs up.
pub(crate) fn raw(wire: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(wire);
        }
    });
    address
}

/// Reads head and body; what is no HTTP is read to its first pause in the form of an end.
fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head
        .lines()
        .find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn answer(status: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{fields}\r\n{body}")
}

fn get(url: impl Into<String>) -> Request {
    Request {
        method: "GET".to_owned(),
        url: url.into(),
        headers: Vec::new(),
        body: None,
        timeout: LONG,
    }
}

async fn make(request: Request) -> Result<Response, Failure> {
    NetworkTransport::default().request(request).await
}

/// Kind and code of what went wrong.
pub(crate) fn fault(failure: &Failure) -> (FailureKind, &str) {
    (failure.kind, failure.code.as_str())
}

fn message() -> Message {
    Message {
        title: "A question".to_owned(),
        text: "May `ramp` run?".to_owned(),
        key: "run-7/ramp/asked".to_owned(),
        facts: json!({"step": "ramp"}),
    }
}

#[tokio::test]
async fn a_request_is_made_as_it_is_written() {
    let server = Server::says(answer(
        "201 Created",
        "Content-Type: application/json\r\nX-Name: \u{e9}\r\n",
        "{\"id\": 3}",
    ));
    let response = make(Request {
        method: "POST".to_owned(),
        headers: vec![
            ("Authorization".to_owned(), "Bearer t0ken".to_owned()),
            ("X-Twice".to_owned(), "a".to_owned()),
            ("X-Twice".to_owned(), "b".to_owned()),
        ],
        body: Some(b"{\"a\": 1}".to_vec()),
        ..get(server.url("/things?x=1"))
    })
    .await
    .unwrap();
    assert_eq!((response.status, response.truncated), (201, false));
    assert_eq!(response.value(), json!({"id": 3}));
    assert_eq!(response.header("x-name"), Some("\u{e9}"));
    let sent = server.requests();
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].starts_with("POST /things?x=1 HTTP/1.1\r\n"),
        "{}",
        sent[0]
    );
    assert!(sent[0].ends_with("\r\n\r\n{\"a\": 1}"), "{}", sent[0]);
    let small = sent[0].to_lowercase();
    for line in [
        "authorization: bearer t0ken\r\n",
        "x-twice: a\r\n",
        "x-twice: b\r\n",
        "user-agent: stepwell/",
    ] {
        assert!(small.contains(line), "{line} is not in {small}");
    }
    assert!(!small.contains("accept-encoding"), "{small}");
}

#[tokio::test]
async fn every_status_is_an_answer() {
    for (status, code) in [("404 No", 404), ("500 Oh", 500), ("204 Fine", 204)] {
        let server = Server::says(answer(status, "", ""));
        let response = make(get(server.url("/"))).await.unwrap();
        assert_eq!(response.status, code);
        assert_eq!(server.requests().len(), 1, "nothing is tried again");
    }
}

#[tokio::test]
async fn what_never_ends_is_cut_off_by_the_time_out() {
    let silent = Server::new(|_, stream| {
        let _ = stream.read(&mut [0]);
    });
    let dripping = Server::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
        let _ = stream.read(&mut [0]);
    });
    for server in [silent, dripping] {
        let failure = make(Request {
            timeout: Duration::from_millis(200),
            ..get(server.url("/secret"))
        })
        .await
        .unwrap_err();
        assert_eq!(fault(&failure), (FailureKind::Timeout, "request_timed_out"));
        assert_eq!(
            failure.message,
            format!(
                "http://{} gave no complete answer within 0.2 s",
                server.address
            )
        );
    }
}

#[tokio::test]
async fn a_huge_answer_is_cut_and_says_so() {
    let endless = Server::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 8192]).is_ok() {}
    });
    let response = make(get(endless.url("/"))).await.unwrap();
    assert_eq!(
        (response.body.len(), response.truncated),
        (BODY_BYTES_MAX, true)
    );
    let full = "y".repeat(BODY_BYTES_MAX);
    let exact = Server::says(answer("200 OK", "", &full));
    let response = make(get(exact.url("/"))).await.unwrap();
    assert_eq!(
        (response.body.len(), response.truncated),
        (BODY_BYTES_MAX, false)
    );
}

#[tokio::test]
async fn a_huge_body_is_not_sent() {
    let server = Server::says(answer("200 OK", "", ""));
    let failure = make(Request {
        method: "PUT".to_owned(),
        body: Some(vec![b'x'; BODY_BYTES_MAX + 1]),
        ..get(server.url("/"))
    })
    .await
    .unwrap_err();
    assert_eq!(fault(&failure), (FailureKind::Resources, "body_too_large"));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_get_follows_and_its_secrets_stay_at_home() {
    let other = Server::says(answer("200 OK", "", "there"));
    let away = other.url("/away");
    let home = Server::new(move |request, stream| {
        let next = if request.starts_with("GET /a ") {
            answer("302 Found", "location: /b\r\n", "")
        } else {
            answer("307 Moved", &format!("location: {away}\r\n"), "")
        };
        stream.write_all(next.as_bytes()).unwrap();
    });
    let response = make(Request {
        headers: vec![
            ("Authorization".to_owned(), "Bearer t0ken".to_owned()),
            ("X-Api-Key".to_owned(), "t0ken".to_owned()),
            ("Accept".to_owned(), "text/plain".to_owned()),
        ],
        body: Some(b"t0ken".to_vec()),
        ..get(home.url("/a"))
    })
    .await
    .unwrap();
    assert_eq!(response.body, b"there");
    let at_home = home.requests();
    assert_eq!(at_home.len(), 2);
    for request in &at_home {
        assert!(request.contains("Bearer t0ken"), "{request}");
    }
    let elsewhere = other.requests();
    assert_eq!(elsewhere.len(), 1);
    assert!(!elsewhere[0].contains("t0ken"), "{}", elsewhere[0]);
    assert!(elsewhere[0].contains("text/plain"), "{}", elsewhere[0]);
}

#[tokio::test]
async fn other_methods_are_not_led_elsewhere() {
    for method in ["POST", "HEAD", "DELETE"] {
        let server = Server::says(answer("303 Other", "location: /b\r\n", ""));
        let response = make(Request {
            method: method.to_owned(),
            ..get(server.url("/a"))
        })
        .await
        .unwrap();
        assert_eq!(response.status, 303, "{method}");
        assert_eq!(response.header("Location"), Some("/b"));
        assert_eq!(server.requests().len(), 1, "{method}");
    }
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let server = Server::says(answer("302 Found", "location: /again\r\n", ""));
    let failure = make(get(server.url("/"))).await.unwrap_err();
    assert_eq!(
        fault(&failure),
        (FailureKind::Configuration, "redirect_refused")
    );
    assert_eq!(server.requests().len(), REDIRECTS_MAX + 1);
    let server = Server::says(answer("302 Found", "location: file:///etc/passwd\r\n", ""));
    let failure = make(get(server.url("/"))).await.unwrap_err();
    assert_eq!(failure.code, "redirect_refused");
}

#[tokio::test]
async fn a_connection_that_breaks_or_talks_nonsense_is_told_apart_from_an_answer() {
    for wire in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "220 mail.example ESMTP\r\n",
    ] {
        let server = Server::says(wire);
        let failure = make(get(server.url("/secret"))).await.unwrap_err();
        assert_eq!(
            fault(&failure),
            (FailureKind::Infrastructure, "connection_failed"),
            "{wire:?}: {failure:?}"
        );
        assert!(!failure.cause.is_empty());
        assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
        assert_eq!(server.requests().len(), 1, "nothing is tried again");
    }
}

#[tokio::test]
async fn nobody_there() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    for scheme in ["http", "https"] {
        let failure = make(get(format!("{scheme}://{address}/secret")))
            .await
            .unwrap_err();
        assert_eq!(
            fault(&failure),
            (FailureKind::Infrastructure, "connection_refused")
        );
        assert_eq!(
            failure.message,
            format!("nothing listens at {scheme}://{address}")
        );
    }
    let failure = make(get("http://there-is-no.invalid/secret"))
        .await
        .unwrap_err();
    assert_eq!(
        fault(&failure),
        (FailureKind::Infrastructure, "host_unknown")
    );
    assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
}

#[tokio::test]
async fn what_can_t_be_a_request_is_a_fault_of_the_configuration() {
    let server = Server::says(answer("200 OK", "", ""));
    let with = |name: &str, value: &str| Request {
        headers: vec![(name.to_owned(), value.to_owned())],
        ..get(server.url("/"))
    };
    let requests = [
        get("not a url"),
        get("ftp://a.example/"),
        get("http://"),
        Request {
            method: "GE T".to_owned(),
            ..get(server.url("/"))
        },
        Request {
            method: "CONNECT".to_owned(),
            ..get(server.url("/"))
        },
        with("X Y", "z"),
        with("X", "hidden\r\nEvil: 1"),
        with("Content-Length", "3"),
        with("Transfer-Encoding", "chunked"),
    ];
    for request in requests {
        let failure = make(request).await.unwrap_err();
        assert_eq!(
            fault(&failure),
            (FailureKind::Configuration, "request_invalid")
        );
        assert!(!format!("{failure:?}").contains("hidden"), "{failure:?}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_webhook_gets_the_message_and_its_key() {
    let server = Server::says(answer("202 Taken", "", "ok"));
    let channel = Channel::Webhook {
        url: server.url("/hook"),
        headers: vec![("X-Token".to_owned(), "t0ken".to_owned())],
    };
    NetworkTransport::default()
        .send(channel, message())
        .await
        .unwrap();
    let sent = server.requests();
    let (head, body) = sent[0].split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("post /hook "), "{head}");
    assert!(head.contains("idempotency-key: run-7/ramp/asked"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("x-token: t0ken"), "{head}");
    assert_eq!(
        serde_json::from_str::<Value>(body).unwrap(),
        json!({
            "title": "A question",
            "text": "May `ramp` run?",
            "key": "run-7/ramp/asked",
            "facts": {"step": "ramp"},
        })
    );
}

#[tokio::test]
async fn slack_gets_one_text() {
    let server = Server::says(answer("200 OK", "", "ok"));
    let channel = Channel::Slack {
        url: server.url("/services/T0/B0/x"),
    };
    NetworkTransport::default()
        .send(channel, message())
        .await
        .unwrap();
    let sent = server.requests();
    let (_, body) = sent[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(body).unwrap(),
        json!({"text": "*A question*\nMay `ramp` run?"})
    );
}

#[tokio::test]
async fn a_message_that_is_not_taken_says_why_and_whether_it_may_pass() {
    let cases = [
        (
            answer("403 No", "", "bad  token\n"),
            FailureKind::Configuration,
            json!({"status": 403, "body": "bad  token\n"}),
        ),
        (
            answer("302 Found", "location: /x\r\n", ""),
            FailureKind::Configuration,
            json!({"status": 302, "body": ""}),
        ),
        (
            answer("500 Oh", "", ""),
            FailureKind::Infrastructure,
            json!({"status": 500, "body": ""}),
        ),
        (
            answer("429 Slow", "Retry-After: 120\r\n", ""),
            FailureKind::Infrastructure,
            json!({"status": 429, "body": "", "retry_after": "120"}),
        ),
        (
            answer(
                "503 Busy",
                "Retry-After: Fri, 31 Dec 2027 23:59:59 GMT\r\n",
                "",
            ),
            FailureKind::Infrastructure,
            json!({"status": 503, "body": "", "retry_after": "Fri, 31 Dec 2027 23:59:59 GMT"}),
        ),
    ];
    for (wire, kind, detail) in cases {
        let server = Server::says(wire);
        let channel = Channel::Slack {
            url: server.url("/secret"),
        };
        let failure = NetworkTransport::default()
            .send(channel, message())
            .await
            .unwrap_err();
        assert_eq!(fault(&failure), (kind, "http_status"));
        let status = &detail["status"];
        let said = if *status == 403 { ": bad token" } else { "" };
        assert_eq!(
            failure.message,
            format!("http://{} answered {status}{said}", server.address)
        );
        assert_eq!(failure.detail, detail);
    }
}
