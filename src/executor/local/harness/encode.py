"""Values as strict JSON. Classes of other libraries are looked up among the loaded modules, never imported."""

import os
import sys

DEPTH_MAX = 100
NOTES_MAX = 50
TEXT_CHARS_MAX = 4_000
# The key of a map that stands for a file.
REFERENCE = "$artifact"
# A value that takes more than this share of the room becomes a file when there is not enough; a smaller one than this
# many bytes never does.
PARTS = 4
SMALL = 4_096


class Refused(Exception):
    """A value that JSON can't say, with the word of the error catalogue."""

    def __init__(self, code, message, hint):
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Encoder:
    """Writes a value as strict JSON, with a note for every conversion that loses something.

    What is larger than `bytes_max` is refused; with `keep`, its largest parts become files instead: `keep.file(value,
    where, path)` writes one and says what stands for it.
    """

    def __init__(self, root, bytes_max, null_for_nan, keep=None):
        self.root = root
        self.bytes_max = self.room = bytes_max
        self.null_for_nan = null_for_nan
        self.keep = keep
        self.part_max = None
        self.begin()

    def begin(self):
        self.path = []
        self.open = set()
        self.parts = []
        self.size = 0
        self.notes = []
        self.entries = []
        self.pending = None

    def encode(self, value):
        try:
            self.value(value)
        except RecursionError:
            self.refuse("results_too_deep", "is nested too deeply", "flatten it")
        except Refused as refused:
            if refused.code != "results_too_large" or self.keep is None:
                raise
            self.encode_in_parts(value)
        if self.pending is not None:
            raise self.pending
        return "".join(self.parts)

    # -- values that become files --

    def encode_in_parts(self, value):
        """There is no room for all: values that take more than a quarter of it become files, then the largest ones of
        the outermost map, until the rest fits."""
        self.begin()
        self.part_max = self.room // PARTS
        self.bytes_max = self.keep.bytes_max
        if isinstance(value, dict):
            self.value(value)
        else:
            self.child(value)
        entries = sorted(self.entries, key=lambda entry: entry[2], reverse=True)
        for (start, end), key, size, item in entries:
            if self.size <= self.room or size <= SMALL:
                break
            self.path.append(key)
            text = self.filed(item)
            self.path.pop()
            self.parts[start:end] = [text] + [""] * (end - start - 1)
            self.size += len(text) - size
        if self.size > self.room:
            self.too_large(self.room)

    def child(self, value):
        """A value inside of another one."""
        if self.part_max is None or value is None or type(value) in (bool, int, float):
            self.value(value)
            return
        start, size, noted, pending = len(self.parts), self.size, len(self.notes), self.pending
        if not self.is_vast(value):
            self.value(value)
            if self.size - size <= self.part_max or hasattr(type(value), "_reference"):
                return
            del self.parts[start:], self.notes[noted:]
            self.size, self.pending = size, pending
        self.put(self.filed(value))

    def is_vast(self, value):
        """Whether it is too large for certain, without having been written out."""
        if isinstance(value, (str, bytes, bytearray, memoryview)):
            return len(value) > self.part_max
        if isinstance(value, (list, tuple, range, set, frozenset)):
            return 2 * len(value) > self.part_max
        if is_a(value, "numpy", "ndarray") or is_a(value, "pandas", "DataFrame", "Series", "Index"):
            return 2 * value.size > self.part_max
        return False

    def filed(self, value):
        """Makes a file of the value; the text of what stands for it."""
        about = self.keep.file(value, self.where(), self.path)
        self.note(f"it is too large to stand here: it became the file {about['path']}")
        return plain(about)

    def where(self):
        return self.root + "".join(self.path)

    def refuse(self, code, what, hint):
        raise Refused(code, f"{self.where()} {what}", hint)

    def note(self, what):
        text = f"{self.where()}: {what}"
        if len(self.notes) < NOTES_MAX:
            self.notes.append(text)
        elif len(self.notes) == NOTES_MAX:
            self.notes.append("more conversions were made; only the first are listed")

    def put(self, text):
        self.parts.append(text)
        self.size += len(text)
        if self.size > self.bytes_max:
            self.too_large(self.bytes_max)

    def too_large(self, bytes_max):
        raise Refused(
            "results_too_large",
            f"{self.root} is larger than {bytes_max} bytes as JSON",
            "keep numbers that decide in `results` and give bulk data to save_artifact(obj, title)",
        )

    def value(self, value):
        kind = type(value)
        if value is None:
            self.put("null")
        elif kind is bool:
            self.put("true" if value else "false")
        elif kind is int:
            self.integer(value)
        elif kind is float:
            self.float(value)
        elif kind is str:
            self.text(value)
        elif kind in (list, tuple):
            self.sequence(value, value)
        elif hasattr(kind, "_reference"):
            # A large value of an earlier step, handed on.
            self.put(plain(value._reference))
        elif isinstance(value, dict):
            self.mapping(value, dict.items(value))
        else:
            self.other(value)

    def integer(self, value):
        if not -(2**63) <= value < 2**63:
            self.refuse("results_int_range", "is an integer beyond 64 bits", "use a float or str(value)")
        self.put(int.__repr__(value))

    def float(self, value):
        if value - value == 0.0:
            self.put(float.__repr__(value))
        else:
            self.not_finite(float.__repr__(value))

    def not_finite(self, shown):
        if not self.null_for_nan:
            try:
                self.refuse(
                    "results_not_finite",
                    f"is {shown}, which JSON can't say",
                    "replace it: None becomes null",
                )
            except Refused as refused:
                if self.keep is None:
                    raise
                # A table that becomes a file keeps it: that is known at the end.
                self.pending = self.pending or refused
        self.note(f"{shown} became null")
        self.put("null")

    def text(self, value):
        from _json import encode_basestring_ascii

        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            self.note("lone surrogates became U+FFFD")
            value = "".join("\ufffd" if 0xD800 <= ord(char) < 0xE000 else char for char in value)
        self.put(encode_basestring_ascii(value))

    def enter(self, value):
        if id(value) in self.open:
            self.refuse("results_cycle", "contains itself", "leave a tree of values, without references upwards")
        if len(self.path) >= DEPTH_MAX:
            self.refuse("results_too_deep", f"is nested deeper than {DEPTH_MAX} levels", "flatten it")
        self.open.add(id(value))

    def sequence(self, owner, items):
        self.enter(owner)
        self.put("[")
        for index, item in enumerate(items):
            if index:
                self.put(",")
            self.path.append(f"[{index}]")
            self.child(item)
            self.path.pop()
        self.put("]")
        self.open.discard(id(owner))

    def mapping(self, owner, items):
        self.enter(owner)
        self.put("{")
        seen = set()
        for key, item in items:
            if not isinstance(key, str):
                self.refuse(
                    "results_key",
                    f"has the key {key!r:.80} of type {type(key).__name__}; keys must be text",
                    "use {str(key): value for key, value in …}",
                )
            key = str.__str__(key)
            if key == REFERENCE:
                self.refuse("results_key", f"has the key {key!r}, which stands for files of a run", "choose another key")
            if key in seen:
                self.refuse("results_key", f"has the key {key!r:.80} twice", "make the keys different")
            if seen:
                self.put(",")
            seen.add(key)
            self.path.append(f"[{key!r:.80}]".replace("'", '"'))
            self.text(key)
            self.put(":")
            start, size = len(self.parts), self.size
            self.child(item)
            if self.part_max is not None and len(self.path) == 1:
                self.entries.append(((start, len(self.parts)), self.path[-1], self.size - size, item))
            self.path.pop()
        self.put("}")
        self.open.discard(id(owner))

    def other(self, value):
        for convert in (self.standard, self.numpy, self.pandas):
            if convert(value):
                return
        kind = type(value)
        self.refuse(
            "results_unsupported",
            f"is of type {kind.__module__}.{kind.__qualname__}, which results can't hold",
            "leave plain values in `results`, or keep the object with save_artifact(obj, title)",
        )

    def standard(self, value):
        """Types of the standard library. Classes are looked up in loaded modules, never imported."""
        if is_a(value, "enum", "Enum"):
            self.note(f"{type(value).__name__}.{value.name} became its value")
            self.value(value.value)
        elif isinstance(value, bool):
            self.put("true" if value else "false")
        elif is_a(value, "numpy", "generic"):
            return False
        elif isinstance(value, int):
            self.integer(int(value))
        elif isinstance(value, float):
            self.float(float(value))
        elif isinstance(value, str):
            self.text(str.__str__(value))
        elif isinstance(value, (list, tuple)):
            fields = getattr(value, "_fields", None)
            if fields and isinstance(value, tuple):
                self.note(f"the named tuple {type(value).__name__} became a map")
                self.mapping(value, zip(fields, value))
            else:
                self.sequence(value, value)
        elif isinstance(value, range):
            self.sequence(value, value)
        elif isinstance(value, (set, frozenset)):
            self.set(value)
        elif isinstance(value, (bytes, bytearray, memoryview)):
            self.bytes(value)
        elif isinstance(value, complex):
            self.note("a complex number became {real, imag}")
            self.mapping(value, (("real", value.real), ("imag", value.imag)))
        elif isinstance(value, os.PathLike):
            self.text(os.fsdecode(value))
        else:
            return self.rarer(value)
        return True

    def rarer(self, value):
        if is_a(value, "datetime", "datetime", "date", "time"):
            if _is_missing(value):
                self.not_finite("NaT")
            else:
                self.text(value.isoformat())
        elif is_a(value, "datetime", "timedelta"):
            if _is_missing(value):
                self.not_finite("NaT")
            else:
                self.note("a duration became seconds")
                self.float(value.total_seconds())
        elif is_a(value, "decimal", "Decimal"):
            if value.is_finite():
                self.note("a Decimal became text")
                self.text(str(value))
            else:
                self.not_finite(str(value))
        elif is_a(value, "fractions", "Fraction") or is_a(value, "uuid", "UUID"):
            self.note(f"a {type(value).__name__} became text")
            self.text(str(value))
        elif is_a(value, "collections", "deque", "UserList"):
            self.sequence(value, value)
        elif is_a(value, "collections", "UserString"):
            self.text(str(value))
        elif is_a(value, "array", "array"):
            self.note("an array.array became a list")
            self.large(len(value))
            self.sequence(value, value.tolist())
        elif hasattr(type(value), "__dataclass_fields__"):
            self.note(f"the dataclass {type(value).__name__} became a map")
            names = type(value).__dataclass_fields__
            self.mapping(value, [(name, getattr(value, name)) for name in names if hasattr(value, name)])
        elif is_a(value, "collections.abc", "Mapping"):
            self.mapping(value, value.items())
        else:
            return False
        return True

    def set(self, value):
        try:
            items = sorted(value)
            self.note("a set became a sorted list")
        except TypeError:
            items = sorted(value, key=repr)
            self.note("a set became a list, sorted by the text of its items")
        self.sequence(value, items)

    def bytes(self, value):
        import binascii

        self.note("bytes became base64 text")
        self.text(binascii.b2a_base64(bytes(value), newline=False).decode("ascii"))

    def large(self, count):
        """Refuses what can't fit before millions of Python objects are made."""
        if 2 * count > self.bytes_max:
            self.put(" " * (self.bytes_max + 1))

    def numpy(self, value):
        if is_a(value, "numpy", "ndarray", "void") and value.dtype.names:
            self.records(value)
        elif is_a(value, "numpy", "ndarray"):
            if value.dtype.kind not in "biufcmMSUO":
                return False
            if is_a(value, "numpy.ma", "MaskedArray"):
                self.note("masked items became null")
            elif value.ndim:
                self.note(f"an array {value.dtype} of shape {value.shape} became lists")
            self.large(value.size)
            self.array(value)
        elif is_a(value, "numpy", "datetime64", "timedelta64"):
            if str(value) == "NaT":
                self.not_finite("NaT")
            else:
                self.note(f"a {type(value).__name__} became text")
                self.text(str(value))
        elif is_a(value, "numpy", "generic"):
            plain = value.item()
            if type(plain).__module__ == "numpy":
                self.note(f"a {type(value).__name__} was rounded to a 64-bit float")
                plain = float(value)
            self.value(plain)
        else:
            return False
        return True

    def records(self, value):
        """A structured array, or one record of it: maps from its fields."""
        if value.ndim:
            names = ", ".join(value.dtype.names)
            self.note(f"an array of shape {value.shape} with the fields {names} became a list of maps")
            self.large(value.size)
            self.sequence(value, _items(value))
        else:
            self.mapping(value, [(name, value[name]) for name in value.dtype.names])

    def array(self, value):
        if value.dtype.kind in "mM":
            self.sequence(value, list(value)) if value.ndim else self.value(value[()])
        else:
            self.value(value.tolist())

    def pandas(self, value):
        if is_a(value, "pandas", "DataFrame"):
            if not value.columns.is_unique:
                self.refuse("results_key", "has two columns of one name", "rename the columns")
            index = "" if is_default(value.index) else ", its index was dropped (use reset_index() to keep it)"
            self.note(f"a table of {value.shape[0]} rows became a list of records{index}")
            columns = [str(name) for name in value.columns]
            rows = value.itertuples(index=False, name=None)
            self.sequence(value, (dict(zip(columns, row)) for row in rows))
        elif is_a(value, "pandas", "Series"):
            if is_default(value.index):
                self.note("a series became a list")
                self.sequence(value, value.tolist())
            elif not value.index.is_unique:
                self.note("a series became a list, its index was dropped: it has a label twice (use reset_index() to keep it)")
                self.sequence(value, value.tolist())
            else:
                self.note("a series became a map from its index")
                self.mapping(value, [(str(label), item) for label, item in value.items()])
        elif is_a(value, "pandas", "Index", "Categorical"):
            self.note(f"a {type(value).__name__} became a list")
            self.sequence(value, value.tolist())
        elif is_a(value, "pandas.api.extensions", "ExtensionArray"):
            self.note(f"a {type(value).__name__} became a list")
            self.large(len(value))
            self.sequence(value, list(value))
        elif _is_missing(value):
            self.not_finite(repr(value))
        elif is_a(value, "pandas", "Period", "Interval"):
            self.note(f"a {type(value).__name__} became text")
            self.text(str(value))
        else:
            return False
        return True


def _items(array):
    """The records of a structured array, in lists where it has more than one dimension."""
    return [_items(item) for item in array] if array.ndim else array


def plain(document):
    """A document of our own as JSON."""
    import json

    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def is_a(value, module, *names):
    loaded = sys.modules.get(module)
    if loaded is None:
        return False
    classes = [getattr(loaded, name, None) for name in names]
    return isinstance(value, tuple(found for found in classes if isinstance(found, type)))


def _is_missing(value):
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is getattr(pandas, "NaT", 0) or value is getattr(pandas, "NA", 0))


def is_default(index):
    return type(index).__name__ == "RangeIndex"


def message(error):
    try:
        return str(error)[:TEXT_CHARS_MAX]
    except Exception:
        return "(its message could not be read)"
