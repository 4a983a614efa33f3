//! Who writes code for tasks: there, with a key that is taken. No code is asked for, so nothing is spent.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::check::{Check, Health};
use crate::cli::Context;
use crate::cli::view::text::line;
use crate::transport::Transport;
use crate::transport::network::NetworkTransport;

/// Looks at every generator of the configuration, all at the same time.
pub(super) async fn generators(context: &Context) -> Vec<Check> {
    let (Ok(config), Ok(place)) = (context.config(), context.place()) else {
        return Vec::new();
    };
    if config.generators.by_name.is_empty() {
        let message = "none set up; steps with a `task` need one, all others don't";
        return vec![Check::ok("generators", message)];
    }
    let transport: Arc<dyn Transport> = Arc::new(NetworkTransport::default());
    let generators = place.generators(&config, &transport);
    let default = generators.default.clone();
    let mut looks = JoinSet::new();
    for (name, entry) in generators.by_name {
        let is_default = default.as_ref() == Some(&name);
        looks.spawn(async move {
            let about = entry.generator.about();
            let what = if is_default { ", the default" } else { "" };
            let who = format!("{name} ({}{what})", about.provider);
            match entry.generator.probe().await {
                Ok(found) => {
                    let message = format!("{who}: {}", line(&found.text));
                    if found.doubtful {
                        Check::warn("generators", message)
                    } else {
                        Check::ok("generators", message)
                    }
                }
                Err(failure) => {
                    let message = format!("{who}: {} ({})", line(&failure.message), failure.code);
                    // Runs without tasks go on without it.
                    let check = Check {
                        health: if is_default {
                            Health::Fail
                        } else {
                            Health::Warn
                        },
                        ..Check::ok("generators", message)
                    };
                    let more = || format!("`stepwell explain {}` says more", failure.code);
                    check.help(failure.hint.clone().unwrap_or_else(more))
                }
            }
        });
    }
    let mut checks = looks.join_all().await;
    checks.sort_by(|a, b| a.message.cmp(&b.message));
    checks
}
