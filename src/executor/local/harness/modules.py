"""Modules beside the workflow. They are imported from the copies that were analysed, and from nowhere else; they keep
their names and places, so that tracebacks and data files beside them are found where the author has put them."""

import os
import sys
from importlib import machinery

try:
    # Without the libraries that `hashlib` loads.
    from _sha2 import sha256
except ImportError:
    try:
        from _sha256 import sha256
    except ImportError:
        from hashlib import sha256


class _Source(machinery.SourceFileLoader):
    def __init__(self, name, path, text):
        super().__init__(name, path)
        self.text = text

    def get_data(self, path):
        return self.text if path == self.path else super().get_data(path)

    def get_code(self, fullname):
        # Without the compiled form that may lie beside the original.
        return self.source_to_code(self.get_data(self.path), self.path)


class _Inside:
    """Finds what is inside the packages."""

    def __init__(self, source, copies, digests):
        self.source = source
        self.copies = copies
        self.digests = digests
        # The interpreter itself may lie below the folder of the workflow: only what came from here is ours.
        self.folders = set()

    def find_spec(self, name, path=None, target=None):
        ours = [entry for entry in path or () if entry in self.folders]
        for entry in ours:
            spec = self.find(name, entry)
            if spec is not None:
                return spec
        if ours:
            # It came after the analysis, or it is no module: the usual way would find it.
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

    def find(self, name, folder):
        kinds = (
            (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
            (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
            (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
        )
        copy = self.copies + folder[len(self.source) :]
        spec = machinery.FileFinder(copy, *kinds).find_spec(name)
        if spec is None:
            return None
        inside = spec.submodule_search_locations
        text = None
        if spec.loader is not None:
            text = self.analysed(name, spec.origin)
            if text is None:
                return None
        if inside is not None:
            inside = [self.source + entry[len(self.copies) :] for entry in inside]
            self.folders.update(inside)
        if isinstance(spec.loader, machinery.SourceFileLoader):
            place = self.source + spec.origin[len(self.copies) :]
            loader = _Source(name, place, text)
            spec = machinery.ModuleSpec(name, loader, origin=place, is_package=inside is not None)
            spec.has_location = True
        spec.submodule_search_locations = inside
        return spec

    def analysed(self, name, copy):
        """What is in a copy, when it is one: the code may have put files beside them, or changed them."""
        digest = self.digests.get(os.path.relpath(copy, self.copies))
        if digest is None:
            return None
        with open(copy, "rb") as file:
            text = file.read()
        if sha256(text).hexdigest() != digest:
            raise ImportError(f"{name!r} was changed after it was analysed", name=name)
        return text


class _Top:
    """Finds modules and packages themselves."""

    def __init__(self, inside):
        self.inside = inside

    def find_spec(self, name, path=None, target=None):
        return self.inside.find(name, self.inside.source) if path is None else None


def install(source, copies, digests):
    """Last for names, so that a helper never hides an installed package; first for what is inside of packages."""
    inside = _Inside(source.rstrip(os.sep), copies, digests)
    sys.meta_path.insert(0, inside)
    sys.meta_path.append(_Top(inside))
