"""Runs one attempt on the machine of a Jupyter kernel, as the supervisor does on the engine's. Standard library only.

The kernel itself stays clean: the code runs in a process of its own, started by the interpreter of the kernel, under
the same harness as everywhere. This module watches it, keeps its outcome, and answers requests: each cell is one
request, each answer one display of a private media type. An attempt is started once, however often that is asked.
"""

import base64
import json
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time

MEDIA_TYPE = "application/vnd.stepwell.v1+json"
LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[1]); import stepwell_launch as l; l.prepare(sys.argv[3]); "
    "import stepwell_harness as h; h.main(sys.argv[2])"
)
TERMINATE_GRACE = 0.5
HELPER_GRACE = 0.3
KILL_PATIENCE = 10.0
FLUSH_BYTES = 128 * 1024
FLUSH_SECONDS = 0.1
DEPTH_MAX = 8
FILES_LISTED_MAX = 20_000
# Of the names of these files, as JSON: all of them come in one message.
NAMES_BYTES_MAX = 4 * 1024 * 1024
STREAMS = ("stdout", "stderr")
# What belongs to the server must not reach the code.
SERVER_NAMES = ("JUPYTER_TOKEN", "JPY_", "JUPYTERHUB_", "KG_", "EG_", "CONFIGPROXY_")
# The kernel works for a notebook; the code of a step does not.
NOTEBOOK_NAMES = ("MPLBACKEND", "PYDEVD_USE_FRAME_EVAL", "CLICOLOR", "FORCE_COLOR", "PAGER", "GIT_PAGER", "TERM", "PYTHONSTARTUP")


class Attempt:
    """One attempt: its folders, and what became of it."""

    def __init__(self, name, shared):
        self.base = tempfile.mkdtemp(prefix="stepwell-")
        self.mark = name
        self.folder = shared or os.path.join(self.base, "attempt")
        self.tools = os.path.join(self.base, "tools")
        self.temporary = os.path.join(self.base, "tmp")
        for folder in (self.folder, self.tools, self.temporary):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self.started = False
        self.end = None
        # What nobody may read in what the code leaves; in memory only, for an engine that has lost it.
        self.secrets = {}

    def path(self, name):
        root = self.tools if name.startswith("tools/") else self.folder
        relative = name[len("tools/") :] if name.startswith("tools/") else name
        path = os.path.normpath(os.path.join(root, relative))
        if not path.startswith(root + os.sep):
            raise ValueError("a path that leaves the folder of the attempt")
        return path


attempts = {}
kept = {}
# Says whether this is still the process that an attempt was given to.
identity = base64.b16encode(os.urandom(16)).decode("ascii").lower()


# -- requests -------------------------------------------------------------------------------------------------------


def ask(request, text):
    """Answers one request; `text` is JSON in base64."""
    order = json.loads(base64.b64decode(text))
    try:
        answer = {"ok": OPERATIONS[order["op"]](request, order)}
    except Exception as error:
        answer = {"fault": f"{type(error).__name__}: {error}"[:2000]}
    publish({"request": request, "answer": answer})


def publish(document):
    from IPython import get_ipython

    get_ipython().display_pub.publish(data={MEDIA_TYPE: document}, metadata={})


def hello(_request, _order):
    version = ".".join(map(str, sys.version_info[:3]))
    return {"identity": identity, "python": version, "executable": sys.executable, "packages": named_packages()}


def begin(_request, order):
    name = order["attempt"]
    if name not in attempts:
        if order["shared"]:
            _same_folder(order["shared"], order["session"])
        attempts[name] = Attempt(name, order["shared"])
    return {"folder": attempts[name].folder}


def _same_folder(folder, session):
    """A folder of that name that is not the engine's would look empty, and what is left there would be lost."""
    path = os.path.join(folder, ".attempt", "container.json")
    with open(path, encoding="utf-8") as file:
        if json.load(file)["session"] != session:
            raise ValueError(f"{folder} is the folder of another attempt")
    for inside in (folder, os.path.join(folder, ".attempt")):
        if not os.access(inside, os.W_OK | os.X_OK):
            raise PermissionError(f"the kernel can't write to {inside}")


