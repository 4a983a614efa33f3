"""What an exception says, as the user should read it. Loaded only when something failed."""

import os
import traceback

from .encode import message

TRACEBACK_CHARS_MAX = 60_000
HERE = os.path.dirname(__file__)


def _traceback(attempt, error):
    """The traceback as Python prints it, without our frames, under the name that the user knows; and the line."""
    shown = traceback.TracebackException(type(error), error, error.__traceback__)
    line = None
    todo, seen = [shown], set()
    while todo:
        part = todo.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        frames = [frame for frame in part.stack if not _is_machinery(frame.filename)]
        for frame in frames:
            if frame.filename == attempt.code:
                frame.line  # Read the source before the name changes.
                frame.filename = attempt.options["file_name"]
                _to_cell(attempt, frame)
                if part is shown:
                    line = frame.lineno
        part.stack[:] = frames
        if getattr(part, "filename", None) == attempt.code:
            part.filename = attempt.options["file_name"]
            if attempt.cells and part.lineno:
                called, inside = attempt.cells.place(int(part.lineno))
                part.filename, part.lineno = f"{part.filename}, {called}", str(inside)
                part.end_lineno = part.lineno
            if part is shown:
                line = int(part.lineno) if part.lineno else None
        todo += [part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())]
    bare = isinstance(error, SyntaxError) and not shown.stack and error.__context__ is None
    text = "".join(shown.format_exception_only() if bare else shown.format())
    if len(text) > TRACEBACK_CHARS_MAX:
        half = TRACEBACK_CHARS_MAX // 2
        text = text[:half] + "\n  … the middle is left out …\n" + text[-half:]
    return text, line


def _to_cell(attempt, frame):
    """Names the cell of a frame, and its line in it, when the code came from a notebook."""
    if attempt.cells is None or frame.lineno is None:
        return
    called, inside = attempt.cells.place(frame.lineno)
    frame.filename = f"{frame.filename}, {called}"
    end = getattr(frame, "end_lineno", None)
    if end is not None:
        frame.end_lineno = end - frame.lineno + inside
    frame.lineno = inside


def _is_machinery(file):
    return os.path.dirname(file) == HERE or file.startswith("<frozen importlib")


def describe(attempt, error):
    """The exception as the report carries it."""
    try:
        text, line = _traceback(attempt, error)
    except Exception:
        text, line = f"{type(error).__qualname__}: {message(error)}\n", None
    kind = type(error)
    errno = error.errno if isinstance(error, OSError) and isinstance(error.errno, int) else None
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return {
        "type": kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}",
        "message": message(error),
        "traceback": text,
        "line": line,
        "cell": attempt.cells.running if attempt.cells else None,
        "memory": isinstance(error, MemoryError),
        "syntax": isinstance(error, SyntaxError) and getattr(error, "filename", None) == attempt.code,
        "errno": errno,
        "missing_module": missing if isinstance(missing, str) else None,
    }
