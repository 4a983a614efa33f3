"""Reads years and sunspot numbers."""

import csv

with open(context.data, newline="") as file:
    rows = list(csv.DictReader(file))

results = {
    "years": [int(float(row["year"])) for row in rows],
    "sunspots": [float(row["sunspots"]) for row in rows],
}