def put(_request, order):
    path = attempts[order["attempt"]].path(order["path"])
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "ab" if order["append"] else "wb") as file:
        file.write(base64.b64decode(order["data"]))


def folders(_request, order):
    for name in order["names"]:
        os.makedirs(attempts[order["attempt"]].path(name), mode=0o700, exist_ok=True)


def read(_request, order):
    path = attempts[order["attempt"]].path(order["path"])
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise ValueError("not a plain file")
    with open(path, "rb") as file:
        file.seek(order["offset"])
        data = file.read(order["length"])
    return {"data": base64.b64encode(data).decode("ascii")}


def packages(_request, _order):
    return {"list": installed()}


def installed():
    """`name==version` on each line, sorted: what the folders of packages say, without reading what is in it."""
    import site

    lines = set()
    for folder in site.getsitepackages():
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            stem, suffix = os.path.splitext(name)
            parts = stem.split("-")
            words = [word for word in parts[0].replace(".", "_").split("_") if word]
            if suffix in (".dist-info", ".egg-info") and words and len(parts) > 1 and parts[1]:
                lines.add(f"{'-'.join(words).lower()}=={parts[1]}")
    return "".join(f"{line}\n" for line in sorted(lines))


def named_packages():
    """The list by its digest, as the engine names it; made once in the life of a kernel."""
    if "packages" not in kept:
        try:
            import hashlib

            text = installed()
            digest = hashlib.sha256(text.encode()).hexdigest()
            kept["packages"] = {"digest": "sha256:" + digest, "count": text.count("\n")}
        except Exception:
            kept["packages"] = None
    return kept["packages"]


def surroundings(_request, _order):
    """What keeps a process of this kernel apart from the rest of its machine, as far as that can be seen from here."""
    status = _status("self")
    fields = {name: status.get(name, "").split("\t")[0] for name in ("Uid", "NoNewPrivs", "Seccomp", "CapEff")}
    try:
        # The parent is the server, or what the server started: code has the same rights as this process.
        with open(f"/proc/{os.getppid()}/environ", "rb") as file:
            environment = bool(file.read(1))
    except OSError:
        environment = False
    return {
        "root": fields["Uid"] == "0",
        "no_new_privileges": fields["NoNewPrivs"] == "1",
        "seccomp": fields["Seccomp"] == "2",
        "capabilities": fields["CapEff"].strip("0") != "",
        "container": os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv") or "KUBERNETES_SERVICE_HOST" in os.environ,
        "memory_bytes": _limit("memory.max", "memory/memory.limit_in_bytes"),
        "processes": _limit("pids.max", "pids/pids.max"),
        "server_environment": environment,
    }


def _status(process):
    try:
        with open(f"/proc/{process}/status", encoding="utf-8", errors="replace") as file:
            pairs = (line.rstrip("\n").split(":\t", 1) for line in file)
            return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    except OSError:
        return {}


def _limit(unified, older):
    """A limit of the control group that is seen as the root of all; None = there is none, or none is seen."""
    for name in (unified, older):
        try:
            with open(f"/sys/fs/cgroup/{name}", encoding="ascii") as file:
                number = int(file.read())
        except (OSError, ValueError):
            continue
        # The older kind says "no limit" by a number that no machine has.
        return number if number < 1 << 60 else None
    return None


def missing(_request, order):
    """Requirement lines that the interpreter of this kernel doesn't meet."""
    import re
    from importlib import metadata

    unmet = []
    for line in order["requirements"]:
        match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([^;]*)", line)
        try:
            if not match or not _fits(metadata.version(match[1]), match[2].strip()):
                unmet.append(line)
        except metadata.PackageNotFoundError:
            unmet.append(line)
    return {"missing": unmet}


