"""What the code sees as `context`. The harness has this file, and notebooks carry it, so that they run again."""

import os


class Context(dict):
    """A dict whose keys are attributes too. A key wins over a method of dict: `context.items` is the key `items`."""

    __slots__ = ()

    def __getattribute__(self, name):
        if name[:2] != "__" and dict.__contains__(self, name):
            return dict.__getitem__(self, name)
        try:
            return object.__getattribute__(self, name)
        except AttributeError:
            raise AttributeError(_missing(self, name)) from None

    def __missing__(self, key):
        raise KeyError(_missing(self, key))

    def __reduce__(self):
        return (Context, (dict(self),))


def _missing(mapping, name):
    keys = [repr(key) for key in dict.keys(mapping)]
    shown = ", ".join(keys[:20]) + (", …" if len(keys) > 20 else "")
    if not keys:
        shown = "no keys: the step's `with` gives them"
    return f"context has no {name!r}; it has {shown}"


class Artifact(Context):
    """A large value that an earlier step left as a file: `path`, `load()`, and what is known of it without reading."""

    __slots__ = ("_reference",)

    def __init__(self, reference, folder):
        self._reference = {key: value for key, value in dict.items(reference) if key != "local"}
        values = dict(self._reference)
        if dict.__contains__(reference, "local"):
            values["path"] = os.path.join(folder, dict.__getitem__(reference, "local"))
        super().__init__(values)

    def __fspath__(self):
        return self["path"]

    def __reduce__(self):
        return (_artifact, (dict(self._reference), dict(self)))

    def bytes_read(self):
        """The bytes of the file, checked against the digest that was recorded."""
        import hashlib

        with open(self["path"], "rb") as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != self["sha256"].split(":")[-1]:
            raise ValueError(f"{self['path']} is not what the step left: its digest is another one")
        return data

    def load(self):
        """The value: a table or a series of pandas, an array of numpy, text, bytes, or what JSON says."""
        import io

        data = self.bytes_read()
        kind = self["$artifact"]
        if kind == "table":
            return _table(io.BytesIO(data), self)
        if kind == "json":
            import json

            return json.loads(data)
        if kind == "array":
            import numpy

            return numpy.load(io.BytesIO(data), allow_pickle=False)
        return data.decode("utf-8", "surrogatepass") if kind == "text" else data


def _artifact(reference, values):
    made = Artifact(reference, "")
    made.update(values)
    return made


def _table(file, about):
    import pandas

    dtypes = dict(about["dtypes"])
    times = [name for name, dtype in dtypes.items() if dtype.startswith("datetime")]
    plain = {name: dtype for name, dtype in dtypes.items() if dtype in PLAIN_DTYPES}
    levels = about["index"]
    table = pandas.read_csv(file, dtype=plain, float_precision="round_trip", index_col=list(range(levels)) or None)
    for name in times:
        table[name] = _times(table[name], dtypes[name]).astype(dtypes[name])
    if levels == 1 and about["index_dtype"].startswith("datetime"):
        table.index = _times(table.index, about["index_dtype"]).astype(about["index_dtype"])
    return table.iloc[:, 0] if about["series"] else table


def _times(values, dtype):
    import pandas

    # With a time zone the differences to UTC may change from row to row.
    return pandas.to_datetime(values, format="ISO8601", utc="," in dtype)


PLAIN_DTYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "bool", "str", "object")


def made(folder):
    """What becomes of each map of a document."""

    def make(mapping):
        return Artifact(mapping, folder) if "$artifact" in mapping else Context(mapping)

    return make


def read(path, folder):
    """Reads the document that the engine wrote."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.strip() == "{}":
        return Context()
    import json

    return json.loads(text, object_hook=made(folder))
