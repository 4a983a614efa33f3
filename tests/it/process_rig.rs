//! The real program with real Python, killed and looked at: its processes, its histories, and a ledger that every
//! step writes its beginning and its end to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cli_rig::{Place, text};
use crate::executor_rig;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with the workflows of `tests/fixtures/process`, a data folder and a ledger.
pub(crate) struct Scene {
    pub(crate) place: Place,
}

/// A line of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) run: String,
    pub(crate) step: String,
    pub(crate) attempt: u64,
    pub(crate) what: String,
    /// Microseconds since 1970.
    pub(crate) at: i64,
}

/// What the history and the ledger of a run agree on.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Audit {
    /// Attempts whose outcome another engine took over.
    pub(crate) adopted: usize,
    /// Attempts that were lost in a crash and not counted against the retry policy.
    pub(crate) interrupted: usize,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/process");
        for entry in fs::read_dir(fixtures).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            place.write(name, &fs::read_to_string(&path).unwrap());
        }
        // The ledger lies outside of every attempt.
        let warm = if executor_rig::is_warm() {
            "{from: 1, wait: 60s}"
        } else {
            "false"
        };
        let config = format!(
            "engine: {{steps_at_once: 4}}\nexecution:\n  modes: {{read_only: {{writable: [.]}}}}\n  local: {{warm: {warm}}}\n"
        );
        place.write("config.yml", &config);
        Self { place }
    }

    /// The argument that names the ledger.
    pub(crate) fn ledger_input(&self) -> String {
        format!("ledger={}", self.ledger_path().display())
    }

    fn ledger_path(&self) -> PathBuf {
        self.place.path("ledger of all runs.txt")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.place.path("data")
    }

    /// Creates a run without driving it; its id.
    pub(crate) fn create(&self, file: &str, inputs: &[&str]) -> String {
        let ledger = self.ledger_input();
        let mut args = vec!["run", file, "--detach", "-i", &ledger];
        for input in inputs {
            args.extend(["-i", input]);
        }
        text(&self.place.json(0, &args)["run_id"]).to_owned()
    }

    /// Starts a command; what it says is looked at by [`Scene::nobody_panicked`].
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.place.path("stderr of all.log"))
            .unwrap();
        self.place
            .command(args)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Runs one workflow to its end, so that the interpreter is known and a killed engine gets as far as to steps.
    pub(crate) fn warm_up(&self) {
        let ledger = self.ledger_input();
        self.place
            .json(0, &["run", "pair.yml", "-i", &ledger, "-i", "pause=0"]);
    }

    pub(crate) fn nobody_panicked(&self) {
        let said = fs::read_to_string(self.place.path("stderr of all.log")).unwrap_or_default();
        assert!(!said.contains("panicked at"), "{said}");
    }

    pub(crate) fn ledger(&self) -> Vec<Entry> {
        let text = fs::read_to_string(self.ledger_path()).unwrap_or_default();
        text.lines().map(Entry::parse).collect()
    }

    /// How often a step of a run noted that.
    pub(crate) fn noted(&self, run: &str, step: &str, what: &str) -> usize {
        let entries = self.ledger();
        let is_it = |entry: &&Entry| entry.run == run && entry.step == step && entry.what == what;
        entries.iter().filter(is_it).count()
    }

    pub(crate) fn show(&self, run: &str) -> Value {
        self.place.json(0, &["show", run])
    }

    pub(crate) fn events(&self, run: &str) -> Vec<Value> {
        let document = self.place.json(0, &["events", run]);
        document["events"].as_array().unwrap().clone()
    }

    /// The folder of an attempt, as soon as there is a run of that name.
    pub(crate) fn attempt(&self, workflow: &str, step: &str, attempt: u32) -> Option<PathBuf> {
        let days = fs::read_dir(self.data().join("runs")).ok()?;
        let runs = days.flatten().flat_map(|day| fs::read_dir(day.path()));
        let mut runs = runs.flatten().flatten().map(|run| run.path());
        let found = runs.find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(&format!("{workflow}-"))
        })?;
        Some(found.join(step).join(attempt.to_string()))
    }

    /// Every process that works in the data folder: supervisors, launchers, interpreters and what they started.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let data = self.data();
        let data = data.to_str().unwrap();
        let all = fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let read = |name: &str| fs::read(entry.path().join(name)).ok();
            let command = String::from_utf8_lossy(&read("cmdline")?).into_owned();
            let environment = String::from_utf8_lossy(&read("environ")?).into_owned();
            let marked = environment.contains("STEPWELL_ATTEMPT=") && environment.contains(data);
            (marked || command.contains(data)).then_some(Process { pid, command })
        })
        .collect()
    }

    pub(crate) fn supervisors(&self) -> Vec<Process> {
        let mut all = self.processes();
        all.retain(|process| process.command.contains("__supervise"));
        all
    }

    pub(crate) fn interpreters(&self) -> Vec<Process> {
        let mut all = self.processes();
        all.retain(|process| process.command.contains("faulthandler"));
        all
    }

    /// Waits until no process works in the data folder; one that stays is an orphan.
    pub(crate) fn quiet(&self) {
        wait_until("no process is left", || self.processes().is_empty());
    }

    /// Kills everything that belongs to attempts, until nothing is left.
    pub(crate) fn kill_attempts(&self) {
        wait_until("the attempts are gone", || {
            let left = self.processes();
            left.iter().for_each(Process::kill);
            left.is_empty()
        });
    }

    /// The store and every file that the histories name are sound.
    pub(crate) fn verify(&self) {
        let document = self.place.json(0, &["verify"]);
        assert_eq!(document["sound"], true, "{document}");
    }

    /// Holds an ended run against the ledger: nothing ran twice that need not, nothing ran after its step had ended.
    pub(crate) fn audit(&self, run: &str) -> Audit {
        let events = self.events(run);
        let entries = self.ledger();
        let mut audit = Audit::default();
        let steps = of(&events, "AttemptStarted").map(|event| text(&event["body"]["step"]));
        let steps: std::collections::BTreeSet<&str> = steps.collect();
        let strange = entries
            .iter()
            .find(|entry| entry.run == run && !steps.contains(entry.step.as_str()));
        assert!(strange.is_none(), "ran without AttemptStarted: {strange:?}");
        for step in steps {
            let noted: Vec<&Entry> = entries
                .iter()
                .filter(|entry| entry.run == run && entry.step == step)
                .collect();
            let one = audit_step(&events, step, &noted);
            audit.adopted += one.adopted;
            audit.interrupted += one.interrupted;
        }
        audit
    }
}

