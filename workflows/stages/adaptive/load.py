"""Read the yearly sunspot numbers, lose some of them on request, and score what is left."""

import numpy as np
import pandas as pd

series = pd.read_csv(context.data, index_col="year")["sunspots"]
span = series.index.max() - series.index.min() + 1

# A fixed seed: the same fraction always loses the same years.
lost = np.random.default_rng(1700).permutation(len(series))[: round(context.drop_fraction * len(series))]
series.iloc[lost] = np.nan

# A year counts when its number is there and physically possible (the record of the series is 190).
good = series[series.between(0, 300)]
quality = len(good) / span

print(f"{len(good)} good years of {span}: quality {quality:.2f}")

results = {
    "years": good.index.tolist(),
    "sunspots": good.tolist(),
    "quality": round(quality, 4),
}
