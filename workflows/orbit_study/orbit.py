"""What several stages share: how a file of samples is read."""

import csv


def positions(path):
    """The minutes and positions of one monitor's file."""
    with open(path, newline="") as file:
        rows = [(int(row["minute"]), float(row["position_um"])) for row in csv.DictReader(file)]
    if not rows:
        raise ValueError(f"{path} holds no sample")
    return [minute for minute, _ in rows], [value for _, value in rows]
