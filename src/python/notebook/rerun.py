

class _Stepwell:
    """Stands in for the engine: a fresh working folder for each step, and its inputs, checked against their digest."""

    # Where the notebook lies; this cell may run twice.
    home = globals()["_stepwell"].home if "_stepwell" in globals() else os.getcwd()

    def begin(self, folder, variables, modules):
        import sys
        import tempfile

        # The folder of the attempt: beside the notebook, or where it was when the notebook has been copied.
        here = os.path.normpath(os.path.join(self.home, folder))
        there = variables.get("STEPWELL_FOLDER", here)
        self.folder = here if os.path.exists(os.path.join(here, "context.json")) else there
        os.environ.update(variables)
        self.work = tempfile.mkdtemp(prefix="stepwell-rerun-")
        os.makedirs(os.path.join(self.work, "artifacts"))
        os.makedirs(os.path.join(self.work, "figures"))
        os.chdir(self.work)
        globals()["__file__"] = os.path.join(self.folder, "code.py")
        # As in a run, what the code writes is no module: the working folder is not looked into.
        sys.path[:] = [place for place in sys.path if place]
        places = [os.path.join(self.folder, ".attempt", "modules"), modules]
        sys.path.extend(place for place in places if place and place not in sys.path)

    def inputs(self, text):
        import json

        return json.loads(text, object_hook=made(self.folder))

    def inputs_from_file(self, sha256):
        import hashlib

        path = os.path.join(self.folder, "context.json")
        with open(path, "rb") as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ValueError(f"{path} is not what the step got: its digest is another one")
        return self.inputs(data)


_stepwell = _Stepwell()


def save_artifact(obj, title="", description=""):
    """Keeps `obj` as a file of this folder, which is temporary; in a run it would be kept with the step."""
    import shutil

    title = str(title) or (os.path.basename(os.fspath(obj)) if isinstance(obj, os.PathLike) else "artifact")
    name = "".join(char if char.isalnum() or char in "._-" else "_" for char in title)
    has_suffix = 1 < len(os.path.splitext(name)[1]) <= 8
    path = os.path.join(_stepwell.work, "artifacts", name)
    if isinstance(obj, os.PathLike):
        if os.path.realpath(obj).startswith(os.path.realpath(_stepwell.work) + os.sep):
            return os.path.abspath(obj)
        return shutil.copyfile(obj, path)
    if isinstance(obj, (bytes, bytearray, memoryview)):
        data, suffix = bytes(obj), ".bin"
    elif hasattr(obj, "to_csv"):
        data, suffix = obj.to_csv(index=type(obj.index).__name__ != "RangeIndex").encode(), ".csv"
    elif hasattr(obj, "savefig"):
        path += "" if has_suffix else ".png"
        obj.savefig(path, dpi=120, bbox_inches="tight")
        return path
    elif hasattr(obj, "dtype") and hasattr(obj, "tofile"):
        import io

        import numpy

        file = io.BytesIO()
        numpy.save(file, obj, allow_pickle=False)
        data, suffix = file.getvalue(), ".npy"
    elif isinstance(obj, str):
        data, suffix = obj.encode("utf-8", "surrogatepass"), ".txt"
    else:
        import json

        data, suffix = json.dumps(obj, default=str).encode(), ".json"
    path += "" if has_suffix else suffix
    with open(path, "wb") as file:
        file.write(data)
    return path
