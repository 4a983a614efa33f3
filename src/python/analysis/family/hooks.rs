//! Work that is left for later: for a signal, for the end, for nobody to stop.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const HOOKS: Family = Family {
    calls: &[
        "atexit.*",
        "signal.signal",
        "signal.setitimer",
        "signal.alarm",
        "signal.siginterrupt",
        "signal.set_wakeup_fd",
        "signal.pthread_sigmask",
        "faulthandler.register",
        "faulthandler.dump_traceback_later",
        "weakref.finalize",
        "os.register_at_fork",
        "os._exit",
        "os.abort",
        "threading.excepthook",
    ],
    calm: &["atexit.unregister"],
    stores: &[
        "sys.excepthook",
        "sys.unraisablehook",
        "sys.displayhook",
        "threading.excepthook",
    ],
    ..Family::new(Rule::Hooks)
};
