"""Put the series back on a gapless yearly grid: a straight line across each gap."""

import pandas as pd

series = pd.Series(context.sunspots, index=context.years)
grid = range(series.index.min(), series.index.max() + 1)
filled = series.reindex(grid).interpolate().round(1)

print(f"{len(filled) - len(series)} years filled in")

results = {"years": list(filled.index), "sunspots": filled.tolist()}
