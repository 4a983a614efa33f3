"""The orbit of a day: one file of samples per position monitor.

An archive would be asked here, with the token. So that the example runs anywhere, the samples are made up from the
day and the name of the monitor: the same day gives the same orbit.
"""

import csv
import math
import os
import random

SAMPLES = 1440  # one per minute
TURN = 2 * math.pi

if not os.environ.get("ORBIT_TOKEN"):
    raise RuntimeError("the archive wants a token: set ORBIT_TOKEN")


def orbit_of(pv):
    """Micrometres around a monitor's own offset: a daily tide, a slow drift, noise."""
    chance = random.Random(f"{context.day} {pv}")
    offset = chance.uniform(-60, 60)
    tide, phase = chance.uniform(2, 8), chance.uniform(0, TURN)
    drift = chance.uniform(-10, 10)
    samples = []
    for minute in range(SAMPLES):
        share = minute / SAMPLES
        value = offset + drift * share + tide * math.sin(TURN * share + phase) + chance.gauss(0, 1.5)
        samples.append(None if chance.random() < context.lost else round(value, 4))
    return samples


bpms = []
rows = 0
for number, pv in enumerate(context.pvs, start=1):
    samples = orbit_of(pv)
    name = f"bpm_{number:02}.csv"
    with open(name, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["minute", "position_um"])
        writer.writerows((minute, value) for minute, value in enumerate(samples) if value is not None)
    rows += sum(value is not None for value in samples)
    bpms.append({"name": pv, "file": os.path.abspath(name)})

quality = rows / (SAMPLES * len(context.pvs))
print(f"{rows} samples of {len(bpms)} monitors, quality {quality:.3f}")
results = {"rows": rows, "quality": quality, "bpms": bpms}
