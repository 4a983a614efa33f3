//! Python in containers: a kernel of a Jupyter server, a kernel gateway or an enterprise gateway for each attempt.
//!
//! Engine → REST and websocket → kernel → a process of its own for the code. What the supervisor is on this
//! machine, `kernel.py` is there: it starts the code once however often it is asked, keeps the time and the output,
//! ends the whole tree, and keeps the outcome until somebody has fetched it. So an engine that dies, and a
//! connection that breaks, cost nothing: the kernel goes on, and is asked again by the id that was recorded.

mod attempt;
mod conclude;
mod executor;
mod hand_over;
mod home;
mod kernel;
mod log;
mod options;
mod order;
mod probe;
mod record;
mod recover;
mod server;
mod stop;
mod wire;

pub use executor::JupyterExecutor;
pub(super) use executor::holds as is_attempt;
pub use options::{Endpoint, Options, Shared, Token};
pub use probe::Probe;
