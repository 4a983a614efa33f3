//! Other programs, threads and worker processes.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const PROCESS: Family = Family {
    calls: &[
        "os.system",
        "os.popen",
        "os.exec*",
        "os.spawn*",
        "os.posix_spawn*",
        "os.fork",
        "os.forkpty",
        "os.startfile",
        "os.kill",
        "os.killpg",
        "subprocess.run",
        "subprocess.Popen",
        "subprocess.call",
        "subprocess.check_call",
        "subprocess.check_output",
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
        "_posixsubprocess.fork_exec",
        "commands.*",
        "pty.fork",
        "pty.spawn",
        "asyncio.create_subprocess_exec",
        "asyncio.create_subprocess_shell",
        "asyncio.subprocess.create_subprocess_exec",
        "asyncio.subprocess.create_subprocess_shell",
        "pexpect.*",
        "sh.*",
        "plumbum.*",
        "invoke.run",
        "fabric.Connection.*",
        "webbrowser.open*",
        "pip.main",
        "pip._internal.*",
        "psutil.Popen",
        "signal.pthread_kill",
        "builtins.get_ipython.system",
        "builtins.get_ipython.getoutput",
    ],
    ..Family::new(Rule::Process)
};

pub(super) const THREADS: Family = Family {
    calls: &[
        "threading.Thread",
        "threading.Timer",
        "_thread.start_new_thread",
        "concurrent.futures.ThreadPoolExecutor",
        "concurrent.futures.ProcessPoolExecutor",
        "concurrent.futures.thread.ThreadPoolExecutor",
        "concurrent.futures.process.ProcessPoolExecutor",
        "multiprocessing.Process",
        "multiprocessing.Pool",
        "multiprocessing.pool.Pool",
        "multiprocessing.pool.ThreadPool",
        "multiprocessing.Manager",
        "multiprocessing.get_context",
        "joblib.Parallel",
        "asyncio.to_thread",
    ],
    ..Family::new(Rule::Threads)
};
