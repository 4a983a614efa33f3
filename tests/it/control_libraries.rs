//! The guard rail on the real libraries, before real servers: what they write down is what arrived.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use stepwell::executor::{ChannelLimit, ChannelLimits, Executor as _, Verify};
use stepwell::failure::FailureKind;

use crate::control_rig::{python_with, start};
use crate::executor_rig::{Rig, failure_of};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/control");

/// A number from 0 to 10.
fn bounded(step: Option<f64>, verify: bool) -> ChannelLimit {
    ChannelLimit {
        min: Some(0.0),
        max: Some(10.0),
        step,
        verify: verify.then_some(Verify { tolerance: 0.01 }),
        ..ChannelLimit::default()
    }
}

fn limits() -> ChannelLimits {
    let channels = [
        ("T:A", bounded(None, false)),
        ("T:B", bounded(Some(2.0), false)),
        ("T:STUCK", bounded(None, true)),
        ("test/magnet/1/Current", bounded(Some(5.0), true)),
    ];
    ChannelLimits::Table {
        channels: channels
            .map(|(name, limit)| (name.to_owned(), limit))
            .into(),
        unlisted: false,
        verify: None,
    }
}

/// Runs the cases of a library in a mode; what arrived at the server.
async fn arrived(library: &str, module: &str, server: &str, writes: bool) -> Option<String> {
    let python = python_with(module)?;
    let rig = Rig::new().await;
    let log = rig.data.path().join("arrived");
    let script = Path::new(FIXTURES).join(server);
    let server = start(&python, &script, &[log.to_str().unwrap()]);
    let read = |name: &str| fs::read_to_string(format!("{FIXTURES}/cases/{name}.py")).unwrap();
    let code = read("prelude") + &read(library) + "\nprint(f'all {held} held')\n";
    let mut job = rig.job(&code);
    job.context = json!({"writes": writes});
    job.env = BTreeMap::clone(&server.clients);
    job.timeout = Duration::from_secs(120);
    job.protection.guard.allows_writes = writes;
    if writes {
        job.protection.guard.channels = limits();
    }
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    let said = fs::read_to_string(job.folder.join("stdout.log")).unwrap();
    let cases = read(library).matches("case(").count() + read(library).matches("waited(").count();
    let cases = cases + read(library).matches("judge(").count();
    let wanted = format!("all {cases} held");
    let last = said.lines().last().unwrap_or_default();
    assert_eq!(last, wanted, "{library}, writes: {writes}\n{outcome:#?}");
    // The code caught everything that was held back, and the attempt has failed all the same.
    let failure = failure_of(outcome);
    let kind = if writes {
        FailureKind::Limits
    } else {
        FailureKind::Safety
    };
    assert_eq!(failure.kind, kind, "{failure:#?}");
    Some(fs::read_to_string(log).unwrap_or_default())
}

async fn holds(library: &str, modules: &str, server: &str) {
    let Some(nothing) = arrived(library, modules, server, false).await else {
        return;
    };
    assert_eq!(nothing, "", "{library} in read_only");
    let written = arrived(library, modules, server, true).await.unwrap();
    assert!(!written.is_empty(), "{library} wrote within its limits");
    for line in written.lines() {
        let (name, value) = line.split_once('=').unwrap();
        let value: f64 = value.parse().unwrap();
        assert!((0.0..=10.0).contains(&value), "{library}: {line}");
        assert!(!name.contains("called"), "{library}: {line}");
    }
}

#[tokio::test]
async fn pyepics_is_held_back() {
    holds("epics", "epics, caproto", "ioc.py").await;
}

#[tokio::test]
async fn caproto_is_held_back() {
    holds("caproto", "caproto", "ioc.py").await;
}

#[tokio::test]
async fn p4p_is_held_back() {
    holds("p4p", "p4p", "pva_server.py").await;
}

#[tokio::test]
async fn pvaccess_is_held_back() {
    holds("pvaccess", "pvaccess, p4p", "pva_server.py").await;
}

#[tokio::test]
async fn tango_is_held_back() {
    holds("tango", "tango", "tango_device.py").await;
}
