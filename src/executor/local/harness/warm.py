"""The parent of warm interpreters. It imports what steps of one kind import, computes nothing, and forks pairs of
processes before there is an attempt for them: the first becomes a supervisor (our program), the second its template. For
each attempt the template makes a copy of itself, which is the supervisor's child too, goes behind the walls that the
supervisor has prepared, and runs the code. No code of a step runs in the parent, and none in a template.

`parent(names)` is started by the engine with a socket as its standard output. docs/adr/016-warm-interpreters.md has
what is forked with it, what is not, and why.
"""

import _signal
import _socket
import atexit
import ctypes
import gc
import json
import os
import resource
import struct
import sys

import stepwell_harness

ORDER_BYTES_MAX = 256 * 1024
# After so many the interpreter has found the fast way through everything that is done each time.
ROUNDS = 20
SYSTEM = ctypes.CDLL(None, use_errno=True)
SYSTEM.syscall.restype = ctypes.c_long
# Looked up once, not by each copy.
SYSTEM.prctl, SYSTEM.unshare
EXIT = ctypes.PyDLL(None).exit
MARK = b"STEPWELL_MARK="
# What most steps import, or the harness for them: small, and without threads.
USUAL = ("collections", "dataclasses", "datetime", "functools", "importlib.util", "math", "pathlib", "random", "re")
USUAL += ("contextvars", "encodings.ascii")
USUAL += tuple("stepwell_harness." + name for name in ("failure", "libraries", "modules"))
# Libraries of threads whose state is not whole after a fork, or not known to be.
UNSAFE = ("libgomp", "libiomp", "libomp", "libmkl", "libtbb")
BLAS = ("openblas_set_num_threads", "openblas_set_num_threads64_")
BLAS += tuple("scipy_" + name for name in BLAS)
BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS = 1, 22, 38, 40
SECCOMP_MODE_FILTER = 2
CLONE_PARENT, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000


def call(name, *args):
    """A call of the system by its number or its name in the C library; raises what went wrong."""
    if isinstance(name, int):
        args, name = (ctypes.c_long(name), *args), "syscall"
    if getattr(SYSTEM, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


# -- the parent -------------------------------------------------------------------------------------------------


def parent(names):
    close_inherited()
    control = _socket.socket(fileno=os.dup(1))
    os.dup2(2, 1)
    os.setsid()
    _end_with_engine(control, True)
    sys.path[:] = [entry for entry in sys.path if entry]
    reason = _load(names)
    if reason is None:
        threads, mark = _set_threads(), _mark_place()
        _practise()
        gc.collect()
        gc.freeze()
    _end_with_engine(control, False)
    control.send(json.dumps({"refused": reason}).encode())
    # Children are not waited for: supervisors tell the engine about their end themselves.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
    while reason is None:
        text, extra, _, _ = control.recvmsg(ORDER_BYTES_MAX, _socket.CMSG_SPACE(4))
        if not text:
            break
        ears = [struct.unpack("i", data[:4])[0] for _, _, data in extra]
        # Nothing of the order is read before the fork: the parent forgets what it never had.
        if os.fork() == 0:
            _first(control, ears, text, (threads, mark))
        text = extra = None
        for ear in ears:
            os.close(ear)


def _practise():
    """What each attempt does, done until the interpreter has learned it: what it learns it writes into the code, into
    its caches and beside its types, and a copy that has to write there first copies the page."""
    for _ in range(ROUNDS):
        try:
            stepwell_harness.rehearse()
        except Exception:
            # Then each attempt learns it itself.
            return


def close_inherited():
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                pass


def _end_with_engine(control, on):
    """While libraries are imported nobody reads the socket: when the engine dies, the system ends this process."""
    import fcntl

    fd = control.fileno()
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_ASYNC
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | (os.O_ASYNC if on else 0))
    try:
        if not control.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT):
            os._exit(0)
    except BlockingIOError:
        pass


def _load(names):
    """Imports the names; returns why this process can't be a parent, or None."""
    for name in (*USUAL, *names):
        try:
            __import__(name)
        except Exception:
            # The code that imports it gets to know why.
            pass
    tasks = len(os.listdir("/proc/self/task"))
    if tasks != 1:
        return f"{' and '.join(names)} started {tasks - 1} threads when imported, and threads don't survive a fork"
    with open("/proc/self/maps") as file:
        maps = file.read()
    for name in UNSAFE:
        if "/" + name in maps:
            return f"{' and '.join(names)} came with {name}, which is not safe to be forked"
    return None


def _set_threads():
    """How the libraries of linear algebra that are loaded are told their number of threads: here they have one."""
    with open("/proc/self/maps") as file:
        files = {line.split(None, 5)[-1].strip() for line in file if "openblas" in line}
    found = []
    for path in sorted(files):
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        found += [getattr(library, name) for name in BLAS if hasattr(library, name)]
    return found


