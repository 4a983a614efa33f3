"""Runs one attempt inside the user's interpreter: `main(folder)`. Standard library only, Python 3.9 and later.

It imports what it needs when it needs it, since every millisecond here is paid by every step. The user's file
runs as a real `__main__` from its own unmodified bytes. Whatever happens, `.attempt/report.json` says what it was;
the supervisor, which outlives this process, decides what that means.
"""

import builtins
import os
import sys

from . import context, display, guard
from .encode import TEXT_CHARS_MAX, Encoder, Refused, is_a, is_default, message

NAME_CHARS_MAX = 80
FIGURE_DPI = 120
SAVED = "_stepwell_saved"
# Modules that start interpreters, and what of `spawning` changes them.
SPAWNING = (
    ("multiprocessing.spawn", "prepare"),
    ("multiprocessing.util", "start"),
    ("multiprocess.spawn", "prepare"),
    ("multiprocess.util", "start"),
    ("loky.backend.spawn", "prepare"),
    ("loky.backend.fork_exec", "start"),
    ("joblib.externals.loky.backend.spawn", "prepare"),
    ("joblib.externals.loky.backend.fork_exec", "start"),
)
IMAGES = (".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp")


# -- what the code leaves ---------------------------------------------------------------------------------------


class Keeper:
    """Makes files of large results, by a module that is loaded when there are some."""

    def __init__(self, attempt):
        self.bytes_max = attempt.options["artifact_bytes_max"]
        self.attempt = attempt

    def file(self, value, where, path):
        from . import keep

        return keep.Keeper(self.attempt).file(value, where, path)


