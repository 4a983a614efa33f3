"""Holds back writes to the control system, and changes of files that the system's rules do not cover: a guard rail, for
code that means well.

The libraries are changed right after they are loaded, so that whatever name the code has for a function, it is the
guarded one. What was held back is written down in a file, so that code that catches the error, or a process that it
started, does not hide it. Nothing is imported here that the code did not import itself.
"""

import os

VERIFY_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 0.05
PREFIXES = ("ca://", "pva://")
# What the interpreter tells of changes of a file that is not opened for it: which argument has the folder that the path
# begins at, if any has.
CHANGES = {"os.chmod": 2, "os.chown": 3, "os.utime": 3, "os.setxattr": None, "os.removexattr": None}
# Memory that processes of one program share.
SHARED_MEMORY = "/dev/shm"


class WriteRefused(RuntimeError):
    """A write to the control system that was held back."""


class ChangeRefused(WriteRefused, PermissionError):
    """A change of a file that was held back; code that looks for what the system refuses finds it."""


class Guard:
    def __init__(self, options, internal):
        from contextvars import ContextVar

        self.options = options
        self.file = os.path.join(internal, "refused.jsonl")
        # The channels that the guarded call around this one has been asked about: the functions of a library call each
        # other. Of each thread and each task, since what one does says nothing of the others.
        self.asked = ContextVar("stepwell_asked", default=frozenset())

    def refuse(self, kind, code, message, hint, error=WriteRefused):
        import json

        line = json.dumps({"kind": kind, "code": code, "message": message, "hint": hint}) + "\n"
        file = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
        raise error(f"{message} [{code}]")

    # -- files --

    def hold_files(self, folders):
        """Refuses changes of modes, owners, times and extended attributes outside of these folders: the rules of the
        system are about what is in files. What the interpreter calls once can't be taken back."""
        import sys

        own = tuple(os.path.join(os.path.realpath(folder), "") for folder in folders + [SHARED_MEMORY])
        changes = CHANGES

        def hook(event, args):
            if event not in changes:
                return
            path = changed(args[0], args[changes[event]] if changes[event] else -1)
            if path is None or os.path.join(path, "").startswith(own):
                return
            self.refuse(
                "safety",
                "write_refused",
                f"{event} would change {path!r:.300}, which is outside of the folders that this step may write to",
                "change files of the step's own folder only, name the folder in `modes.read_only.writable`, "
                "or let the step say `mode: write_access`",
                ChangeRefused,
            )

        sys.addaudithook(hook)

    # -- what may be written --

    def admit(self, write):
        """Raises unless the value may be written to the channel; leaves in `write` what else must be looked at."""
        call, channel = write.call, write.channel
        if not self.options["allows_writes"]:
            self.refuse(
                "safety",
                "write_refused",
                f"{call} would write to {channel!r:.120}, and the mode of this step allows no writes",
                "let the step say `mode: write_access`; then a person is asked",
            )
        limits = self.options["channels"]
        if limits == "none":
            return
        if "unavailable" in limits:
            self.refuse(
                "limits",
                "limits_unavailable",
                f"{call} would write to {channel!r:.120}, and the limits of channels can't be read: "
                + limits["unavailable"]["reason"],
                "correct `control_system.write_limits` of config.yml: without limits nothing is written",
            )
        table = limits["table"]
        limit = find(table["channels"], channel, write.any_case)
        write.verify = table["verify"]
        if limit is None:
            if not table["unlisted"]:
                self.refuse(
                    "limits",
                    "channel_not_listed",
                    f"{call} would write to {channel!r:.120}, which is not in the list of limits",
                    "add the channel to `control_system.write_limits`, or say `unlisted: allow`",
                )
        else:
            self.bounds(write, limit)
            write.step = limit["step"]
            write.verify = limit["verify"] or table["verify"]
        if write.verify and write.read is None:
            self.refuse(
                "limits",
                "channel_limit",
                f"{call}: what it writes can't be read back, and the limits ask for it",
                "write with a call that can be read back, such as epics.PV.put",
            )

    def beyond(self, write, what):
        self.refuse(
            "limits",
            "channel_limit",
            f"{write.call}: {write.channel!r:.120} {what}",
            "write a value within the limits of the channel",
        )

    def bounds(self, write, limit):
        if limit["read_only"]:
            self.beyond(write, "is never written")
        least, most = limit["min"], limit["max"]
        if least is None and most is None and limit["step"] is None:
            return
        if write.wanted is None:
            self.beyond(write, f"takes numbers within limits, and {write.value!r:.80} is none")
        for number in write.wanted:
            if not (number - number == 0.0):
                self.beyond(write, f"takes finite numbers, not {number}")
            if least is not None and number < least:
                self.beyond(write, f"would become {number}, below its least value {least}")
            if most is not None and number > most:
                self.beyond(write, f"would become {number}, above its greatest value {most}")

    def steps(self, write, now):
        if now is None or len(now) != len(write.wanted):
            self.beyond(write, "may change in steps only, and the value that it has can't be read")
        for number, before in zip(write.wanted, now):
            if not abs(number - before) <= write.step:
                self.beyond(write, f"would change from {before} to {number}, by more than its step {write.step}")

    # -- around a call --

    def around(self, writes, function):
        """What is done around the call of `function`: it yields what is to be called, or to be waited for, and takes
        what came of it. So it is the same for functions and for coroutines."""
        for write in writes:
            self.admit(write)
        for write in writes:
            if write.step is not None:
                self.steps(write, (yield write.current))
        result = yield function
        if any(write.verify for write in writes):
            if hasattr(result, "add_done_callback") and not hasattr(result, "__await__"):
                yield result.result
            elif hasattr(result, "__await__"):
                return self.awaited(writes, result)
        yield from self.verified(writes)
        return result

    async def awaited(self, writes, result):
        result = await result
        await with_waiting(self.verified(writes))
        return result

    def verified(self, writes):
        import time

        for write in writes:
            until = time.monotonic() + VERIFY_SECONDS
            while write.verify:
                found = yield write.current
                if agree(found, write.wanted, write.verify["tolerance"]):
                    break
                if time.monotonic() >= until:
                    self.refuse(
                        "limits",
                        "readback_differs",
                        f"{write.call} wrote {write.value!r:.80} to {write.channel!r:.120}, which now has {found!r:.80}",
                        "look at the device: somebody else may write to it, or it does not follow",
                    )
                yield None

    # -- how libraries are changed --

    def wrap(self, call, function, look, any_case=False):
        """`look(args, options)` gives pairs of channel and value, and how a channel is read."""
        import functools
        import inspect

        def found(args, options):
            pairs, reader = look(args, options)
            writes = [Write(call, channel, value, reader, any_case) for channel, value in pairs]
            return [write for write in writes if write.channel not in self.asked.get()]

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def guarded(*args, **options):
                writes = found(args, options)
                token = self.asked.set(self.asked.get().union(write.channel for write in writes))
                try:
                    return await with_waiting(self.around(writes, lambda: function(*args, **options)))
                finally:
                    self.asked.reset(token)

        else:

            @functools.wraps(function)
            def guarded(*args, **options):
                writes = found(args, options)
                token = self.asked.set(self.asked.get().union(write.channel for write in writes))
                try:
                    return at_once(self.around(writes, lambda: function(*args, **options)))
                finally:
                    self.asked.reset(token)

        return guarded

    def change(self, owner, name, call, look, any_case=False):
        function = getattr(owner, name, None)
        if callable(function):
            setattr(owner, name, self.wrap(call, function, look, any_case))

    def actions(self):
        """Module by module, what is changed when it is loaded."""
        from . import libraries

        actions = libraries.actions(self)
        for writer in self.options["writers"]:
            self.own(actions, writer)
        return actions

    def own(self, actions, writer):
        """A name of config.yml: `module.function`, `module.Class.method` or `module.Class.attribute=`."""
        parts = writer.rstrip("=").split(".")
        for cut in range(1, len(parts)):
            name, inner = ".".join(parts[:cut]), parts[cut:]
            before = actions.get(name)

            def action(module, inner=inner, before=before):
                if before is not None:
                    before(module)
                owner = module
                for part in inner[:-1]:
                    owner = getattr(owner, part, None)
                if isinstance(owner, type):
                    self.member(owner, inner[-1], writer)
                elif owner is not None and hasattr(owner, inner[-1]):
                    self.change(owner, inner[-1], writer, first_two)

            actions[name] = action

    def member(self, owner, name, writer):
        found = getattr(owner, name, None)

        def look(args, options):
            channel = getattr(args[0], "name", None) or type(args[0]).__name__
            if isinstance(found, property):
                return [(channel, args[1])], None
            given = list(args[1:]) + list(options.values())
            return [(given[0], given[1]) if len(given) > 1 else (channel, given[0] if given else None)], None

        if isinstance(found, property) and found.fset is not None:
            setattr(owner, name, found.setter(self.wrap(writer, found.fset, look)))
        else:
            self.change(owner, name, writer, look)


