//! Messages of the Jupyter protocol, version 5, as JSON text: what every server and gateway speaks.

use serde_json::{Value, json};

/// The media type under which the kernel answers; never shown to anybody.
const MEDIA_TYPE: &str = "application/vnd.stepwell.v1+json";

/// The request to run a cell. Nothing of it goes into the history of the kernel.
pub(super) fn execute(message: &str, session: &str, code: &str) -> String {
    json!({
        "channel": "shell",
        "header": {
            "msg_id": message,
            "msg_type": "execute_request",
            "session": session,
            "username": "stepwell",
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {},
        "content": {
            "code": code,
            "silent": false,
            "store_history": false,
            "user_expressions": {},
            "allow_stdin": false,
            // A cell that fails must not throw away those that wait behind it.
            "stop_on_error": false,
        },
        "buffers": [],
    })
    .to_string()
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Heard {
    /// The kernel process ended, or is about to be started anew.
    Died(String),
    /// A display of ours.
    Display(Value),
    /// A request is done: well, or with the name of an exception and its text.
    Reply {
        /// The request.
        parent: String,
        /// The exception.
        fault: Option<(String, String)>,
    },
    /// Nothing that matters.
    Other,
}

/// Reads a message. One that can't be read says nothing.
pub(super) fn hear(text: &str) -> Heard {
    let Ok(mut message) = serde_json::from_str::<Value>(text) else {
        return Heard::Other;
    };
    let kind = text_at(&message, "/header/msg_type")
        .or_else(|| text_at(&message, "/msg_type"))
        .unwrap_or_default();
    match kind.as_str() {
        "status" => match text_at(&message, "/content/execution_state").as_deref() {
            Some(state @ ("restarting" | "autorestarting" | "dead" | "terminating")) => {
                Heard::Died(state.to_owned())
            }
            _ => Heard::Other,
        },
        "display_data" => message
            .pointer_mut("/content/data")
            .and_then(|data| data.get_mut(MEDIA_TYPE))
            .map_or(Heard::Other, |document| Heard::Display(document.take())),
        "execute_reply" => {
            let parent = text_at(&message, "/parent_header/msg_id").unwrap_or_default();
            let fine = text_at(&message, "/content/status").as_deref() == Some("ok");
            let word = |at: &str| text_at(&message, at).unwrap_or_default();
            let fault = (!fine).then(|| (word("/content/ename"), word("/content/evalue")));
            Heard::Reply { parent, fault }
        }
        _ => Heard::Other,
    }
}

fn text_at(message: &Value, at: &str) -> Option<String> {
    message.pointer(at)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_heard_and_the_rest_is_not() {
        let message = |kind: &str, content: Value| {
            json!({"header": {"msg_type": kind}, "parent_header": {"msg_id": "m"}, "content": content})
                .to_string()
        };
        let table = [
            (
                message("status", json!({"execution_state": "restarting"})),
                Heard::Died("restarting".to_owned()),
            ),
            (
                message("status", json!({"execution_state": "busy"})),
                Heard::Other,
            ),
            (
                message("display_data", json!({"data": {MEDIA_TYPE: {"a": 1}}})),
                Heard::Display(json!({"a": 1})),
            ),
            (
                message("display_data", json!({"data": {"text/plain": "x"}})),
                Heard::Other,
            ),
            (
                message("execute_reply", json!({"status": "ok"})),
                Heard::Reply {
                    parent: "m".to_owned(),
                    fault: None,
                },
            ),
            (
                message(
                    "execute_reply",
                    json!({"status": "error", "ename": "KeyError", "evalue": "'x'"}),
                ),
                Heard::Reply {
                    parent: "m".to_owned(),
                    fault: Some(("KeyError".to_owned(), "'x'".to_owned())),
                },
            ),
            ("no json".to_owned(), Heard::Other),
            ("[]".to_owned(), Heard::Other),
        ];
        for (text, expected) in table {
            assert_eq!(hear(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_request_keeps_nothing_in_the_kernel() {
        let request: Value = serde_json::from_str(&execute("m", "s", "1")).unwrap();
        assert_eq!(request["content"]["store_history"], false);
        assert_eq!(request["content"]["stop_on_error"], false);
        assert_eq!(request["header"]["session"], "s");
    }
}
