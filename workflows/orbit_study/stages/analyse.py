"""RMS per monitor, a drawing of the mean orbit, and a correction for every monitor that is off by too much."""

import math
import statistics

from orbit import positions

TOLERATED_UM = 15.0
# A correction is at most this large; every request for changes halves it.
LARGEST_STEP_UM = 40.0 / 2 ** len(context.changes)

table = []
for bpm in context.load.bpms:
    _, values = positions(bpm.file)
    mean = statistics.fmean(values)
    rms = math.sqrt(statistics.fmean((value - mean) ** 2 for value in values))
    table.append({"pv": bpm.name, "mean": mean, "rms": rms})
    print(f"{bpm.name}: mean {mean:8.2f} um, rms {rms:6.2f} um")


def drawing(rows):
    """The mean orbit as bars above and below the axis."""
    step, middle = 60, 100
    bars = []
    for index, row in enumerate(rows):
        height = min(abs(row["mean"]), 90)
        top = middle - height if row["mean"] > 0 else middle
        colour = "#c0392b" if abs(row["mean"]) > TOLERATED_UM else "#2980b9"
        bars.append(
            f'<rect x="{index * step + 15}" y="{top:.1f}" width="30" height="{height:.1f}" fill="{colour}">'
            f"<title>{row['pv']}: {row['mean']:.1f} um</title></rect>"
        )
    width = step * len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="200">'
        f'<line x1="0" y1="{middle}" x2="{width}" y2="{middle}" stroke="#555"/>{"".join(bars)}</svg>\n'
    )


with open("orbit.svg", "w") as file:
    file.write(drawing(table))
save_artifact(table, title="RMS per BPM", description="Mean position and RMS of every monitor")

correction = [
    {"pv": row["pv"], "value": round(max(-LARGEST_STEP_UM, min(LARGEST_STEP_UM, -row["mean"])), 3)}
    for row in table
    if abs(row["mean"]) > TOLERATED_UM
]
summary = f"{context.objective} for {context.day}: {len(correction)} of {len(table)} monitors need a correction"
print(summary)
results = {"summary": summary, "correction": correction, "largest_step": LARGEST_STEP_UM}
