"""One shot: the energy in its made-up samples."""

import random

if context.damaged:
    raise ValueError(f"shot {context.shot}: the file ends in the middle of a record")
chance = random.Random(context.shot)
energy = sum(chance.gauss(1, 0.1) ** 2 for _ in range(500)) / 500
results = {"energy": energy}
