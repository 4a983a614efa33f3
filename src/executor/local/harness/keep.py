"""Large values of `results` as files. Loaded only when there is no room for them."""

import os
import sys

from .encode import REFERENCE, Encoder, Refused, is_a, is_default

PREVIEW_ROWS = 5
PREVIEW_COLUMNS = 12
PREVIEW_CHARS = 200
PREVIEW_BYTES_MAX = 4_096
# What can be read back from a file of numpy without running code.
ARRAY_KINDS = "biufcmMSU"


class Keeper:
    """Writes values into the folder of artifacts of an attempt."""

    def __init__(self, attempt):
        self.attempt = attempt
        self.bytes_max = attempt.options["artifact_bytes_max"]
        self.null_for_nan = attempt.options["null_for_nan"]

    def file(self, value, where, path):
        """Writes the value; what stands for it in the results."""
        words = "".join(char if char.isalnum() else " " for char in "results " + " ".join(path)).split()
        name = "_".join(words)
        if is_a(value, "pandas", "DataFrame", "Series"):
            about = self.table(value, name)
        elif is_a(value, "numpy", "ndarray") and value.dtype.kind in ARRAY_KINDS and not is_a(value, "numpy.ma", "MaskedArray"):
            about = self.array(value, name)
        elif type(value) is str:
            about = self.text(value, name)
        elif isinstance(value, (bytes, bytearray, memoryview)):
            about = self.bytes(bytes(value), name)
        else:
            about = self.json(value, name, where)
        self.attempt.files.append((about["path"], where, "a value of the results that is too large for them"))
        return about

    def write(self, name, suffix, data):
        path = self.attempt._free_name(name, suffix)
        with open(path, "wb") as file:
            file.write(data)
        return os.path.relpath(path, self.attempt.folder)

    def table(self, value, name):
        series = is_a(value, "pandas", "Series")
        table = value.to_frame("value" if value.name is None else str(value.name)) if series else value
        columns = [str(column).encode("utf-8", "replace").decode() for column in table.columns]
        levels = 0 if is_default(table.index) else table.index.nlevels
        text = table.to_csv(index=levels > 0, header=columns)
        return {
            REFERENCE: "table",
            "path": self.write(name, ".csv", text.encode("utf-8", "surrogatepass")),
            "media_type": "text/csv",
            "shape": list(value.shape),
            "columns": columns,
            "dtypes": {column: str(dtype) for column, dtype in zip(columns, table.dtypes)},
            "index": levels,
            "index_dtype": str(table.index.dtype),
            "series": series,
            "preview": self.preview(table.iloc[:PREVIEW_ROWS, :PREVIEW_COLUMNS]),
        }

    def array(self, value, name):
        path = self.write(name, ".npy", b"")
        with open(os.path.join(self.attempt.folder, path), "wb") as file:
            sys.modules["numpy"].save(file, value, allow_pickle=False)
        return {
            REFERENCE: "array",
            "path": path,
            "media_type": "application/x-npy",
            "shape": list(value.shape),
            "dtype": str(value.dtype),
            "preview": self.preview(value.ravel()[:PREVIEW_ROWS]),
        }

    def text(self, value, name):
        return {
            REFERENCE: "text",
            "path": self.write(name, ".txt", value.encode("utf-8", "surrogatepass")),
            "media_type": "text/plain",
            "shape": [len(value)],
            "preview": self.preview(value[:PREVIEW_CHARS]),
        }

    def bytes(self, value, name):
        return {
            REFERENCE: "bytes",
            "path": self.write(name, ".bin", value),
            "media_type": "application/octet-stream",
            "shape": [len(value)],
        }

    def json(self, value, name, where):
        encoder = Encoder(where, self.bytes_max, self.null_for_nan)
        text = encoder.encode(value)
        self.attempt.notes.extend(encoder.notes)
        about = {
            REFERENCE: "json",
            "path": self.write(name, ".json", text.encode("ascii")),
            "media_type": "application/json",
        }
        if hasattr(value, "__len__"):
            about["shape"] = [len(value)]
        if isinstance(value, (list, tuple)):
            about["preview"] = self.preview(list(value[:PREVIEW_ROWS]))
        elif isinstance(value, dict):
            about["preview"] = self.preview(list(value)[:PREVIEW_COLUMNS])
        return about

    def preview(self, value):
        import json

        try:
            return json.loads(Encoder("preview", PREVIEW_BYTES_MAX, True).encode(value))
        except Refused:
            return None
