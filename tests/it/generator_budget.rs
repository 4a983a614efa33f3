//! A budget of a month holds for all processes of a data folder together.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli_rig::Place;
use crate::transport::Server;

/// Long enough for a machine under load; nothing waits for it but what must fail.
const LONG: Duration = Duration::from_secs(120);

/// Starts a run, and reads what it says until it has begun to call, or waits for its turn.
fn calling(place: &Place) -> (Child, String) {
    let mut command = place.command(&["run", "task.yml", "--json"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let called =
        |line: &String| line.contains("writes its code") || line.contains("waits for its turn");
    let line = lines.find_map(|line| line.ok().filter(called));
    // What follows is of no interest, but must go somewhere.
    std::thread::spawn(move || lines.for_each(drop));
    (child, line.expect("it calls, or waits"))
}

fn ended(mut child: Child) -> Value {
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    child.wait().unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn two_processes_never_pass_the_budget_of_a_month_together() {
    if std::env::var_os("STEPWELL_TEST_PYTHON").is_none() {
        assert!(std::env::var_os("CI").is_none(), "there is no Python");
        eprintln!("passed over: there is no Python for tests");
        return;
    }
    let place = Place::new();
    let (go_on, may) = channel::<()>();
    let may = Mutex::new(may);
    let server = Server::new(move |_, out| {
        let _begun = may.lock().unwrap().recv_timeout(LONG);
        let message = json!({"content": "```python\nresults = {\"n\": 1}\n```"});
        let body = json!({"model": "m", "choices": [{"message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0}});
        let body = body.to_string();
        let _gone = write!(
            out,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
    });
    // One call costs one, which is what a month may cost.
    let config = format!(
        "generators:\n  here:\n    {{provider: openai, model: m, base_url: \"http://{}/v1\", stream: false,\n     \
         price: {{input: 1, output: 1}}, budget: {{per_month: 1}}}}\ndefault_generator: here\n",
        server.address
    );
    place.write("config.yml", &config);
    place.write(
        "task.yml",
        "version: 1\nname: task\nsteps:\n  - id: fit\n    python: {task: Compute n}\n    outputs: {n: int}\n",
    );
    let (first, line) = calling(&place);
    assert!(line.contains("writes its code"), "{line}");
    let (second, line) = calling(&place);
    assert!(
        line.contains("waits for its turn: another process calls `here`"),
        "{line}"
    );
    go_on.send(()).unwrap();
    // For a second call, which must not come.
    go_on.send(()).unwrap();
    let (first, second) = (ended(first), ended(second));
    assert_eq!(first["status"], "succeeded", "{first}");
    assert_eq!(
        second["failure"]["failure"]["code"], "generation_budget",
        "{second}"
    );
    assert_eq!(
        server.requests().len(),
        1,
        "nobody was asked for more than there was money"
    );
}
