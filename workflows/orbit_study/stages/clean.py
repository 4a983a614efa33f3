"""Says how much of a poor day can be used at all."""

results = {"usable_rows": int(context.rows * context.quality)}