def changed(path, folder):
    """The file that a call changes, by its real name; None = it has no name."""
    if isinstance(path, int):
        return named(path)
    path = os.fsdecode(path)
    if folder is not None and folder >= 0 and not os.path.isabs(path):
        path = os.path.join(named(folder) or os.sep, path)
    return os.path.realpath(path)


def named(descriptor):
    """Where an open file is: pipes, sockets and memory are nowhere."""
    try:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return None
    return path if path.startswith("/") and not path.startswith("/memfd:") else None


def first_two(args, options):
    given = list(args) + list(options.values())
    return [(given[0] if given else "", given[1] if len(given) > 1 else None)], None


class Write:
    """A value that a call is about to write to a channel."""

    def __init__(self, call, channel, value, reader, any_case):
        self.call = call
        self.channel = plain(channel)
        self.value = value
        self.wanted = numbers(value)
        # The channel as the code names it: a reader may know it by no other name.
        self.read = reader and (lambda: reader(channel))
        self.any_case = any_case
        self.step = None
        self.verify = None

    def current(self):
        return self.read() if self.read else None


def at_once(steps):
    """Goes through the steps, waiting where they wait."""
    import time

    answer = None
    while True:
        try:
            wanted = steps.send(answer)
        except StopIteration as end:
            return end.value
        if wanted is None:
            time.sleep(LOOK_AGAIN_SECONDS)
            answer = None
        elif is_current(wanted):
            try:
                answer = numbers(wanted())
            except Exception:
                answer = None
        else:
            answer = wanted()