def _fits(version, limits):
    if not limits:
        return True
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:
        raise ImportError(f"the kernel's environment needs `packaging` to check {limits!r}") from None
    return SpecifierSet(limits).contains(version, prereleases=True)


def run(request, order):
    """Starts the attempt, unless it was started before, and sees it to its end."""
    attempt = attempts[order["attempt"]]
    if not attempt.started:
        attempt.started = True
        attempt.secrets = order["secrets"]
        attempt.end = Watch(request, attempt, order).supervise()
    return attempt.end


def end(_request, order):
    """What became of the attempt. A kernel does one thing at a time, so nothing is under way when this is asked."""
    attempt = attempts.get(order["attempt"])
    if attempt is None:
        return {"state": "unknown", "end": None}
    state = "ended" if attempt.end else "cut" if attempt.started else "waiting"
    return {"state": state, "end": attempt.end, "secrets": attempt.secrets}


def close(_request, order):
    attempt = attempts.pop(order["attempt"], None)
    if attempt is not None:
        shutil.rmtree(attempt.base, ignore_errors=True)


OPERATIONS = {
    "hello": hello,
    "begin": begin,
    "put": put,
    "folders": folders,
    "read": read,
    "missing": missing,
    "packages": packages,
    "surroundings": surroundings,
    "run": run,
    "end": end,
    "close": close,
}


# -- one attempt ----------------------------------------------------------------------------------------------------


class Output:
    """A stream of the code: kept up to a limit, then read and dropped, and sent on in pieces."""

    def __init__(self, name, attempt, kept_max):
        self.name = name
        self.kept_max = kept_max
        self.seen = 0
        self.sent = 0
        self.waiting = b""
        self.due = 0.0
        self.file = open(attempt.path(f".attempt/{name}.raw"), "wb")

    def take(self, data):
        kept = data[: max(0, self.kept_max - self.seen)]
        self.seen += len(data)
        if kept:
            self.file.write(kept)
            self.waiting += kept

    def flush(self, request, now, all_of_it):
        if not self.waiting or not (all_of_it or len(self.waiting) >= FLUSH_BYTES or now >= self.due):
            return
        data, self.waiting = self.waiting, b""
        self.file.flush()
        piece = base64.b64encode(data).decode("ascii")
        publish({"request": request, "stream": self.name, "offset": self.sent, "data": piece})
        self.sent += len(data)
        self.due = now + FLUSH_SECONDS

    def close(self):
        self.file.close()
        return {"bytes": self.seen, "kept": min(self.seen, self.kept_max)}


