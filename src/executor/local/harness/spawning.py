"""Interpreters that libraries start for the code: they know the names that the code knows, and import nothing that the
code has written into its own folder."""

import os

# First in what the interpreter runs: before anything is imported, the folder that it works in is no place for modules.
CLEAR = "import sys; sys.path[:] = [entry for entry in sys.path if entry]; "


def prepare(attempt, spawn):
    """Lets a spawned process run the code with `context` and `save_artifact` in its globals, as here."""
    before = spawn.get_preparation_data

    def get_preparation_data(*args, **options):
        # The process is told by that file what it may do; the code may have written there.
        with open(os.path.join(attempt.internal, "harness.json"), encoding="utf-8") as file:
            if file.read() != attempt.told:
                raise RuntimeError(".attempt/harness.json was changed; it belongs to the engine")
        data = before(*args, **options)
        if data.get("init_main_from_path") == attempt.code:
            data["init_main_from_path"] = os.path.join(os.path.dirname(__file__), "spawned.py")
        return data

    spawn.get_preparation_data = get_preparation_data


def start(_attempt, module):
    """Has the interpreters that are started by this module look for no modules in their working folder."""
    for name, place in (("spawnv_passfds", 1), ("fork_exec", 0)):
        function = getattr(module, name, None)
        if function is not None:
            setattr(module, name, _clearing(function, place))


def _clearing(function, place):
    def start(*args, **options):
        args = list(args)
        if len(args) > place:
            args[place] = cleared(args[place])
        return function(*args, **options)

    return start


def cleared(command):
    """The same command, which begins with [`CLEAR`] when it is one of an interpreter."""
    command = list(command)
    for index, word in enumerate(command[1:-1], 1):
        if word == "-c":
            command[index + 1] = CLEAR + command[index + 1]
            break
        if word == "-m":
            run = f"import runpy; runpy._run_module_as_main({command[index + 1]!r})"
            command[index : index + 2] = ["-c", CLEAR + run]
            break
    return command