async def with_waiting(steps):
    """The same in a coroutine."""
    import asyncio

    answer = None
    while True:
        try:
            wanted = steps.send(answer)
        except StopIteration as end:
            return end.value
        if wanted is None:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            answer = None
        elif is_current(wanted):
            try:
                answer = wanted()
                answer = numbers(await answer if hasattr(answer, "__await__") else answer)
            except Exception:
                answer = None
        else:
            answer = wanted()
            if hasattr(answer, "__await__"):
                answer = await answer


def is_current(wanted):
    """Whether it reads what a channel has now: what fails then is no fault of the code."""
    return isinstance(getattr(wanted, "__self__", None), Write)


def agree(found, wanted, tolerance):
    if found is None or wanted is None or len(found) != len(wanted):
        return False
    return all(abs(a - b) <= tolerance for a, b in zip(found, wanted))


def plain(channel):
    """The channel without what only says how it is reached: `ca://X.VAL` is X, and so is `X.VAL{"dbnd": …}`."""
    channel = channel.decode() if isinstance(channel, bytes) else str(channel)
    for prefix in PREFIXES:
        if channel.startswith(prefix):
            channel = channel[len(prefix) :]
    channel = channel.split("{", 1)[0].rstrip("$")
    return channel[:-4] if channel.endswith(".VAL") else channel.removesuffix(".")


def find(channels, channel, any_case=False):
    """The limits of a channel: by its name, else by the longest pattern that fits."""
    if any_case:
        channel = channel.lower()
        channels = {name.lower(): limit for name, limit in channels.items()}
    if channel in channels:
        return channels[channel]
    patterns = [name for name in channels if "*" in name or "?" in name]
    for pattern in sorted(patterns, key=len, reverse=True):
        if fits(pattern, channel):
            return channels[pattern]
    return None


def fits(pattern, text):
    import re

    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def numbers(value):
    """The numbers in a value, or None when it has something else."""
    for name in ("todict", "toDict"):
        # The structures of p4p and pvaccess.
        if callable(getattr(value, name, None)):
            value = getattr(value, name)()
    if isinstance(value, dict):
        value = value.get("value")
    if hasattr(value, "tolist"):
        value = value.tolist()
    items = value if isinstance(value, (list, tuple)) else [value]
    try:
        return [float(item) for item in items] or None
    except (TypeError, ValueError, OverflowError):
        return None
