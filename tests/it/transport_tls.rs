//! `https` against servers that can't be trusted or do not speak it: a failure with its code, and nothing sent.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use stepwell::failure::{Failure, FailureKind};
use stepwell::transport::network::NetworkTransport;
use stepwell::transport::{Request, Response, Transport as _};

/// A certificate for `localhost` that nobody signed but itself, valid for a century; its key guards nothing.
const CERTIFICATE: &[u8] = include_bytes!("../fixtures/tls/certificate.der");
const KEY: &[u8] = include_bytes!("../fixtures/tls/key.der");

/// A server behind that certificate; it tells how many bytes of a request it could read of each connection.
fn server() -> (u16, Receiver<usize>) {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY.to_vec()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE.to_vec())], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, read) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let mut request = [0; 4_096];
            let bytes = stream.read(&mut request).unwrap_or(0);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
            stream.conn.send_close_notify();
            let _ = stream.flush();
            if tell.send(bytes).is_err() {
                return;
            }
        }
    });
    (port, read)
}

async fn get(transport: &NetworkTransport, url: String) -> Result<Response, Failure> {
    let request = Request {
        method: "POST".to_owned(),
        url,
        headers: vec![("authorization".to_owned(), "token-4711".to_owned())],
        body: Some(b"set the magnets".to_vec()),
        timeout: Duration::from_secs(60),
    };
    transport.request(request).await
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_refused_before_anything_is_sent() {
    let (port, read) = server();
    let url = format!("https://localhost:{port}/secret");
    let failure = get(&NetworkTransport::default(), url).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Configuration, "tls_failed"),
        "{failure:?}"
    );
    assert_eq!(
        failure.message,
        format!("the certificate of https://localhost:{port} is not valid here")
    );
    assert!(failure.hint.as_deref().unwrap().contains("SSL_CERT_FILE"));
    let told = format!("{failure:?}");
    assert!(!told.contains("secret") && !told.contains("4711"), "{told}");
    assert_eq!(read.recv().unwrap(), 0, "not a byte of the request");
}

#[tokio::test]
async fn the_same_certificate_is_taken_when_somebody_says_so_and_only_for_its_host() {
    let (port, read) = server();
    let trusting = || NetworkTransport::trusting(pem());
    let url = format!("https://localhost:{port}/");
    let response = get(&trusting(), url).await.unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (200, &b"hi"[..])
    );
    assert!(read.recv().unwrap() > 0);
    // The address reaches the same server under a name that the certificate does not have.
    let other = format!("https://127.0.0.1:{port}/");
    let failure = get(&trusting(), other).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Configuration, "{failure:?}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_told_apart_from_one_that_is_not_there() {
    for wire in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"\x16\x03\x01\x00\x05hello",
        b"",
    ] {
        let plain = crate::transport::raw(wire);
        let url = format!("https://{plain}/secret");
        let failure = get(&NetworkTransport::default(), url).await.unwrap_err();
        let expected = if wire.is_empty() {
            "connection_failed"
        } else {
            "tls_failed"
        };
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Infrastructure, expected),
            "{wire:?}: {failure:?}"
        );
        assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
    }
}

/// The certificate in the form of a file of authorities.
fn pem() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in CERTIFICATE.chunks(48) {
        for three in line.chunks(3) {
            let mut bytes = [0; 3];
            bytes[..three.len()].copy_from_slice(three);
            let number = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
            for place in 0..4 {
                let six = usize::try_from(number >> (18 - 6 * place) & 63).unwrap();
                let letter = if place <= three.len() {
                    LETTERS[six]
                } else {
                    b'='
                };
                text.push(char::from(letter));
            }
        }
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}
