//! Channels are told of questions. Nothing that goes wrong here fails anything: it is recorded and shown.

use std::time::Duration;

use serde_json::json;

use super::act;
use super::task::Driver;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::ApprovalId;
use crate::run::payload::NotificationSent;
use crate::run::{ApprovalState, Command, RunState};
use crate::transport::{Channel, Message, SEND_TIMEOUT};

/// How often a message is tried.
const TRIES: u32 = 3;

/// The delay before the second try; it doubles from there.
const DELAY: Duration = Duration::from_secs(5);

/// Tells one channel of a question on one occasion.
pub(super) async fn tell(
    driver: &Driver,
    state: &RunState,
    (approval, occasion, channel): (&ApprovalId, &str, &str),
) -> Option<Command> {
    let asked = state.approvals.get(approval)?;
    let failure = match act::channel(&driver.shared, channel) {
        Ok(to) => tries(driver, &to, &message(state, asked, occasion)).await,
        Err(failure) => Some(failure),
    };
    if let Some(failure) = &failure {
        tracing::warn!(run = %state.run, %approval, channel, %failure.message, "a channel was not told");
    }
    Some(Command::Told(NotificationSent {
        approval: approval.clone(),
        occasion: occasion.to_owned(),
        channel: channel.to_owned(),
        failure,
    }))
}

async fn tries(driver: &Driver, channel: &Channel, message: &Message) -> Option<Failure> {
    let ports = &driver.shared.ports;
    let mut delay = DELAY;
    for number in 1..=TRIES {
        let limit = ports.clock.now().plus(SEND_TIMEOUT);
        let sent = tokio::select! {
            sent = ports.transport.send(channel.clone(), message.clone()) => sent,
            () = ports.clock.sleep_until(limit) => Err(too_long()),
        };
        let failure = sent.err()?;
        let passing = matches!(
            failure.kind,
            FailureKind::Infrastructure | FailureKind::Timeout
        );
        if number == TRIES || !passing {
            return Some(failure);
        }
        ports.clock.sleep_until(ports.clock.now().plus(delay)).await;
        delay *= 2;
    }
    None
}

fn too_long() -> Failure {
    let message = "nobody took the message in time";
    Failure::new(FailureKind::Timeout, code::REQUEST_TIMED_OUT, message)
}

fn message(state: &RunState, asked: &ApprovalState, occasion: &str) -> Message {
    let request = &asked.request;
    let url = state.approval_url(&request.approval);
    let mut text = format!(
        "{} (run {}, step {}) waits for an answer: {}",
        state.plan.name, state.run, request.step, request.reason
    );
    if let Some(url) = &url {
        text.push('\n');
        text.push_str(url);
    }
    Message {
        title: request.title.clone(),
        text,
        key: format!("{}:{occasion}", request.approval),
        facts: json!({
            "run": state.run,
            "workflow": state.plan.name,
            "step": request.step,
            "approval": request.approval,
            "occasion": occasion,
            "url": url,
        }),
    }
}
