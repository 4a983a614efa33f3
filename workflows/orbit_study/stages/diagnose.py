"""What the person on shift should look at first, by the kind of the failure."""

FIRST = {
    "code": "read the traceback in the notebook of the step",
    "timeout": "look whether the archive answers",
    "infrastructure": "look at the disk and the interpreter: stepwell doctor",
}
error = context.error
advice = f"{error.step} failed ({error.kind}): {FIRST.get(error.kind, error.message)}"
print(advice)
results = {"advice": advice}
