//! What people see who sit at a terminal: the real program on a pseudo-terminal.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli_rig::Place;
use crate::transport::Server;

/// Runs a program on a terminal of its own, of 24 lines of 120 letters, and passes on what it shows.
const TERMINAL: &str = r"
import fcntl, os, pty, struct, sys, termios
child, screen = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 120, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
try:
    while piece := os.read(screen, 65536):
        os.write(1, piece)
except OSError:
    pass  # how the end of a terminal is told
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";
/// Long enough for a machine under load; nothing waits for it but what must fail.
const LONG: Duration = Duration::from_secs(120);

/// The program on a terminal.
pub(crate) struct Terminal {
    child: Child,
    shown: Receiver<Vec<u8>>,
    text: String,
}

impl Terminal {
    /// Starts it; none where there is no Python to make a terminal with.
    pub(crate) fn start(place: &Place, args: &[&str], env: &[(&str, &str)]) -> Option<Self> {
        let python = std::env::var_os("STEPWELL_TEST_PYTHON");
        if python.is_none() {
            assert!(std::env::var_os("CI").is_none(), "there is no Python");
            eprintln!("passed over: there is no Python for tests");
        }
        let program = place.command(args);
        let mut command = Command::new(python?);
        command.args(["-c", TERMINAL]).arg(program.get_program());
        command.args(program.get_args()).current_dir(place.path(""));
        command
            .env("TERM", "xterm-256color")
            .envs(env.iter().copied());
        for name in [
            "STEPWELL_DATA",
            "STEPWELL_CONFIG",
            "STEPWELL_LOG",
            "NO_COLOR",
        ] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut screen = child.stdout.take().unwrap();
        let (tell, shown) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(length @ 1..) = screen.read(&mut piece) {
                if tell.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let text = String::new();
        Some(Self { child, shown, text })
    }

    /// Waits until it shows this.
    pub(crate) fn shows(&mut self, wanted: &str) {
        while !self.text.contains(wanted) {
            let Ok(piece) = self.shown.recv_timeout(LONG) else {
                panic!("{wanted:?} was not shown:\n{}", self.text);
            };
            self.text.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    /// Waits for its end; its exit code, and everything that it showed.
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        while let Ok(piece) = self.shown.recv_timeout(LONG) {
            self.text.push_str(&String::from_utf8_lossy(&piece));
        }
        (self.child.wait().unwrap().code(), self.text.clone())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn piece(text: &str, finish: &Value) -> String {
    let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": finish});
    format!(
        "data: {}\n\n",
        json!({"model": "small-1-0914", "choices": [choice]})
    )
}

/// A model that says the first lines of its answer, and the rest when it may.
fn model(place: &Place) -> Sender<()> {
    let (go_on, may) = channel::<()>();
    let may = Arc::new(Mutex::new(may));
    let server = Server::new(move |_, out| {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        let begun = format!("{head}{}", piece("```python\nx = 1\n", &Value::Null));
        out.write_all(begun.as_bytes()).unwrap();
        if may.lock().unwrap().recv_timeout(LONG).is_ok() {
            let rest = piece("results = {\"n\": x}\n```\n", &json!("stop"));
            let _gone = write!(out, "{rest}data: [DONE]\n\n");
        }
    });
    let config = format!(
        "generators:\n  here: {{provider: openai, model: small-1, base_url: \"http://{}/v1\"}}\ndefault_generator: here\n",
        server.address
    );
    place.write("config.yml", &config);
    place.write(
        "task.yml",
        "version: 1\nname: task\nsteps:\n  - id: fit\n    python: {task: Compute n}\n    outputs: {n: int}\n",
    );
    // It hears requests as long as somebody keeps it.
    std::mem::forget(server);
    go_on
}

#[test]
fn a_terminal_shows_how_far_the_code_is_that_a_model_writes() {
    let place = Place::new();
    let go_on = model(&place);
    let Some(mut terminal) = Terminal::start(&place, &["run", "task.yml"], &[]) else {
        return;
    };
    terminal.shows("fit: small-1 writes its code, 3 lines, 16 characters");
    go_on.send(()).unwrap();
    let (code, text) = terminal.ends();
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("its code is written, by small-1-0914"),
        "{text}"
    );
    // It is no history.
    let events = place.json(0, &["events", "@last"]).to_string();
    assert!(
        events.contains("CodeGenerated") && !events.contains("16 characters"),
        "{events}"
    );
}

#[test]
fn without_a_terminal_a_quick_answer_has_no_lines_of_its_own() {
    let place = Place::new();
    let go_on = model(&place);
    go_on.send(()).unwrap();
    let begun = Instant::now();
    let ran = place.run(&["run", "task.yml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("here writes its code\n"), "{ran:?}");
    assert!(!ran.err.contains('\x1b'), "{ran:?}");
    // After ten seconds there is such a line, and this machine may be slow.
    let lines = ran.err.matches("writes its code").count();
    assert!(lines == 1 || begun.elapsed().as_secs() >= 10, "{ran:?}");
}

/// An editor that must have a terminal, changes the code that it is given, and says where that was.
const EDITOR: &str = "#!/bin/sh\n\
                      test \"$1\" = --wait && test -t 0 && test -t 1 || exit 9\n\
                      sed -i \"s/step = 1/step = 2/\" \"$2\" && echo \"$2\" > edited\n";

#[test]
fn code_that_is_asked_about_is_changed_in_an_editor() {
    let place = Place::new();
    place.python("ramp", "", "step = 1\nresults = {'n': step}");
    place.write("editor.sh", EDITOR);
    place.json(3, &["run", "ramp.yml", "--mode", "write_access"]);
    let args = ["approve", "@last", "--edit", "--resume"];
    // Without a terminal there is nobody to edit.
    let ran = place.run(&args);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("needs a terminal"), "{ran:?}");
    // An editor that ends badly changes nothing.
    let Some(terminal) = Terminal::start(&place, &args, &[("EDITOR", "false")]) else {
        return;
    };
    let (code, text) = terminal.ends();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("did not end well"), "{text}");
    let editor = [("EDITOR", "sh editor.sh --wait"), ("VISUAL", "")];
    let terminal = Terminal::start(&place, &args, &editor).unwrap();
    let (code, text) = terminal.ends();
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("your yes counts for exactly this code"),
        "{text}"
    );
    let run = place.json(0, &["show", "@last"]);
    assert_eq!(run["outputs"]["n"], 2, "{run}");
    let edited = std::fs::read_to_string(place.path("edited")).unwrap();
    assert!(
        !std::path::Path::new(edited.trim()).exists(),
        "nothing of it is left: {edited}"
    );
}
