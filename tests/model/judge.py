"""Reads the history of a run (`stepwell events --json`) and the results, and prints what became of each task.

    python judge.py EVENTS.json SHOW.json
"""

import json
import sys

RIGHT = {
    "bounds": {"smallest": -1.25, "largest": 9.0},
    "mean": {"mean": 5.0},
    "above": {"count": 3},
    "rms": {"rms": 4.636809},
    "slope": {"slope": 2.0, "intercept": 1.0},
    "column": {"mean": 428.0},
    "jump": {"largest_jump": 2.5},
    "worst": {"name": "BPM:02"},
}


def same(found, right):
    if isinstance(right, str):
        return found == right
    return isinstance(found, (int, float)) and abs(found - right) < 1e-4


with open(sys.argv[1]) as file:
    events = json.load(file)["events"]
with open(sys.argv[2]) as file:
    steps = json.load(file)["steps"]

print("| task | outcome | times written | fed back | tokens in | tokens out | seconds of writing |")
print("|---|---|---|---|---|---|---|")
counts = {"right": 0, "wrong": 0, "failed": 0}
for task, right in RIGHT.items():
    written = [event["body"] for event in events if event["name"] == "CodeGenerated" and event["body"]["step"] == task]
    usage = [body.get("usage") or {} for body in written]
    outputs = steps[task].get("outputs") or {}
    if steps[task]["status"] != "succeeded":
        outcome = "failed"
    elif all(same(outputs.get(name), value) for name, value in right.items()):
        outcome = "right"
    else:
        outcome = "wrong"
    counts[outcome] += 1
    fed_back = sum(body.get("feedback", "none") != "none" for body in written)
    tokens = [sum(use.get(kind) or 0 for use in usage) for kind in ("input_tokens", "output_tokens")]
    seconds = sum(body["seconds"] for body in written)
    print(f"| {task} | {outcome} | {len(written)} | {fed_back} | {tokens[0]} | {tokens[1]} | {seconds:.1f} |")
print(f"\n{counts['right']} right, {counts['wrong']} wrong, {counts['failed']} failed")
sys.exit(0 if counts["right"] else 1)
