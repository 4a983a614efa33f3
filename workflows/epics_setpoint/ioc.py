"""A soft IOC for this example: a magnet whose current is set, a readback that follows it, a beam position that follows
the current. With `--read-only` it stands for a gateway that refuses every put.

    python ioc.py --port 15064
    python ioc.py --port 15065 --read-only --of 15064
"""

import argparse
import asyncio
import json
import os

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--port", type=int, default=15064, help="where clients look for it (UDP), on loopback")
arguments.add_argument("--read-only", action="store_true", help="refuse every put, as a read-only gateway does")
arguments.add_argument("--of", type=int, help="show what the IOC at this port has")
given = arguments.parse_args()

# Before caproto is loaded: it reads them then. Nothing leaves this machine.
clients = {
    "EPICS_CA_SERVER_PORT": str(given.port),
    "EPICS_CA_ADDR_LIST": "127.0.0.1",
    "EPICS_CA_AUTO_ADDR_LIST": "NO",
}
os.environ.update(clients, EPICS_CAS_AUTO_BEACON_ADDR_LIST="NO", EPICS_CAS_BEACON_ADDR_LIST="127.0.0.1")

from caproto.server import PVGroup, pvproperty, run  # noqa: E402

POSITION_OF_REST_UM = 120.0
UM_PER_AMPERE = -40.0


class Magnet(PVGroup):
    setpoint = pvproperty(value=1.0, name="MAG:CUR:SET", units="A", precision=3, read_only=given.read_only)
    readback = pvproperty(value=1.0, name="MAG:CUR:RBV", units="A", precision=3, read_only=True)
    position = pvproperty(value=80.0, name="BPM:X", units="um", precision=2, read_only=True)
    # A supply that is switched off: it takes a set-point and stays where it is.
    stuck = pvproperty(value=1.0, name="OFF:CUR:SET", units="A", precision=3, read_only=given.read_only)

    async def follow(self, current):
        await self.readback.write(current)
        await self.position.write(POSITION_OF_REST_UM + UM_PER_AMPERE * current)

    if not given.read_only:

        @setpoint.putter
        async def setpoint(self, instance, value):
            await self.follow(value)

        @stuck.putter
        async def stuck(self, instance, value):
            return instance.value

    elif given.of:

        @position.startup
        async def position(self, instance, _library):
            """Shows what the other IOC has. Whoever asks and with whatever program: nothing that is put is taken."""
            from caproto.asyncio.client import Context

            os.environ["EPICS_CA_SERVER_PORT"] = str(given.of)
            names = ("MAG:CUR:SET", "MAG:CUR:RBV", "BPM:X")
            others = await Context().get_pvs(*(self.prefix + name for name in names))
            mine = (self.setpoint, self.readback, self.position)
            while True:
                for other, own in zip(others, mine):
                    await own.write((await other.read()).data[0], verify_value=False)
                await asyncio.sleep(0.1)


async def ready(_library):
    print(json.dumps(clients), flush=True)


run(
    Magnet(prefix="EX:").pvdb,
    interfaces=["127.0.0.1"],
    startup_hook=ready,
    module_name="caproto.asyncio.server",
)
