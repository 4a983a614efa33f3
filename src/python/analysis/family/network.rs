//! Network connections.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const NETWORK: Family = Family {
    calls: &[
        "socket.*",
        "socketserver.*",
        "requests.*",
        "httpx.*",
        "aiohttp.*",
        "urllib.request.*",
        "urllib2.*",
        "urllib3.*",
        "http.client.*",
        "http.server.*",
        "ftplib.*",
        "smtplib.*",
        "imaplib.*",
        "poplib.*",
        "telnetlib.*",
        "xmlrpc.client.*",
        "paramiko.*",
        "asyncssh.*",
        "websocket.*",
        "websockets.*",
        "zmq.*",
        "grpc.*",
        "pika.*",
        "redis.*",
        "pymongo.*",
        "psycopg2.*",
        "psycopg.*",
        "boto3.*",
        "asyncio.open_connection",
        "asyncio.open_unix_connection",
        "asyncio.start_server",
    ],
    calm: &[
        "socket.gethostname",
        "socket.timeout",
        "socket.error",
        "requests.exceptions.*",
        "requests.RequestException",
        "urllib.request.pathname2url",
        "urllib.request.url2pathname",
    ],
    ..Family::new(Rule::Network)
};