class Attempt:
    """The attempt in `folder`: what the code sees, and what is collected from it."""

    def __init__(self, folder, options=None):
        self.folder = folder
        self.pid = os.getpid()
        self.code = os.path.join(folder, "code.py")
        self.internal = os.path.join(folder, ".attempt")
        self.notes = []
        self.files = []
        self.figures = 0
        self.display = display.Display(self)
        self.cells = None
        if options is None:
            with open(os.path.join(self.internal, "harness.json"), encoding="utf-8") as file:
                options = file.read()
        self.told = options
        json = sys.modules.get("json")
        # To import it takes a fresh interpreter longer than to read this as Python.
        names = {"true": True, "false": False, "null": None}
        self.options = json.loads(options) if json else eval(options, {"__builtins__": {}}, names)

    def find_modules(self):
        """Lets the code import modules beside the workflow: the copies of the attempt, when it has some."""
        source = self.options["source_folder"]
        if source and self.options["modules"]:
            from . import modules

            modules.install(source, os.path.join(self.internal, "modules"), self.options["modules"])

    def write(self, name, text):
        path = os.path.join(self.internal, name)
        put(path + ".part", text.encode("ascii"))
        os.replace(path + ".part", path)

    def names(self):
        """The names that the code finds in its globals."""
        seen = context.read(os.path.join(self.folder, "context.json"), self.folder)
        return {"context": seen, "save_artifact": self.save_artifact, "display": self.display.show}

    def main_module(self, name="__main__"):
        loader = type(__spec__.loader)
        module = type(sys)(name)
        module.__dict__.update(self.names())
        module.__dict__.update(
            __builtins__=builtins, __file__=self.code, __loader__=loader(name, self.code), __package__=None
        )
        return module

    def compiled(self):
        with open(self.code, "rb") as file:
            return compile(file.read(), self.code, "exec", dont_inherit=True)

    # -- files --

    def save_artifact(self, obj, title="", description=""):
        """Keeps `obj` as a file of the step and returns its path. The title may end in the wanted suffix."""
        title, description = str(title), str(description)
        if isinstance(obj, os.PathLike):
            path = self._adopt_file(os.fspath(obj))
        else:
            suffix, write = self._writer(obj)
            path = self._free_name(title, suffix)
            write(path)
        self.files.append((os.path.relpath(path, self.folder), title, description))
        return path

    def _adopt_file(self, source):
        source = os.path.abspath(source)
        if not os.path.isfile(source):
            raise FileNotFoundError(f"save_artifact: {source} is not a file")
        if os.path.realpath(source).startswith(os.path.realpath(self.folder) + os.sep):
            return source
        import shutil

        stem, suffix = os.path.splitext(os.path.basename(source))
        return shutil.copyfile(source, self._free_name(stem, suffix))

    def _free_name(self, title, suffix):
        clean = "".join(char if char.isalnum() or char in "._-" else "_" for char in title)
        stem, given = os.path.splitext(clean.strip("._"))
        if not (2 <= len(given) <= 8 and given[1:].isalnum()):
            stem, given = stem + given, suffix
        stem = stem[:NAME_CHARS_MAX] or "artifact"
        path = os.path.join(self.folder, "artifacts", stem + given)
        number = 1
        while os.path.lexists(path):
            number += 1
            path = os.path.join(self.folder, "artifacts", f"{stem}_{number}{given}")
        return path

    def _writer(self, obj):
        if isinstance(obj, str):
            return ".txt", lambda path: _write_bytes(path, obj.encode("utf-8", "surrogatepass"))
        if isinstance(obj, (bytes, bytearray, memoryview)):
            return ".bin", lambda path: _write_bytes(path, obj)
        if is_a(obj, "pandas", "DataFrame", "Series"):
            return ".csv", lambda path: _write_table(obj, path)
        if is_a(obj, "numpy", "ndarray"):
            return ".npy", lambda path: _write_array(obj, path)
        if hasattr(obj, "savefig"):
            return ".png", lambda path: obj.savefig(path, dpi=FIGURE_DPI, bbox_inches="tight")
        if is_a(obj, "PIL.Image", "Image"):
            return ".png", obj.save
        encoder = Encoder("artifact", self.options["artifact_bytes_max"], True)
        try:
            text = encoder.encode(obj)
        except Refused as refused:
            raise TypeError(f"save_artifact: {refused.message}") from None
        self.notes.extend(encoder.notes)
        return ".json", lambda path: _write_bytes(path, text.encode("ascii"))

    # -- figures --

    def save_figures(self, close=False):
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None or not hasattr(pyplot, "get_fignums") or os.getpid() != self.pid:
            return
        for number in pyplot.get_fignums():
            if hasattr(pyplot.figure(number), SAVED):
                continue
            if self.figures >= self.options["files_max"]:
                self.notes.append(f"only the first {self.figures} figures were kept")
                break
            self._save_figure(pyplot.figure(number))
        if close:
            pyplot.close("all")

    def _save_figure(self, figure):
        self.figures += 1
        name = f"figures/figure_{self.figures:02}.png"
        try:
            with open(os.path.join(self.folder, name), "wb") as file:
                figure.savefig(file, format="png", dpi=FIGURE_DPI, bbox_inches="tight")
        except Exception as error:
            self.notes.append(f"{name} could not be drawn: {type(error).__name__}: {message(error)}")
            return
        self.files.append((name, _title(figure), ""))
        self.display.figure(name)

    def show_figure(self, figure):
        """A figure that the code shows: it is saved once, there."""
        if not hasattr(figure, SAVED):
            self._save_figure(figure)
            setattr(figure, SAVED, True)

    def keep_saved(self, figure, path):
        """The code saved this figure itself: it isn't saved once more, and its file gets its title."""
        if os.getpid() != self.pid or not isinstance(path, (str, os.PathLike)):
            return
        path = os.path.relpath(os.path.realpath(path), os.path.realpath(self.folder))
        if not path.startswith("..") and path.lower().endswith(IMAGES):
            setattr(figure, SAVED, True)
            self.files.append((path, _title(figure), ""))
            self.display.figure(path)

    # -- the end --

    def collect_results(self, module, succeeded):
        """Writes the results; returns None, or why it could not."""
        if "results" not in module.__dict__:
            if succeeded:
                self.notes.append("the code left no `results`")
            return None
        encoder = Encoder("results", self.options["results_bytes_max"], self.options["null_for_nan"], Keeper(self))
        try:
            self.write("results.json", encoder.encode(module.__dict__["results"]))
        except Refused as refused:
            return {"code": refused.code, "message": refused.message, "hint": refused.hint}
        except OSError:
            raise
        except Exception as error:
            # A property or a method of the user's own object failed while it was read.
            return {
                "code": "results_unsupported",
                "message": f"{encoder.where()} could not be read: {type(error).__name__}: {message(error)}",
                "hint": "leave plain values in `results`",
            }
        finally:
            self.notes.extend(encoder.notes)
        return None

    def write_outputs(self):
        """What the code gave out, in order. Without it the notebook shows the logs."""
        outputs = self.display.document()
        if outputs["cells"]:
            try:
                self.write("outputs.json", Encoder("outputs", 16 * 1024 * 1024, True).encode(outputs))
            except Refused as refused:
                self.notes.append(f"the order of the outputs was not kept: {refused.message}")

    def report(self, end, refused):
        document = {
            "end": end,
            "results": refused,
            "notes": [note[:TEXT_CHARS_MAX] for note in self.notes],
            "files": [{"path": path, "title": title, "description": text} for path, title, text in self.files],
        }
        warm = sys.modules.get("stepwell_harness.warm")
        if warm is not None:
            document["peak_kib"] = warm.peak_kib()
        encoder = Encoder("report", 16 * 1024 * 1024, True)
        self.write("report.json", encoder.encode(document))