fn of<'a>(events: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["name"] == name)
}

fn audit_step(events: &[Value], step: &str, noted: &[&Entry]) -> Audit {
    let about = |name: &'static str| -> BTreeMap<u64, &Value> {
        of(events, name)
            .filter(|event| event["body"]["step"] == step)
            .map(|event| (event["body"]["attempt"].as_u64().unwrap_or(0), event))
            .collect()
    };
    let whole = || format!("{step}: {noted:#?}\n{events:#?}");
    let (started, failed) = (about("AttemptStarted"), about("AttemptFailed"));
    let (succeeded, recorded) = (about("AttemptSucceeded"), about("ResultRecorded"));
    let starts = noted.iter().filter(|entry| entry.what == "start");
    assert!(starts.clone().count() <= 1 + failed.len(), "{}", whole());
    assert_eq!(
        started.len(),
        failed.len() + succeeded.len(),
        "an attempt is open: {}",
        whole()
    );
    let mut seen = BTreeMap::<u64, [i64; 2]>::new();
    for entry in noted {
        let times = seen.entry(entry.attempt).or_default();
        let time = &mut times[usize::from(entry.what == "end")];
        assert_eq!(*time, 0, "an attempt ran twice: {}", whole());
        *time = entry.at;
    }
    for (attempt, [start, end]) in &seen {
        let begun = started.get(attempt).map(|event| micros(&event["time"]));
        assert!(
            begun.is_some_and(|begun| begun <= *start),
            "it ran before it was recorded: {}",
            whole()
        );
        let later = seen.range(attempt + 1..).map(|(_, [start, _])| start);
        assert!(
            later.clone().all(|later| later > end),
            "two attempts at once: {}",
            whole()
        );
    }
    for (_, event) in about("StepSucceeded") {
        let done = micros(&event["time"]);
        assert!(
            noted.iter().all(|entry| entry.at <= done),
            "it ran after its end: {}",
            whole()
        );
        let (attempt, _) = succeeded.first_key_value().unwrap();
        let whole_attempt = seen
            .get(attempt)
            .is_some_and(|[start, end]| *start > 0 && *end > 0);
        assert!(succeeded.len() == 1 && whole_attempt, "{}", whole());
    }
    let epoch = |event: &Value| event["epoch"].as_u64().unwrap();
    let taken_over = |(attempt, event): &(&u64, &&Value)| epoch(event) != epoch(started[*attempt]);
    Audit {
        adopted: recorded.iter().filter(taken_over).count(),
        interrupted: failed
            .values()
            .filter(|event| event["body"]["counted"] == false)
            .count(),
    }
}

/// Microseconds since 1970.
fn micros(time: &Value) -> i64 {
    text(time)
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_microsecond()
}

impl Entry {
    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let [run, step, attempt, what, at] = words[..] else {
            panic!("a torn line in the ledger: {line:?}");
        };
        Self {
            run: run.to_owned(),
            step: step.to_owned(),
            attempt: attempt.parse().unwrap(),
            what: what.to_owned(),
            at: at.parse().unwrap(),
        }
    }
}

/// A process of an attempt.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) command: String,
}

impl Process {
    pub(crate) fn kill(&self) {
        // It may have ended by itself.
        let _gone = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
    }
}

/// Kills a command that still runs; whether it was killed, and not at its end already.
pub(crate) fn kill_command(child: &mut Child) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    let _gone = child.kill();
    child.wait().unwrap().signal() == Some(Signal::SIGKILL as i32)
}

/// Looks until it is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it took too long until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
