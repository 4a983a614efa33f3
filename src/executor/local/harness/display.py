"""What code gives out, in order: printed text, values that are shown, figures. It becomes the outputs of the notebook."""

import io
import sys

# Bytes of everything that is recorded, and of one value. What is printed beyond is in the logs.
TOTAL_MAX = 12 * 1024 * 1024
VALUE_MAX = 4 * 1024 * 1024
STREAM_MAX = 512 * 1024
PLAIN_MAX = 16 * 1024
METHODS = (
    ("text/html", "_repr_html_"),
    ("text/markdown", "_repr_markdown_"),
    ("text/latex", "_repr_latex_"),
    ("image/svg+xml", "_repr_svg_"),
    ("image/png", "_repr_png_"),
    ("image/jpeg", "_repr_jpeg_"),
)


class Recorder(io.TextIOWrapper):
    """A stream that also says what is written to it."""

    def write(self, text):
        written = super().write(text)
        self.display.stream(self.stream_name, text)
        return written


class Display:
    """The outputs of an attempt, cell by cell; code without cells is one cell."""

    def __init__(self, attempt):
        self.attempt = attempt
        self.left = TOTAL_MAX
        self.cells = []
        self.begin("0")

    def begin(self, name):
        """What follows belongs to that cell."""
        self.outputs = []
        self.streams_left = STREAM_MAX
        if name is not None:
            self.cells.append({"cell": int(name), "outputs": self.outputs})

    def listen(self):
        """Puts itself between the code and its streams."""
        for name in ("stdout", "stderr"):
            old = getattr(sys, name)
            try:
                new = Recorder(old.buffer, old.encoding, old.errors, line_buffering=old.line_buffering, write_through=True)
            except Exception:
                continue
            new.stream_name = name
            new.display = self
            # The old one must not close the file that both have.
            new.old = old
            setattr(sys, name, new)

    def stream(self, name, text):
        import os

        if not text or os.getpid() != self.attempt.pid or min(self.left, self.streams_left) <= 0:
            return
        text = text[: min(self.left, self.streams_left)]
        self.left -= len(text)
        self.streams_left -= len(text)
        last = self.outputs[-1] if self.outputs else None
        if last is not None and last.get("name") == name:
            last["text"].append(text)
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": [text]})

    def figure(self, path):
        self.outputs.append({"output_type": "figure", "path": path})

    def show(self, *values, **options):
        """Shows values as Jupyter does: as tables, pictures, formulas, or text."""
        for value in values:
            if hasattr(value, "savefig") and hasattr(value, "axes"):
                self.attempt.show_figure(value)
                continue
            self.add("display_data", value)
            # The log has its text; here it stands already.
            left, self.streams_left = self.streams_left, 0
            print(plain(value))
            self.streams_left = left

    def result(self, value):
        """The value of the last line of a cell."""
        if value is not None:
            self.add("execute_result", value)

    def add(self, kind, value):
        data = bundle(value)
        size = sum(len(text) for text in data.values())
        if size > self.left:
            return
        self.left -= size
        self.outputs.append({"output_type": kind, "data": data})

    def document(self):
        cells = [
            {"cell": cell["cell"], "outputs": [_joined(output) for output in cell["outputs"]]} for cell in self.cells
        ]
        return {"cells": [cell for cell in cells if cell["outputs"] or self.attempt.cells]}


def _joined(output):
    return {**output, "text": "".join(output["text"])} if "text" in output else output


def plain(value):
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}: its text could not be made: {type(error).__name__}>"
    return text if len(text) <= PLAIN_MAX else text[:PLAIN_MAX] + "…"


def bundle(value):
    """The value by media type, always as text too."""
    data = {"text/plain": plain(value)}
    if isinstance(value, type):
        return data
    found = call(value, "_repr_mimebundle_")
    found = found[0] if isinstance(found, tuple) else found
    if isinstance(found, dict):
        data.update((kind, text) for kind, text in found.items() if usable(kind, text))
    for kind, method in METHODS:
        if kind in data:
            continue
        text = call(value, method)
        text = text[0] if isinstance(text, tuple) else text
        if isinstance(text, (bytes, bytearray)):
            import binascii

            text = binascii.b2a_base64(bytes(text), newline=False).decode("ascii")
        if usable(kind, text):
            data[kind] = text
    return data


def usable(kind, text):
    return isinstance(kind, str) and isinstance(text, str) and len(text) <= VALUE_MAX


def call(value, method):
    found = getattr(value, method, None)
    if found is None:
        return None
    try:
        return found()
    except Exception:
        return None
