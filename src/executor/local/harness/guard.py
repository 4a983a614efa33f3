"""Holds back writes to the control system: a guard rail, for code that means well.

The libraries are changed right after they are loaded, so that whatever name the code has for a function, it is the
guarded one. What was held back is written down in a file, so that code that catches the error, or a process that it
started, does not hide it. Nothing is imported here that the code did not import itself.
"""

import os
from _thread import _local

VERIFY_SECONDS = 2.0
PREFIXES = ("ca://", "pva://")


class WriteRefused(RuntimeError):
    """A write to the control system that was held back."""


class Guard:
    def __init__(self, options, internal):
        self.options = options
        self.file = os.path.join(internal, "refused.jsonl")
        # Of each thread: what one does inside a guarded call says nothing of the others.
        self.own_thread = _local()

    @property
    def inside(self):
        return getattr(self.own_thread, "inside", False)

    @inside.setter
    def inside(self, value):
        self.own_thread.inside = value

    def refuse(self, kind, code, message, hint):
        import json

        line = json.dumps({"kind": kind, "code": code, "message": message, "hint": hint}) + "\n"
        file = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
        raise WriteRefused(f"{message} [{code}]")

    # -- what may be written --

    def check(self, call, channel, value, read):
        """Returns what must be read back, or raises."""
        channel = plain(channel)
        if not self.options["allows_writes"]:
            self.refuse(
                "safety",
                "write_refused",
                f"{call} would write to {channel!r:.120}, and the mode of this step allows no writes",
                "let the step say `mode: write_access`; then a person is asked",
            )
        limits = self.options["channels"]
        if limits == "none":
            return None
        if "unavailable" in limits:
            self.refuse(
                "limits",
                "limits_unavailable",
                f"{call} would write to {channel!r:.120}, and the limits of channels can't be read: "
                + limits["unavailable"]["reason"],
                "correct `control_system.write_limits` of config.yml: without limits nothing is written",
            )
        table = limits["table"]
        limit = find(table["channels"], channel)
        if limit is None:
            if not table["unlisted"]:
                self.refuse(
                    "limits",
                    "channel_not_listed",
                    f"{call} would write to {channel!r:.120}, which is not in the list of limits",
                    "add the channel to `control_system.write_limits`, or say `unlisted: allow`",
                )
            return table["verify"]
        self.bounds(call, channel, value, limit, read)
        return limit["verify"] or table["verify"]

    def bounds(self, call, channel, value, limit, read):
        def no(what):
            self.refuse(
                "limits",
                "channel_limit",
                f"{call}: {channel!r:.120} {what}",
                "write a value within the limits of the channel",
            )

        if limit["read_only"]:
            no("is never written")
        least, most, step = limit["min"], limit["max"], limit["step"]
        if least is None and most is None and step is None:
            return
        wanted = numbers(value)
        if wanted is None:
            no(f"takes numbers within limits, and {value!r:.80} is none")
        for number in wanted:
            if not (number - number == 0.0):
                no(f"takes finite numbers, not {number}")
            if least is not None and number < least:
                no(f"would become {number}, below its least value {least}")
            if most is not None and number > most:
                no(f"would become {number}, above its greatest value {most}")
        if step is not None:
            now = self.current(read)
            if now is None or len(now) != len(wanted):
                no("may change in steps only, and the value that it has can't be read")
            for number, before in zip(wanted, now):
                if not abs(number - before) <= step:
                    no(f"would change from {before} to {number}, by more than its step {step}")

    def current(self, read):
        if read is None:
            return None
        try:
            return numbers(read())
        except Exception:
            return None

    def verify(self, call, channel, value, verify, read):
        import time

        wanted = numbers(value)
        until = time.monotonic() + VERIFY_SECONDS
        while True:
            found = self.current(read)
            if found is not None and wanted is not None and len(found) == len(wanted):
                if all(abs(a - b) <= verify["tolerance"] for a, b in zip(found, wanted)):
                    return
            if time.monotonic() >= until:
                break
            time.sleep(0.05)
        self.refuse(
            "limits",
            "readback_differs",
            f"{call} wrote {value!r:.80} to {plain(channel)!r:.120}, which now has {found!r:.80}",
            "look at the device: somebody else may write to it, or it does not follow",
        )

    # -- how libraries are changed --

    def wrap(self, call, function, look):
        """`look(args, options)` gives pairs of channel and value, and how a channel is read."""
        import functools
        import inspect

        @functools.wraps(function)
        def guarded(*args, **options):
            if self.inside:
                return function(*args, **options)
            writes, reader = look(args, options)
            later = []
            self.inside = True
            try:
                for channel, value in writes:
                    read = reader and (lambda channel=channel: reader(channel))
                    verify = self.check(call, channel, value, read)
                    if verify:
                        later.append((channel, value, verify, read))
                if later and (reader is None or inspect.iscoroutinefunction(function)):
                    self.refuse(
                        "limits",
                        "channel_limit",
                        f"{call}: what it writes can't be read back, and the limits ask for it",
                        "write with a call that can be read back, such as epics.PV.put",
                    )
                result = function(*args, **options)
                for channel, value, verify, read in later:
                    self.verify(call, channel, value, verify, read)
                return result
            finally:
                self.inside = False

        return guarded

    def change(self, owner, name, call, look):
        function = getattr(owner, name, None)
        if callable(function):
            setattr(owner, name, self.wrap(call, function, look))

    def actions(self):
        """Module by module, what is changed when it is loaded."""
        actions = {
            "epics": self.epics,
            "epics.pv": self.epics_pv,
            "epics.ca": self.epics_ca,
            "p4p.client.thread": self.p4p,
            "p4p.client.asyncio": self.p4p,
            "p4p.client.cothread": self.p4p,
            "p4p.client.raw": self.p4p,
            "caproto.sync.client": self.caproto_sync,
            "caproto.threading.client": self.caproto,
            "caproto.asyncio.client": self.caproto,
            "pvaccess": self.pvaccess,
            "tango": self.tango,
        }
        for writer in self.options["writers"]:
            self.own(actions, writer)
        return actions

    def epics(self, module):
        def look(args, options):
            return [(pick(args, options, 0, "pvname"), pick(args, options, 1, "value"))], module.caget

        self.change(module, "caput", "epics.caput", look)

        def many(args, options):
            names = pick(args, options, 0, "pvlist")
            return list(zip(names, pick(args, options, 1, "values"))), module.caget

        self.change(module, "caput_many", "epics.caput_many", many)

    def epics_pv(self, module):
        def look(args, options):
            pv = args[0]
            return [(pv.pvname, pick(args, options, 1, "value"))], lambda _channel: pv.get()

        self.change(module.PV, "put", "epics.PV.put", look)

    def epics_ca(self, module):
        def look(args, options):
            chid = pick(args, options, 0, "chid")
            return [(module.name(chid), pick(args, options, 1, "value"))], lambda _channel: module.get(chid)

        self.change(module, "put", "epics.ca.put", look)

    def p4p(self, module):
        def look(args, options):
            names = pick(args, options, 1, "name")
            values = pick(args, options, 2, "values" if "values" in options else "builder")
            if isinstance(names, (str, bytes)):
                names, values = [names], [values]
            get = args[0].get
            return list(zip(names, values)), lambda channel: get(channel)

        self.change(module.Context, "put", "p4p.client.Context.put", look)

        def rpc(args, options):
            return [(pick(args, options, 1, "name"), pick(args, options, 2, "value"))], None

        self.change(module.Context, "rpc", "p4p.client.Context.rpc", rpc)

    def caproto_sync(self, module):
        def look(args, options):
            pair = (pick(args, options, 0, "pv_name"), pick(args, options, 1, "data"))
            return [pair], lambda channel: module.read(channel).data

        self.change(module, "write", "caproto.sync.client.write", look)
        self.change(module, "read_write_read", "caproto.sync.client.read_write_read", look)

    def caproto(self, module):
        def look(args, options):
            pv = args[0]
            return [(pv.name, pick(args, options, 1, "data"))], lambda _channel: pv.read().data

        self.change(module.PV, "write", "caproto.PV.write", look)
        if hasattr(module, "Batch"):

            def batch(args, options):
                return [(pick(args, options, 1, "pv").name, pick(args, options, 2, "data"))], None

            self.change(module.Batch, "write", "caproto.Batch.write", batch)

    def pvaccess(self, module):
        def look(args, options):
            channel = args[0]
            value = args[1] if len(args) > 1 else next(iter(options.values()), None)
            return [(channel.getName(), value)], None

        for name in dir(module.Channel):
            if name.lower().startswith(("put", "asyncput", "parseput", "qput")):
                self.change(module.Channel, name, f"pvaccess.Channel.{name}", look)

    def tango(self, module):
        def look(args, options):
            name = pick(args, options, 1, "attr_name")
            name = getattr(name, "name", name)
            read = args[0].read_attribute
            pair = (f"{args[0].dev_name()}/{name}", pick(args, options, 2, "value"))
            return [pair], lambda _channel: read(name).value

        proxy = module.DeviceProxy
        for name in ("write_attribute", "write_read_attribute", "write_attribute_asynch"):
            self.change(proxy, name, f"tango.DeviceProxy.{name}", look)

        def several(args, options):
            device = args[0].dev_name()
            pairs = pick(args, options, 1, "name_val")
            return [(f"{device}/{name}", value) for name, value in pairs], None

        for name in ("write_attributes", "write_attributes_asynch"):
            self.change(proxy, name, f"tango.DeviceProxy.{name}", several)

        def command(args, options):
            name = pick(args, options, 1, "cmd_name")
            if str(name).lower() in ("state", "status"):
                return [], None
            return [(f"{args[0].dev_name()}/{name}", pick(args, options, 2, "cmd_param"))], None

        for name in ("command_inout", "command_inout_asynch"):
            self.change(proxy, name, f"tango.DeviceProxy.{name}", command)

        def attribute(args, options):
            return [(args[0].name(), pick(args, options, 1, "value"))], lambda _channel: args[0].read().value

        self.change(module.AttributeProxy, "write", "tango.AttributeProxy.write", attribute)

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


def first_two(args, options):
    given = list(args) + list(options.values())
    return [(given[0] if given else "", given[1] if len(given) > 1 else None)], None


def pick(args, options, index, name):
    return args[index] if len(args) > index else options.get(name)


def plain(channel):
    """The channel without what only says how it is reached: `ca://X.VAL` is X."""
    channel = channel.decode() if isinstance(channel, bytes) else str(channel)
    for prefix in PREFIXES:
        if channel.startswith(prefix):
            channel = channel[len(prefix) :]
    return channel[:-4] if channel.endswith(".VAL") else channel


def find(channels, channel):
    """The limits of a channel: by its name, else by the longest pattern that fits."""
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
    if isinstance(value, dict):
        value = value.get("value")
    if hasattr(value, "tolist"):
        value = value.tolist()
    items = value if isinstance(value, (list, tuple)) else [value]
    try:
        return [float(item) for item in items] or None
    except (TypeError, ValueError, OverflowError):
        return None
