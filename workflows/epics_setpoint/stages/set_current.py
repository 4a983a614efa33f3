"""Writes one set-point. A person has seen this code with its inputs; the limits are checked when it runs. What was put
and what the machine has then are left also where the two differ."""

from caproto.sync.client import read, write

results = {"written_a": None, "read_a": None}
try:
    write(context.channel, context.current_a, notify=True, timeout=5, repeater=False)
    results["written_a"] = context.current_a
except RuntimeError as refused:
    # It is read back after it was put; whatever else is refused was not put.
    if "[readback_differs]" in str(refused):
        results["written_a"] = context.current_a
    raise
finally:
    if results["written_a"] is not None:
        results["read_a"] = float(read(context.channel, timeout=5, repeater=False).data[0])
print(f"{context.channel} was given {context.current_a} A and has {results['read_a']} A")