def _mark_place():
    """Where the environment that others see of this process has the mark of the attempt."""
    with open("/proc/self/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    start, end = int(fields[47]), int(fields[48])
    return start + ctypes.string_at(start, end - start).index(MARK) + len(MARK)


# -- the first process of a pair --------------------------------------------------------------------------------


def _first(control, ears, text, prepared):
    """Forks the template, and becomes the supervisor; both then wait for attempts."""
    try:
        control.close()
        order = json.loads(text)
        for signal in (_signal.SIGCHLD, _signal.SIGPIPE, _signal.SIGXFSZ):
            _signal.signal(signal, _signal.SIG_DFL)
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        me = os.getpid()
        child = os.fork()
        if child == 0:
            ours.close()
            for ear in ears:
                os.close(ear)
            _second(theirs, (me, order["calls"]), prepared)
        for fd, place in ((ours.fileno(), 0), (ears[0], 1)):
            os.dup2(fd, place)
        os.execve(order["program"], [*order["arguments"], str(child)], order["env"])
    finally:
        # The engine hears the end of its socket, and starts the step in the usual way.
        os._exit(1)


# -- the second one: the template --------------------------------------------------------------------------------


def _second(asked, supervisor, prepared):
    """Stays as it was forked, and makes a copy of itself for each attempt that its supervisor names a socket for."""
    try:
        _die_with(supervisor[0])
        try:
            copy = _copier(supervisor[1])
        except Exception:
            # A system that does not say what it takes: this process is its own copy, for one attempt.
            copy = os.getpid
        while True:
            head, extra, _, _ = asked.recvmsg(1, _socket.CMSG_SPACE(4))
            if not head:
                os._exit(0)
            fd = struct.unpack("i", extra[0][2][:4])[0]
            try:
                pid = copy()
            except OSError:
                pid = os.getpid()
            if pid:
                asked.sendall(struct.pack("i", pid))
            if pid in (0, os.getpid()):
                asked.close()
                break
            os.close(fd)
    except BaseException:
        os._exit(1)
    _runner(_socket.socket(fileno=fd), supervisor[0], prepared)


def _die_with(supervisor):
    call("prctl", PR_SET_PDEATHSIG, _signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        os._exit(1)


def _copier(calls):
    """What forks this process, and returns the child's number, or 0 in the child: like `os.fork`, but that the child has
    the same parent as this process. That is a flag of the system's call, which the C library's `fork` does not pass; the
    rest is what that function does for a process of one thread: the number of the thread is put into its place, and its
    list of robust locks is made known again."""
    system = ctypes.PyDLL(None, use_errno=True)
    system.syscall.restype = ctypes.c_long
    thread, head, size = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t()
    call("prctl", PR_GET_TID_ADDRESS, ctypes.byref(thread), 0, 0, 0)
    call(calls["get_robust_list"], ctypes.c_long(0), ctypes.byref(head), ctypes.byref(size))
    flags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID
    # The signal of its end, the stack and the local storage of the thread are those of this process.
    wanted = struct.pack("8Q", flags, 0, thread.value, 0, 0, 0, 0, 0)
    wanted = ctypes.create_string_buffer(wanted, len(wanted))
    clone, number, length = system.syscall, ctypes.c_long(calls["clone3"]), ctypes.c_size_t(len(wanted))
    before, in_parent, in_child = (
        getattr(ctypes.pythonapi, "PyOS_" + name) for name in ("BeforeFork", "AfterFork_Parent", "AfterFork_Child")
    )
    for function in (before, in_parent, in_child):
        function.restype = None

    def copy():
        before()
        pid = clone(number, wanted, length)
        if pid == 0:
            in_child()
            call(calls["set_robust_list"], head, size)
        else:
            in_parent()
        if pid < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return pid

    return copy


# -- its copy, which runs the code -------------------------------------------------------------------------------


def _runner(socket, supervisor, prepared):
    """Waits for the attempt, goes behind the walls, and runs the code when the supervisor says so."""
    try:
        _die_with(supervisor)
        threads, place = prepared
        for signal in (_signal.SIGPIPE, _signal.SIGXFSZ):
            _signal.signal(signal, _signal.SIG_IGN)
        os.setsid()
        _obey(socket, _enter_ahead)
        try:
            stepwell_harness.rehearse()
        except Exception:
            # Then the attempt itself takes the time that was to be saved.
            pass
        gc.collect()
        fds, order = _obey(socket, lambda fds, order: _enter(fds, order, place))
        if socket.recv(1) != b"g":
            os._exit(1)
        _settle(order, fds, threads)
        socket.close()
    except BaseException:
        os._exit(1)
    _run(order["folder"])


def _obey(socket, enter):
    """Enters the walls that the supervisor names, and says so."""
    fds, order = _order(socket)
    try:
        enter(fds, order)
    except BaseException as error:
        socket.sendall(json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        os._exit(1)
    socket.sendall(b"{}\n")
    return fds, order


def _order(socket):
    """What the supervisor wants: its two streams, the rules for files, and the rest as a document."""
    head, extra, _, _ = socket.recvmsg(8, _socket.CMSG_SPACE(3 * 4))
    fds = []
    for _, _, data in extra:
        fds += [fd for (fd,) in struct.iter_unpack("i", data[: len(data) // 4 * 4])]
    for fd in fds:
        os.set_inheritable(fd, False)
    left, parts = struct.unpack("<Q", head)[0], []
    while left:
        part = socket.recv(min(left, 1 << 20))
        if not part:
            os._exit(1)
        parts.append(part)
        left -= len(part)
    return fds, json.loads(b"".join(parts))


def _enter_ahead(_fds, order):
    """Enters the walls that do not depend on the attempt. Raises when one of them can't be entered."""
    if order["no_new_privileges"]:
        call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if order["namespaces"] is not None:
        user, group = os.getuid(), os.getgid()
        call("unshare", order["namespaces"])
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            stepwell_harness.put("/proc/self/" + name, text.encode(), os.O_WRONLY)
    if order["seccomp"] is not None:
        program = bytes.fromhex(order["seccomp"])
        filters = ctypes.create_string_buffer(program, len(program))
        head = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(filters))
        head = ctypes.create_string_buffer(head, len(head))
        call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0)


def _enter(fds, order, mark_place):
    """Enters the rest, which is that of the attempt. Raises when something can't be entered."""
    mark = order["mark"].encode()
    ctypes.memmove(mark_place, mark, len(mark))
    for name, wanted in order["limits"]:
        which = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(which)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (value, value))
    if order["processes"] is not None:
        # Counted by namespace and user, so that it means this attempt alone.
        resource.setrlimit(resource.RLIMIT_NPROC, (order["processes"], order["processes"]))
    if order["landlock"] is not None:
        call(order["landlock"], ctypes.c_long(fds[2]), ctypes.c_long(0))


def _settle(order, fds, threads):
    """Becomes what a new interpreter in the folder would be."""
    os.dup2(fds[0], 1)
    os.dup2(fds[1], 2)
    for fd in fds:
        os.close(fd)
    os.umask(0o077)
    os.chdir(order["folder"])
    _set_environ(order["env"])
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = order["arguments"]
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None
    if threads:
        given = [os.environ[name] for name in BLAS_VARIABLES if os.environ.get(name, "").isdecimal()]
        count = int(given[0]) if given else len(os.sched_getaffinity(0))
        for set_threads in threads:
            set_threads(max(count, 1))


def _set_environ(env):
    """Most of it is the same for every attempt, and was that of the parent: what is not changed costs nothing."""
    for name in [name for name in os.environ if name not in env]:
        del os.environ[name]
    for name, value in env.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def peak_kib():
    """Most memory that a process of the attempt has had, as far as it is known here."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _run(folder):
    newest = next(reversed(sys.modules))
    try:
        status = stepwell_harness.run(folder)
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        stepwell_harness._flush()
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        os.kill(os.getpid(), _signal.SIGINT)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    _leave(status, newest)


def _leave(status, newest):
    """The end of an interpreter, without taking the libraries apart that it was forked with, which takes longer than
    most steps: threads are waited for, what was registered for the end runs, and objects of the code go as they would."""
    threading = sys.modules.get("threading")
    for end in (getattr(threading, "_shutdown", None), atexit._run_exitfuncs):
        if end is not None:
            try:
                end()
            except BaseException:
                sys.excepthook(*sys.exc_info())
    stepwell_harness._flush()
    for module in [sys.modules["__main__"], *_later(newest)]:
        names = getattr(module, "__dict__", None)
        if module is not None and isinstance(names, dict) and _is_own(module):
            for name in sorted(names, key=lambda name: not name.startswith("_")):
                if name not in ("__builtins__", "__name__"):
                    names[name] = None
    gc.collect()
    stepwell_harness._flush()
    # Through the C library, for what compiled libraries do at the end; nothing of Python runs any more.
    EXIT(status)


def _later(newest):
    """The modules that were imported since that one, the newest first, as the interpreter takes them apart. The others
    are not looked at: to look at one is to change its page."""
    later = []
    for name in reversed(sys.modules):
        if name == newest:
            break
        later.append(sys.modules[name])
    return later


def _is_own(module):
    """Whether it is code of the step: its file, or a module beside the workflow. Libraries stay as they are."""
    file = getattr(module, "__file__", None) or ""
    if getattr(module, "__name__", "") == "__main__":
        return True
    installed = "site-packages" in file or "dist-packages" in file or file.startswith(os.path.dirname(os.__file__))
    return bool(file) and not installed and not file.startswith(os.path.dirname(__file__))
