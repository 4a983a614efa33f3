//! The REST side of a Jupyter server.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::options::Endpoint;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::redact::Redactor;
use crate::transport::network::{Handshake, NetworkTransport, WebSocket};
use crate::transport::{Request, Response, Transport as _, address};

/// Longest time of a request that makes nothing new.
const QUICK: Duration = Duration::from_secs(15);
/// Between the tries to remove a kernel. A server that starts a dead kernel anew can't remove it meanwhile, and says
/// that something went wrong.
const REMOVAL_PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// A server that is spoken to.
#[derive(Clone)]
pub(super) struct Server {
    transport: Arc<NetworkTransport>,
    base: String,
    token: Option<String>,
}

/// What a server says of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KernelState {
    /// It is there.
    Alive,
    /// The server knows none of that id.
    Gone,
}

impl Server {
    pub(super) fn new(
        transport: Arc<NetworkTransport>,
        base: String,
        token: Option<String>,
    ) -> Self {
        Self {
            transport,
            base,
            token,
        }
    }

    /// The address for people: scheme and host.
    pub(super) fn shown(&self) -> String {
        address::shown(&self.base)
    }

    /// The address itself.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    fn headers(&self) -> Vec<(String, String)> {
        let token = self.token.iter();
        token
            .map(|token| ("Authorization".to_owned(), format!("token {token}")))
            .collect()
    }

    async fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        timeout: Duration,
    ) -> Result<Response, Failure> {
        let mut headers = self.headers();
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        let request = Request {
            method: method.to_owned(),
            url: format!("{}{path}", self.base),
            headers,
            body: body.map(|body| body.to_string().into_bytes()),
            timeout,
        };
        let response = self.transport.request(request).await?;
        match response.status {
            401 | 403 => Err(self.unauthorized(&response)),
            _ => Ok(response),
        }
    }

    fn unauthorized(&self, response: &Response) -> Failure {
        let what = if self.token.is_some() {
            "does not take the token"
        } else {
            "wants a token"
        };
        Failure::new(
            FailureKind::Configuration,
            code::JUPYTER_UNAUTHORIZED,
            format!(
                "the Jupyter server {} {what}, or forbids this ({})",
                self.shown(),
                response.status
            ),
        )
        .hint("`token_env` or `token_file` of `execution.container` says where the token is")
        .detail(json!({"status": response.status}))
    }

    /// An answer that a Jupyter server would not give.
    fn strange(&self, what: &str, response: &Response) -> Failure {
        let refusal = response.refusal(&self.shown());
        let message = match self
            .token
            .as_ref()
            .map(|token| Redactor::new([("token", token)]))
        {
            Some(Ok(redactor)) => redactor.text(&refusal.message).into_owned(),
            Some(Err(_)) | None => refusal.message,
        };
        let kind = if response.status >= 500 {
            FailureKind::Infrastructure
        } else {
            FailureKind::Configuration
        };
        Failure::new(kind, code::JUPYTER_ANSWER, format!("{what}: {message}"))
            .hint(
                "check jupyter_host, jupyter_port, use_https and base_url of `execution.container`",
            )
            .detail(json!({"status": response.status}))
    }

    /// The names of the kernels that the server can start.
    pub(super) async fn kernelspecs(&self) -> Result<Vec<String>, Failure> {
        let response = self.request("GET", "/api/kernelspecs", None, QUICK).await?;
        let value = response.value();
        let specs = value.get("kernelspecs").and_then(Value::as_object);
        match specs.filter(|_| response.is_success()) {
            Some(specs) => Ok(specs.keys().cloned().collect()),
            None => Err(self.strange("it does not list its kernels", &response)),
        }
    }

    /// Refuses when the server has no such kernel: it would answer 500 to the wish for one.
    pub(super) async fn check_kernelspec(&self, name: &str) -> Result<(), Failure> {
        let names = self.kernelspecs().await?;
        if names.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Configuration,
            code::KERNELSPEC_MISSING,
            format!(
                "the Jupyter server {} has no kernel `{name}`; it has {}",
                self.shown(),
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            ),
        )
        .hint("install the kernelspec there, or set `kernel_name` of the mode in config.yml"))
    }

    /// Starts a kernel; `path` is the name under which it is found again where the server lists sessions.
    pub(super) async fn start(&self, endpoint: &Endpoint, path: &str) -> Result<String, Failure> {
        let name = &endpoint.kernel_name;
        let as_session = endpoint.kernel_env.is_empty() && self.sessions().await?.is_some();
        let (at, body) = if as_session {
            let body = json!({
                "path": path, "name": path, "type": "console", "kernel": {"name": name},
            });
            ("/api/sessions", body)
        } else {
            let body = json!({"name": name, "env": endpoint.kernel_env});
            ("/api/kernels", body)
        };
        let response = self
            .request("POST", at, Some(body), endpoint.start_timeout)
            .await?;
        let value = response.value();
        let id = value.pointer(if as_session { "/kernel/id" } else { "/id" });
        match id.and_then(Value::as_str).filter(|_| response.is_success()) {
            Some(id) if is_id(id) => Ok(id.to_owned()),
            Some(_) | None => Err(Failure {
                code: code::KERNEL_NOT_STARTED.as_str().to_owned(),
                ..self.strange("it started no kernel", &response)
            }),
        }
    }

    /// Paths of the sessions and their kernels; none when the server lists none.
    pub(super) async fn sessions(&self) -> Result<Option<Vec<(String, String)>>, Failure> {
        let listed = self.request("GET", "/api/sessions", None, QUICK).await;
        let response = match listed {
            Ok(response) => response,
            // A kernel gateway lists nothing unless it is told to.
            Err(failure) if failure.code == code::JUPYTER_UNAUTHORIZED.as_str() => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let value = response.value();
        let Some(sessions) = value.as_array().filter(|_| response.is_success()) else {
            return Ok(None);
        };
        let text = |session: &Value, at: &str| session.pointer(at)?.as_str().map(str::to_owned);
        let found = sessions
            .iter()
            .filter_map(|session| Some((text(session, "/path")?, text(session, "/kernel/id")?)));
        Ok(Some(found.collect()))
    }

    pub(super) async fn kernel(&self, id: &str) -> Result<KernelState, Failure> {
        let path = format!("/api/kernels/{id}");
        let response = self.request("GET", &path, None, QUICK).await?;
        match response.status {
            404 => Ok(KernelState::Gone),
            _ if response.is_success() => Ok(KernelState::Alive),
            _ => Err(self.strange("it does not say how the kernel is", &response)),
        }
    }

    pub(super) async fn interrupt(&self, id: &str) -> Result<(), Failure> {
        let path = format!("/api/kernels/{id}/interrupt");
        self.request("POST", &path, Some(json!({})), QUICK)
            .await
            .map(|_| ())
    }

    pub(super) async fn restart(&self, id: &str) -> Result<(), Failure> {
        let path = format!("/api/kernels/{id}/restart");
        self.request("POST", &path, Some(json!({})), QUICK)
            .await
            .map(|_| ())
    }

    /// Removes a kernel; when this returns well, the server has none of that id.
    pub(super) async fn delete(&self, id: &str) -> Result<(), Failure> {
        for pause in REMOVAL_PAUSES {
            if self.delete_once(id).await?.is_none() {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
        }
        match self.delete_once(id).await? {
            None => Ok(()),
            Some(refusal) => Err(self.strange("it did not remove a kernel", &refusal)),
        }
    }

    /// The answer of a server that still has the kernel.
    async fn delete_once(&self, id: &str) -> Result<Option<Response>, Failure> {
        let path = format!("/api/kernels/{id}");
        let response = self.request("DELETE", &path, None, 2 * QUICK).await?;
        if response.is_success() || response.status == 404 {
            return Ok(None);
        }
        let gone = self.kernel(id).await == Ok(KernelState::Gone);
        Ok((!gone).then_some(response))
    }

    /// The websocket to a kernel. The same session gets what was said while it was away.
    pub(super) async fn websocket(&self, id: &str, session: &str) -> Result<WebSocket, Failure> {
        let handshake = Handshake {
            url: format!(
                "{}/api/kernels/{id}/channels?session_id={session}",
                self.base
            ),
            headers: self.headers(),
            timeout: 2 * QUICK,
        };
        let opened = self.transport.websocket(handshake).await;
        opened.map_err(
            |failure| match failure.detail.get("status").and_then(Value::as_u64) {
                Some(status @ (401 | 403)) => self.unauthorized(&Response {
                    status: u16::try_from(status).unwrap_or(403),
                    ..Response::default()
                }),
                Some(404) => super::kernel::died("the server has no kernel of that id any more"),
                Some(status) => self.no_websocket(status, failure),
                None => failure,
            },
        )
    }

    /// Requests get through and a websocket does not: mostly a proxy on the way that does not know them.
    fn no_websocket(&self, status: u64, failure: Failure) -> Failure {
        let passes = status >= 500 || matches!(status, 408 | 429);
        Failure {
            code: code::WEBSOCKET_REFUSED.as_str().to_owned(),
            kind: if passes {
                FailureKind::Infrastructure
            } else {
                FailureKind::Configuration
            },
            message: format!(
                "the Jupyter server {} answers, but opens no websocket to its kernels (it says {status})",
                self.shown()
            ),
            hint: Some(
                "a proxy between here and the server must pass on `Upgrade: websocket`".to_owned(),
            ),
            cause: vec![failure.message],
            ..failure
        }
    }
}

/// What goes into a path must be an id and no path.
fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}