class Watch:
    """The process of the code, from its start until nothing of it is left."""

    def __init__(self, request, attempt, order):
        self.request = request
        self.attempt = attempt
        self.order = order
        self.notes = []
        self.exit = None
        self.usage = None
        self.stop = None
        self.stage = 0
        self.due = None
        self.child = None
        self.outputs = [Output(name, attempt, order[f"{name}_bytes_max"]) for name in STREAMS]

    def supervise(self):
        before = None
        on_main = threading.current_thread() is threading.main_thread()
        if on_main:
            # An interrupt of the kernel asks for the end of the code; it must not break off what is done here.
            before = signal.signal(signal.SIGINT, self._asked)
        started = time.monotonic()
        fault = None
        own = _identity(self.attempt.path(".attempt"))
        try:
            _adopt_orphans()
            self._start()
            self._watch(started)
            self._clear()
        except OSError as error:
            fault = f"{error}"
        finally:
            if on_main:
                signal.signal(signal.SIGINT, before)
        # Nothing is read or written through what the code has put in the place of that folder.
        tampered = _identity(self.attempt.path(".attempt")) != own
        document = {
            "tampered": tampered,
            "exit": self.exit or {"status": 0},
            "stop": self.stop,
            "begun": None if tampered else self._word("begun"),
            "launch_error": fault or (None if tampered else self._word("launch_error")),
            "seconds": time.monotonic() - started,
            "usage": self.usage or {"max_rss_bytes": 0, "user_seconds": 0.0, "system_seconds": 0.0},
            "notes": self.notes,
            "files": [] if tampered else _listed(self.attempt.folder, self.notes),
            "packages": named_packages(),
        }
        for output in self.outputs:
            document[output.name] = output.close()
        if not tampered:
            self._keep(document)
        return document

    def _asked(self, _number, _frame):
        self.stop = self.stop or "cancel"

    def _start(self):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(SERVER_NAMES) and name not in NOTEBOOK_NAMES
        }
        environment.update(HOME=self.attempt.temporary, TMPDIR=self.attempt.temporary)
        environment.update(self.order["env"])
        beside = self.order["workflow_folder"]
        if beside and os.path.isdir(beside):
            # Mounted at the same place. Elsewhere the name would lead nowhere.
            environment.setdefault("STEPWELL_WORKFLOW_DIR", beside)
        environment.update(STEPWELL_FOLDER=self.attempt.folder, STEPWELL_MARK=self.attempt.mark)
        limits = json.dumps({"parent": os.getpid(), **self.order["limits"]})
        self.child = subprocess.Popen(
            [sys.executable, "-s", "-X", "faulthandler", "-c", LAUNCH, self.attempt.tools, self.attempt.folder, limits],
            cwd=self.attempt.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def _watch(self, started):
        self.due = started + self.order["timeout_seconds"]
        self.selector = selectors.DefaultSelector()
        for output, pipe in zip(self.outputs, (self.child.stdout, self.child.stderr)):
            os.set_blocking(pipe.fileno(), False)
            self.selector.register(pipe, selectors.EVENT_READ, output)
        while self.exit is None:
            self._copy(0.05 if self.selector.get_map() else 0.01)
            self._reap()
            now = time.monotonic()
            if self.stop and self.stage == 0:
                self._escalate(now)
            elif now >= self.due and self.exit is None:
                self.stop = self.stop or "timeout"
                self._escalate(now)

    def _copy(self, seconds):
        if not self.selector.get_map():
            time.sleep(seconds)
            return False
        any_read = False
        for key, _ in self.selector.select(seconds):
            try:
                data = os.read(key.fd, 64 * 1024)
            except BlockingIOError:
                continue
            any_read = True
            if data:
                key.data.take(data)
            else:
                self.selector.unregister(key.fileobj)
                key.fileobj.close()
        now = time.monotonic()
        for output in self.outputs:
            output.flush(self.request, now, False)
        return any_read

    def _reap(self):
        pid, status, used = os.wait4(self.child.pid, os.WNOHANG)
        if pid == 0:
            return
        if os.WIFSIGNALED(status):
            self.exit = {"signal": os.WTERMSIG(status)}
        else:
            self.exit = {"status": os.WEXITSTATUS(status)}
        self.child.returncode = 0
        unit = 1 if sys.platform == "darwin" else 1024
        self.usage = {
            "max_rss_bytes": used.ru_maxrss * unit,
            "user_seconds": used.ru_utime,
            "system_seconds": used.ru_stime,
        }

    def _escalate(self, now):
        """Goes one stage further towards the end."""
        self.stage += 1
        if self.stage == 1:
            # The interpreter alone: it is for the code to end its own helpers.
            _signal([self.child.pid], signal.SIGINT)
            self.due = now + self.order["grace_seconds"]
        elif self.stage == 2:
            _signal(self._left() | {self.child.pid}, signal.SIGTERM)
            self.due = now + TERMINATE_GRACE
        else:
            _signal(self._left() | {self.child.pid}, signal.SIGKILL)
            self.due = now + 0.01

    def _left(self):
        """Processes that have the mark of the attempt in their environment, and those below them."""
        return _of_attempt(self.attempt.mark)

    def _clear(self):
        """Ends what the interpreter left behind."""
        grace = time.monotonic() + HELPER_GRACE
        while self._left() and time.monotonic() < grace and self.stop is None:
            self._copy(0.02)
            _reap_orphans()
        left = self._left()
        if left and self.stop is None:
            names = ", ".join(sorted(_name(pid) for pid in left)[:5])
            self.notes.append(f"{len(left)} processes outlived the code and were stopped: {names}")
        patience = time.monotonic() + KILL_PATIENCE
        while left and time.monotonic() < patience:
            _signal(left, signal.SIGKILL)
            self._copy(0.01)
            _reap_orphans()
            left = self._left()
        if left:
            self.notes.append(f"{len(left)} processes are still alive after SIGKILL")
        while self._copy(0.0):
            pass
        now = time.monotonic()
        for output in self.outputs:
            output.flush(self.request, now, True)

    def _word(self, name):
        try:
            with open(self.attempt.path(f".attempt/{name}"), encoding="utf-8", errors="replace") as file:
                return file.read(4000)
        except OSError:
            return None

    def _keep(self, document):
        """Leaves the outcome in the folder too: when that is shared, it outlives this kernel."""
        path = self.attempt.path(".attempt/end.json")
        with open(path + ".part", "w", encoding="ascii") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".part", path)


