"""Stage `measure`: `context` holds what `with:` gives, `results` is what the stage leaves."""

values = [float(i) for i in range(context.count)]
print(f"measured {len(values)} values")

results = {"values": values, "mean": sum(values) / len(values)}
