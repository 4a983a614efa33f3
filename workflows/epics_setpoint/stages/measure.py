"""Reads where the beam is, and computes the current that would bring it to its target."""

from caproto.sync.client import read

UM_PER_AMPERE = -40.0


def now(name):
    return float(read(name, timeout=5, repeater=False).data[0])


positions = [now("EX:BPM:X") for _ in range(context.samples)]
position = sum(positions) / len(positions)
current = now("EX:MAG:CUR:RBV")
wanted = current + (context.target_um - position) / UM_PER_AMPERE
print(f"the beam is at {position:.2f} um with {current:.3f} A; {wanted:.3f} A would bring it to {context.target_um} um")
results = {"position_um": position, "current_a": current, "wanted_a": round(wanted, 3)}