# -- processes and files --------------------------------------------------------------------------------------------


def _adopt_orphans():
    """Makes this process the parent of orphans below it, so that they can be found and ended."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    except Exception:
        pass


def _identity(path):
    """Which folder that is, whatever its name comes to mean."""
    try:
        found = os.lstat(path)
        return found.st_dev, found.st_ino
    except OSError:
        return None


def _processes():
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if entry.isdigit():
            yield int(entry)


def _of_attempt(mark):
    word = f"STEPWELL_MARK={mark}".encode()
    found, parents = set(), {}
    for pid in _processes():
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                state, parent = file.read().rsplit(b")", 1)[1].split()[:2]
            if state in (b"Z", b"X"):
                continue
            parents[pid] = int(parent)
            with open(f"/proc/{pid}/environ", "rb") as file:
                if word in file.read().split(b"\0"):
                    found.add(pid)
        except OSError:
            continue
    grown = True
    while grown:
        below = {pid for pid, parent in parents.items() if parent in found} - found
        found |= below
        grown = bool(below)
    return found


def _reap_orphans():
    me = os.getpid()
    for pid in _processes():
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                state, parent = file.read().rsplit(b")", 1)[1].split()[:2]
            if state == b"Z" and int(parent) == me:
                os.waitpid(pid, os.WNOHANG)
        except OSError:
            continue


def _name(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return str(pid)


def _signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass


def _listed(root, notes):
    """The plain files of the folder with their sizes, but for those that the engine has put there."""
    found = []
    left = NAMES_BYTES_MAX

    def walk(folder, prefix, depth):
        nonlocal left
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            name = prefix + entry.name
            hidden = entry.name.startswith(".") or entry.name == "__pycache__"
            if hidden:
                continue
            if len(found) >= FILES_LISTED_MAX or left <= 0:
                return
            try:
                name.encode("utf-8")
                if entry.is_dir(follow_symlinks=False):
                    if depth < DEPTH_MAX:
                        walk(entry.path, name + "/", depth + 1)
                elif entry.is_file(follow_symlinks=False):
                    left -= len(json.dumps(name))
                    found.append([name, entry.stat(follow_symlinks=False).st_size])
            except (OSError, UnicodeEncodeError):
                continue

    walk(root, "", 0)
    if len(found) >= FILES_LISTED_MAX or left <= 0:
        notes.append(f"the code left more files than can be told: {len(found)} of them are looked at")
    internal = os.path.join(root, ".attempt")
    for name in ("report.json", "results.json", "refused.jsonl", "outputs.json"):
        try:
            found.append([f".attempt/{name}", os.lstat(os.path.join(internal, name)).st_size])
        except OSError:
            pass
    return found
