"""What the code sees as `context`."""


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


def read(path):
    """Reads the document that the engine wrote."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.strip() == "{}":
        return Context()
    import json

    return json.loads(text, object_hook=Context)
