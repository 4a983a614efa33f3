"""Writes one set-point. A person has seen this code with its inputs; the limits are checked when it runs."""

from caproto.sync.client import write

write(context.channel, context.current_a, notify=True, timeout=5, repeater=False)
print(f"{context.channel} is {context.current_a} A")
results = {"written_a": context.current_a}