def _title(figure):
    texts = [getattr(figure, "_suptitle", None)] + [axes.title for axes in figure.axes]
    shown = [text.get_text() for text in texts if text is not None and text.get_text()]
    return shown[0] if shown else figure.get_label() or ""


def put(path, data, flags=os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
    """A small file of ours, without the layers of `open`."""
    fd = os.open(path, flags, 0o600)
    try:
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)


def _write_bytes(path, data):
    with open(path, "wb") as file:
        file.write(data)


def _write_table(table, path):
    table.to_csv(path, index=not is_default(table.index))


def _write_array(array, path):
    with open(path, "wb") as file:
        sys.modules["numpy"].save(file, array, allow_pickle=False)


# -- hooks on modules that the code may import ------------------------------------------------------------------


class Hooks:
    """Changes a few modules right after they are loaded: figures at `show()`, names in spawned processes."""

    def __init__(self, attempt):
        self.actions = {
            "matplotlib.pyplot": lambda module: _patch_show(attempt, module),
            "matplotlib.figure": lambda module: _patch_savefig(attempt, module.Figure),
            "IPython.core.display_functions": lambda module: setattr(module, "display", attempt.display.show),
        }
        for name, patch in SPAWNING:
            self.actions[name] = lambda module, patch=patch: _patch_spawning(patch, attempt, module)
        rail = guard.Guard(attempt.options["guard"], attempt.internal)
        self.actions.update(rail.actions())
        if attempt.options.get("writable") is not None:
            rail.hold_files([attempt.folder] + attempt.options["writable"])

    def catch_up(self):
        """Changes what is loaded already: a warm interpreter was forked with it."""
        for name in [name for name in self.actions if name in sys.modules]:
            self.actions.pop(name)(sys.modules[name])

    def find_spec(self, name, path=None, target=None):
        action = self.actions.pop(name, None)
        if action is None:
            return None
        import importlib.util

        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            action(module)

        spec.loader.exec_module = exec_module
        return spec


def _patch_show(attempt, pyplot):
    def show(*_args, **_options):
        """Keeps every open figure as a file of the step, and closes it."""
        attempt.save_figures(close=True)

    pyplot.show = show


def _patch_savefig(attempt, figure_class):
    import functools

    savefig = figure_class.savefig

    @functools.wraps(savefig)
    def keeping(self, fname, *args, **options):
        savefig(self, fname, *args, **options)
        attempt.keep_saved(self, fname)

    figure_class.savefig = keeping


def _patch_spawning(patch, attempt, module):
    from . import spawning

    getattr(spawning, patch)(attempt, module)


def spawned(names, folder):
    """The main module of a process that multiprocessing spawned."""
    attempt = Attempt(folder)
    names.update(attempt.names(), __file__=attempt.code)
    attempt.find_modules()
    hooks = Hooks(attempt)
    sys.meta_path.insert(0, hooks)
    hooks.catch_up()
    exec(attempt.compiled(), names)


# -- the run ----------------------------------------------------------------------------------------------------


