"""A measurement that settles: each look finds about half the drift of the one before."""

drift = round(context.before * 0.5, 4)
print(f"look {context.look}: drift {drift}")
results = {"drift": drift}
