//! The guard rail before the control system, on stand-ins for its libraries.

use std::collections::BTreeMap;

use stepwell::executor::{
    ChannelLimit, ChannelLimits, Executor as _, Job, Outcome, OutcomeStatus, Verify,
};
use stepwell::failure::{Failure, FailureKind};

use crate::executor_rig::{Rig, failure_of};

/// `epics` with a value for every channel; `X:SLOW` does not follow.
const EPICS: &str = r#"
VALUES = {}
def caget(pvname, **_): return VALUES.get(pvname, 1.0)
def caput(pvname, value, **_): return PV(pvname).put(value)
from .pv import PV
"#;
const PV: &str = r#"
class PV:
    def __init__(self, pvname): self.pvname = pvname
    def get(self, **_):
        import epics
        return epics.VALUES.get(self.pvname, 1.0)
    def put(self, value, **_):
        import epics
        if self.pvname != "X:SLOW": epics.VALUES[self.pvname] = value
        open("written", "a").write(f"{self.pvname}={value}\n")
    @property
    def value(self): return self.get()
    @value.setter
    def value(self, value): self.put(value)
"#;

async fn with_epics(code: &str, change: impl FnOnce(&mut Job)) -> (Outcome, String) {
    let rig = Rig::new().await;
    let mut job = rig.job(code);
    // Before the packages of the interpreter, where the real library may be.
    let stand_ins = rig.data.path().join("stand-ins");
    std::fs::create_dir_all(stand_ins.join("epics")).unwrap();
    for (name, text) in [
        ("epics/__init__.py", EPICS),
        ("epics/pv.py", PV),
        (
            "magnets.py",
            "def ramp(name, value): open('written', 'a').write('ramp')",
        ),
    ] {
        std::fs::write(stand_ins.join(name), text).unwrap();
    }
    let path = stand_ins.to_str().unwrap().to_owned();
    job.env.insert("PYTHONPATH".to_owned(), path);
    change(&mut job);
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    let written = std::fs::read_to_string(job.folder.join("written")).unwrap_or_default();
    (outcome, written)
}

async fn held_back(code: &str, change: impl FnOnce(&mut Job)) -> Failure {
    let (outcome, written) = with_epics(code, change).await;
    assert_eq!(written, "", "{code}");
    failure_of(outcome)
}

#[tokio::test]
async fn no_way_to_write_is_open_in_read_only() {
    for code in [
        "import epics\nepics.caput('X', 1)",
        "from epics import caput as look\nlook('X', 1)",
        "import epics\ngetattr(epics, 'ca' + 'put')('X', 1)",
        "from epics import PV\nPV('X').put(1)",
        "from epics import PV\nPV('X').value = 1",
        "from epics import PV\nclass Mine(PV): pass\nMine('X').put(1)",
        "exec('import epics; epics.caput(\"X\", 1)')",
        // Caught, and in another process.
        "import epics\ntry: epics.caput('X', 1)\nexcept Exception: pass\nresults = 1",
        "import epics, os\nif os.fork() == 0:\n    try: epics.caput('X', 1)\n    finally: os._exit(0)\nos.wait()\nresults = 1",
        "import magnets\nmagnets.ramp('Q1', 2)",
    ] {
        let failure = held_back(code, |job| {
            job.protection.guard.writers = vec!["magnets.ramp".to_owned()];
        })
        .await;
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Safety, "write_refused"),
            "{code}"
        );
    }
    let (outcome, _) = with_epics("import epics\nresults = epics.caget('X')", |_| {}).await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded);
}

fn limits(job: &mut Job, unlisted: bool, verify: Option<Verify>) {
    let bounded = ChannelLimit {
        min: Some(0.0),
        max: Some(10.0),
        step: Some(2.0),
        ..ChannelLimit::default()
    };
    let never = ChannelLimit {
        read_only: true,
        ..ChannelLimit::default()
    };
    let channels = BTreeMap::from([
        ("X:*".to_owned(), bounded),
        ("X:NEVER*".to_owned(), never),
        ("X:SLOW".to_owned(), ChannelLimit::default()),
    ]);
    job.protection.guard.allows_writes = true;
    job.protection.guard.channels = ChannelLimits::Table {
        channels,
        unlisted,
        verify,
    };
}

#[tokio::test]
async fn limits_of_channels_are_kept_and_unlisted_ones_refused() {
    for (channel, value, code) in [
        ("X:A", "11", "channel_limit"),
        ("X:A", "-0.1", "channel_limit"),
        ("X:A", "3.5", "channel_limit"), // from 1.0, by more than 2
        ("X:A", "float('nan')", "channel_limit"),
        ("X:A", "'open'", "channel_limit"),
        ("X:A.VAL", "11", "channel_limit"),
        ("X:A", "[1, 11]", "channel_limit"),
        ("X:NEVER:A", "1", "channel_limit"),
        ("Y", "1", "channel_not_listed"),
    ] {
        let code_of = format!("import epics\nepics.caput('{channel}', {value})");
        let failure = held_back(&code_of, |job| limits(job, false, None)).await;
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Limits, code),
            "{channel} {value}: {failure:?}"
        );
    }
    let (outcome, written) = with_epics(
        "import epics\nepics.caput('X:A', 2.5)\nepics.PV('Y').put(7)",
        |job| limits(job, true, None),
    )
    .await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    assert_eq!(written, "X:A=2.5\nY=7\n");
}

#[tokio::test]
async fn without_its_list_nothing_is_written() {
    let failure = held_back("import epics\nepics.caput('X:A', 1)", |job| {
        job.protection.guard.allows_writes = true;
        job.protection.guard.channels = ChannelLimits::Unavailable {
            reason: "limits.yml: no such file".to_owned(),
        };
    })
    .await;
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Limits, "limits_unavailable")
    );
}

#[tokio::test]
async fn what_is_written_is_read_back() {
    let verify = Some(Verify { tolerance: 0.01 });
    let (outcome, _) = with_epics("import epics\nepics.caput('X:A', 2)", |job| {
        limits(job, false, verify);
    })
    .await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let (outcome, written) = with_epics("import epics\nepics.caput('X:SLOW', 2)", |job| {
        limits(job, false, verify);
    })
    .await;
    assert_eq!(written, "X:SLOW=2\n");
    assert_eq!(failure_of(outcome).code, "readback_differs");
}
