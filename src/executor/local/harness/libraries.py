"""Which functions of which library write to the control system: what `guard` changes when the library is loaded."""


def actions(guard):
    """Module by module, what is changed when it is loaded."""
    changes = {
        "epics": epics,
        "epics.pv": epics_pv,
        "epics.ca": epics_ca,
        "p4p.client.raw": p4p_raw,
        "p4p.client.thread": p4p,
        "p4p.client.asyncio": p4p,
        "p4p.client.cothread": p4p,
        "caproto._circuit": caproto_channel,
        "caproto.sync.client": caproto_sync,
        "caproto.threading.client": caproto,
        "caproto.asyncio.client": caproto_asyncio,
        "pvaccess": pvaccess,
        "tango": tango,
    }
    return {name: (lambda module, change=change: change(guard, module)) for name, change in changes.items()}


def pick(args, options, index, *names):
    """An argument by its place, else by its name; some versions of a library have another one."""
    if len(args) > index:
        return args[index]
    return next((options[name] for name in names if name in options), None)


# -- pyepics --


def epics(guard, module):
    def now(channel):
        # Not what a monitor heard last: that may be older than the write.
        return module.caget(channel, use_monitor=False)

    def look(args, options):
        return [(pick(args, options, 0, "pvname"), pick(args, options, 1, "value"))], now

    guard.change(module, "caput", "epics.caput", look)

    def many(args, options):
        names = pick(args, options, 0, "pvlist")
        return list(zip(names, pick(args, options, 1, "values"))), now

    guard.change(module, "caput_many", "epics.caput_many", many)


def epics_pv(guard, module):
    def look(args, options):
        pv = args[0]
        return [(pv.pvname, pick(args, options, 1, "value"))], lambda _channel: pv.get(use_monitor=False)

    guard.change(module.PV, "put", "epics.PV.put", look)


def epics_ca(guard, module):
    def look(args, options):
        chid = pick(args, options, 0, "chid")
        return [(module.name(chid), pick(args, options, 1, "value"))], lambda _channel: module.get(chid)

    guard.change(module, "put", "epics.ca.put", look)

    def group(args, options):
        # It is written when the group is sent, which nobody waits for here.
        return [(module.name(pick(args, options, 1, "chid")), pick(args, options, 2, "value"))], None

    guard.change(module, "sg_put", "epics.ca.sg_put", group)


# -- p4p --


def p4p(guard, module):
    def look(args, options):
        names, values = pick(args, options, 1, "name"), pick(args, options, 2, "values")
        if isinstance(names, (str, bytes)):
            names, values = [names], [values]
        return list(zip(names, values)), args[0].get

    guard.change(module.Context, "put", "p4p.client.Context.put", look)

    def rpc(args, options):
        return [(pick(args, options, 1, "name"), pick(args, options, 2, "value"))], None

    guard.change(module.Context, "rpc", "p4p.client.Context.rpc", rpc)


def p4p_raw(guard, module):
    def look(args, options):
        return [(pick(args, options, 1, "name"), pick(args, options, 3, "builder"))], None

    guard.change(module.Context, "put", "p4p.client.raw.Context.put", look)

    def rpc(args, options):
        return [(pick(args, options, 1, "name"), pick(args, options, 3, "value"))], None

    guard.change(module.Context, "rpc", "p4p.client.raw.Context.rpc", rpc)


# -- caproto --


def caproto_channel(guard, module):
    def look(args, options):
        return [(args[0].name, pick(args, options, 1, "data"))], None

    # What every client of caproto makes its requests with.
    guard.change(module.ClientChannel, "write", "caproto.ClientChannel.write", look)


def caproto_sync(guard, module):
    def look(args, options):
        pair = (pick(args, options, 0, "pv_name"), pick(args, options, 1, "data"))
        return [pair], lambda channel: module.read(channel, repeater=options.get("repeater", True)).data

    guard.change(module, "write", "caproto.sync.client.write", look)
    guard.change(module, "read_write_read", "caproto.sync.client.read_write_read", look)