def _run(attempt, module):
    """Runs the code; returns how it ended."""
    try:
        if attempt.options["file_name"].endswith(".ipynb"):
            from . import cells

            cells.run(attempt, module)
        else:
            exec(attempt.compiled(), module.__dict__)
        _join_threads()
    except SystemExit as error:
        status, text = _exit_status(error)
        if text:
            print(text, file=sys.stderr)
        return {"exit": {"status": status, "message": text}}
    except BaseException as error:
        from .failure import describe

        failure = describe(attempt, error)
        try:
            sys.stderr.write(failure["traceback"])
        except Exception:
            pass
        return {"exception": failure}
    return {"exit": {"status": 0, "message": ""}}


def _exit_status(error):
    """Status and text of a SystemExit, as the interpreter understands it."""
    code = error.code
    if code is None:
        return 0, ""
    if isinstance(code, int):
        return code & 0xFF, ""
    return 1, message(error)


def _join_threads():
    """The interpreter waits for threads at its end; their results count, so it is done before they are read."""
    threading = sys.modules.get("threading")
    if threading is not None:
        # First, as there too: pools that nobody shut down tell their threads to end.
        last = getattr(threading, "_threading_atexits", [])
        while last:
            last.pop()()
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def rehearse():
    """Does once what every attempt does, of no attempt, and leaves nothing: a process that was forked shares its memory
    until it changes it, and each page that it changes first costs time. Here that is done while there is time."""
    with open(__file__, encoding="utf-8") as file:
        file.readline()
    limits = '"results_bytes_max": 100000, "artifact_bytes_max": 100000, "files_max": 1, "null_for_nan": false'
    attempt = Attempt(os.sep, '{"file_name": "", "source_folder": null, "modules": null, "guard": {"writers": []}, %s}' % limits)
    Hooks(attempt)
    code = "import sys\nclass Some:\n    def __init__(self, n): self.n = n\nresults = {'n': [Some(1).n, 2.5, 'text']}\n"
    names = {"__name__": "rehearsal", "__builtins__": builtins}
    exec(compile(code, attempt.code, "exec", dont_inherit=True), names)
    encoder = Encoder("results", 100000, False, Keeper(attempt))
    encoder.encode({"results": names["results"], "files": [{"path": "a", "title": ""}], "none": None, "yes": True})
    attempt.display.stream("stdout", "text")
    attempt.display.document()
    names.clear()


def main(folder):
    sys.exit(run(folder))


def _heed_signals():
    """What `nohup`, or a shell that starts a job in the background, has told the engine to ignore is inherited: the
    code is to hear that its time is over all the same."""
    import _signal

    for number in (_signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT):
        if _signal.getsignal(number) == _signal.SIG_IGN:
            _signal.signal(number, _signal.SIG_DFL)
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def run(folder):
    """Runs the attempt; returns the status for the end of the interpreter."""
    _heed_signals()
    attempt = Attempt(folder)
    put(os.path.join(attempt.internal, "begun"), ".".join(map(str, sys.version_info[:3])).encode())
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.argv = [attempt.code]
    # As for this interpreter, which was started so: no packages of the user's own, whose folder the code may write to.
    os.environ["PYTHONNOUSERSITE"] = "1"
    # Last, so that a helper never hides an installed package. The folder of the attempt is not there at all: what the
    # code writes is read by nobody before it would run.
    ours = sys.path.pop(0)
    sys.path[:] = [entry for entry in sys.path if entry]
    source = attempt.options["source_folder"] if attempt.options["modules"] is None else None
    sys.path.extend(entry for entry in (source, ours) if entry)
    attempt.find_modules()
    hooks = Hooks(attempt)
    sys.meta_path.insert(0, hooks)
    hooks.catch_up()
    module = attempt.main_module()
    sys.modules["__main__"] = module
    attempt.display.listen()
    end = _run(attempt, module)
    if os.getpid() != attempt.pid:
        # A child that the code forked and that fell off its end: the parent collects.
        _flush()
        os._exit(end["exit"]["status"] if "exit" in end else 1)
    attempt.save_figures()
    succeeded = end.get("exit", {}).get("status") == 0
    refused = attempt.collect_results(module, succeeded)
    _flush()
    attempt.write_outputs()
    attempt.report(end, refused)
    return 0 if succeeded and refused is None else 1
