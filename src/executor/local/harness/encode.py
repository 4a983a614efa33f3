"""Values as strict JSON. Classes of other libraries are looked up among the loaded modules, never imported."""

import os
import sys

DEPTH_MAX = 100
NOTES_MAX = 50
TEXT_CHARS_MAX = 4_000


class Refused(Exception):
    """A value that JSON can't say, with the word of the error catalogue."""

    def __init__(self, code, message, hint):
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Encoder:
    """Writes a value as strict JSON, with a note for every conversion that loses something."""

    def __init__(self, root, bytes_max, null_for_nan):
        self.root = root
        self.path = []
        self.open = set()
        self.parts = []
        self.size = 0
        self.bytes_max = bytes_max
        self.null_for_nan = null_for_nan
        self.notes = []

    def encode(self, value):
        try:
            self.value(value)
        except RecursionError:
            self.refuse("results_too_deep", "is nested too deeply", "flatten it")
        return "".join(self.parts)

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
            raise Refused(
                "results_too_large",
                f"{self.root} is larger than {self.bytes_max} bytes as JSON",
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
            self.refuse(
                "results_not_finite",
                f"is {shown}, which JSON can't say",
                "replace it: None becomes null",
            )
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
            self.value(item)
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
            if key in seen:
                self.refuse("results_key", f"has the key {key!r:.80} twice", "make the keys different")
            if seen:
                self.put(",")
            seen.add(key)
            self.path.append(f"[{key!r:.80}]".replace("'", '"'))
            self.text(key)
            self.put(":")
            self.value(item)
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
        elif is_a(value, "collections", "deque"):
            self.sequence(value, value)
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

    def numpy(self, value):
        if is_a(value, "numpy", "ndarray"):
            if value.dtype.kind not in "biufcmMSUO":
                return False
            if is_a(value, "numpy.ma", "MaskedArray"):
                self.note("masked items became null")
            elif value.ndim:
                self.note(f"an array {value.dtype} of shape {value.shape} became lists")
            # A larger array can't fit: refuse it before millions of Python objects are made.
            if 2 * value.size > self.bytes_max:
                self.put(" " * (self.bytes_max + 1))
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
            if is_default(value.index) or not value.index.is_unique:
                self.note("a series became a list")
                self.sequence(value, value.tolist())
            else:
                self.note("a series became a map from its index")
                self.mapping(value, [(str(label), item) for label, item in value.items()])
        elif is_a(value, "pandas", "Index", "Categorical"):
            self.note(f"a {type(value).__name__} became a list")
            self.sequence(value, value.tolist())
        elif _is_missing(value):
            self.not_finite(repr(value))
        elif is_a(value, "pandas", "Period", "Interval"):
            self.note(f"a {type(value).__name__} became text")
            self.text(str(value))
        else:
            return False
        return True


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
