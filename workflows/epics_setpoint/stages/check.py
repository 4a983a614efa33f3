"""Reads where the beam is now, through the gateway that takes no puts: it shows what the machine has, a moment later."""

import time

from caproto.sync.client import read


def position():
    return float(read("EX:BPM:X", timeout=5, repeater=False).data[0])


found = position()
until = time.monotonic() + 5
while abs(found - context.target_um) > 0.5 and time.monotonic() < until:
    time.sleep(0.1)
    found = position()
results = {"position_um": found, "off_by_um": found - context.target_um}
