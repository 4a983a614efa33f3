"""Read the weekly CO2 series, average it by month and score how complete it is."""

import pandas as pd

weekly = pd.read_csv(context.data, parse_dates=["week"], index_col="week")["co2_ppm"]
weekly = weekly[weekly.index.year >= context.first_year]

# The score is the share of weeks that were measured at all.
quality = float(weekly.notna().mean())

# A month without any week is filled from its neighbours: the analysis wants a gapless series.
monthly = weekly.resample("MS").mean().interpolate()

print(f"{len(weekly)} weeks, {weekly.isna().sum()} of them missing -> {len(monthly)} months")

results = {
    "months": monthly.index.strftime("%Y-%m").tolist(),
    "co2_ppm": monthly.round(2).tolist(),
    "quality": round(quality, 4),
}