def caproto(guard, module):
    def look(args, options):
        pv = args[0]
        return [(pv.name, pick(args, options, 1, "data"))], lambda _channel: pv.read().data

    guard.change(module.PV, "write", "caproto.PV.write", look)

    def batch(args, options):
        return [(pick(args, options, 1, "pv").name, pick(args, options, 2, "data"))], None

    guard.change(module.Batch, "write", "caproto.Batch.write", batch)


def caproto_asyncio(guard, module):
    def look(args, options):
        pv = args[0]

        async def read(_channel):
            return (await pv.read()).data

        return [(pv.name, pick(args, options, 1, "data"))], read

    guard.change(module.PV, "write", "caproto.PV.write", look)


# -- pvaccess --


def pvaccess(guard, module):
    def look(args, options):
        channel = args[0]
        value = pick(args, options, 1, *options)
        return [(channel.getName(), value)], lambda _channel: channel.get()

    for name in dir(module.Channel):
        if name.lower().startswith(("put", "asyncput", "parseput", "qput")):
            guard.change(module.Channel, name, f"pvaccess.Channel.{name}", look)

    def rpc(args, options):
        return [(args[0].getChannelName(), pick(args, options, 1, "pvArgument"))], None

    guard.change(module.RpcClient, "invoke", "pvaccess.RpcClient.invoke", rpc)
    guard.change(module.RpcClient, "__call__", "pvaccess.RpcClient", rpc)
    pvaccess_many(guard, module.MultiChannel)


def pvaccess_many(guard, owner):
    # Nothing of the library says which channels these are.
    names = "_stepwell_names"
    made = owner.__init__

    def keeping(self, channels, *args):
        made(self, channels, *args)
        setattr(self, names, list(channels))

    owner.__init__ = keeping

    def look(args, options):
        values = pick(args, options, 1, *options) or ()
        return list(zip(getattr(args[0], names), values)), None

    for name in ("put", "putAsDoubleArray"):
        guard.change(owner, name, f"pvaccess.MultiChannel.{name}", look)


# -- Tango --


def tango(guard, module):
    """Names of Tango are the same in capitals and in small letters."""

    def now(device, name):
        return device.read_attribute(name, green_mode=module.GreenMode.Synchronous).value

    def change(owner, name, look):
        guard.change(owner, name, f"tango.{owner.__name__}.{name}", look, any_case=True)

    def one(args, options):
        device, name = args[0], plain(pick(args, options, 1, "attr", "attr_name"))
        pair = (f"{device.dev_name()}/{name}", pick(args, options, 2, "value"))
        return [pair], lambda _channel: now(device, name)

    def several(args, options):
        device = args[0]
        pairs = [(plain(name), value) for name, value in pick(args, options, 1, "attr_values", "name_val")]
        skip = len(device.dev_name()) + 1
        return [(f"{device.dev_name()}/{name}", value) for name, value in pairs], lambda channel: now(device, channel[skip:])

    def command(args, options):
        name = pick(args, options, 1, "cmd_name", "name")
        if str(name).lower() in ("state", "status"):
            return [], None
        return [(f"{args[0].dev_name()}/{name}", pick(args, options, 2, "cmd_param"))], None

    def plain(name):
        # A name, or the description of the attribute.
        return getattr(name, "name", name)

    # Attributes of a proxy, commands called by their names and AttributeProxy go through these.
    for name in ("write_attribute", "write_read_attribute", "write_attribute_asynch"):
        change(module.DeviceProxy, name, one)
    for name in ("write_attributes", "write_read_attributes", "write_attributes_asynch"):
        change(module.DeviceProxy, name, several)
    for name in ("command_inout", "command_inout_raw", "command_inout_asynch"):
        change(module.DeviceProxy, name, command)
    for name in ("write_attribute", "write_attribute_asynch", "command_inout", "command_inout_asynch"):
        change(module.Group, name, group)


def group(args, options):
    """The same on every device of a group."""
    name, value = pick(args, options, 1, "attr_name", "cmd_name"), pick(args, options, 2, "value", "param")
    return [(f"{device}/{name}", value) for device in args[0].get_device_list(True)], None
