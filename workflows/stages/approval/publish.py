"""Write the approved measuring range to the set-point file: the whole new file, or the old one stays.

Where the analyser listens to EPICS, the write would be two lines instead of a file:

    epics.caput("MLO:CO2:RangeLow", setpoints["range_low_ppm"], wait=True)
    epics.caput("MLO:CO2:RangeHigh", setpoints["range_high_ppm"], wait=True)

and the question to the approver would name both process variables.
"""

import json
import os

setpoints = {
    "device": "co2_analyser",
    "year": context.year,
    "range_low_ppm": round(context.low_ppm, 1),
    "range_high_ppm": round(context.high_ppm, 1),
    "note": context.note,
}

draft = context.target + ".new"
with open(draft, "w", encoding="utf-8") as file:
    json.dump(setpoints, file, indent=2)
    file.write("\n")
os.replace(draft, context.target)

print(f"wrote {context.target}")

results = {"path": context.target, "setpoints": setpoints}
