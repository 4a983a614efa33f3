"""Forecast the CO2 range of the year after the data ends: trend of the last ten years plus the season."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

FIT_YEARS = 10

weekly = pd.read_csv(context.data, parse_dates=["week"], index_col="week")["co2_ppm"]
recent = weekly[weekly.index > weekly.index[-1] - pd.DateOffset(years=FIT_YEARS)].dropna()


def decimal_year(index):
    """Dates as years with a fraction: 2001.5 is the middle of 2001."""
    return np.asarray(index.year + (index.day_of_year - 1) / 365.25)


def terms(t):
    """Straight line, yearly wave and its first overtone."""
    wave = 2 * np.pi * t
    return np.column_stack([np.ones_like(t), t - 2000, np.cos(wave), np.sin(wave), np.cos(2 * wave), np.sin(2 * wave)])


measured = decimal_year(recent.index)
fit, *_ = np.linalg.lstsq(terms(measured), recent.to_numpy(), rcond=None)
spread = float(np.std(recent.to_numpy() - terms(measured) @ fit))

year = int(weekly.index[-1].year) + 1
ahead = np.linspace(year, year + 1, 53)
forecast = terms(ahead) @ fit
# Two standard deviations of the weekly scatter belong to the range that the analyser must see.
low, high = float(forecast.min() - 2 * spread), float(forecast.max() + 2 * spread)

fig, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.plot(measured, recent, ".", color="#9db4c0", ms=3, label="weekly mean")
axes.plot(measured, terms(measured) @ fit, color="#2b6777", lw=1, label="fit")
axes.plot(ahead, forecast, color="#c1440e", lw=2, label=f"forecast for {year}")
axes.fill_between(ahead, forecast - 2 * spread, forecast + 2 * spread, color="#c1440e", alpha=0.15, lw=0)
axes.axhline(context.range_high_ppm, color="0.3", ls="--", lw=1, label="upper end of the range today")
axes.set(title="CO$_2$ at Mauna Loa", xlabel="Year", ylabel="CO$_2$ (ppm)")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="upper left")

print(f"{year}: {low:.1f} to {high:.1f} ppm; the range ends at {context.range_high_ppm:g} ppm today")

results = {"year": year, "low_ppm": round(low, 1), "high_ppm": round(high, 1)}
