"""Writes the corrections. Here into its own folder; on a real machine these would be set-points."""

import json
import os

values = {item.pv: item.value * context.scale for item in context.correction}
with open("applied.json", "w") as file:
    json.dump(values, file, indent=2)
results = {"written": len(values), "path": os.path.abspath("applied.json")}
