"""Analyse the sunspot series as deeply as `context.depth` (1 to 3) asks.

Depth 1: mean, highest value, picture. Depth 2: also a smoothed curve and the length of the cycle, from the
autocorrelation. Depth 3: also the spectrum, with the length of the cycle from its highest peak. Years that
are missing stay missing: no method here needs a gapless series.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd


def explained(series, period):
    """Share of the variance, in percent, that one sine wave of this period explains."""
    angle = 2 * np.pi * np.asarray(series.index) / period
    waves = np.column_stack([np.ones_like(angle), np.cos(angle), np.sin(angle)])
    fit, *_ = np.linalg.lstsq(waves, series.to_numpy(), rcond=None)
    return 100 * np.var(waves @ fit) / np.var(series.to_numpy())


series = pd.Series(context.sunspots, index=context.years)
results = {"mean": round(float(series.mean()), 1), "maximum": round(float(series.max()), 1)}

height = 2.9 * context.depth + 0.4
fig, axes = plt.subplots(context.depth, 1, figsize=(8, height), layout="constrained", squeeze=False)
axes = axes[:, 0]
fig.suptitle(context.objective)
style = {"lw": 1} if context.depth > 1 else {"lw": 1, "marker": "o", "ms": 5}
axes[0].plot(series.index, series, color="#e0a458", label="sunspot number", **style)
axes[0].axhline(series.mean(), color="0.5", lw=1, ls="--", label=f"mean {series.mean():.0f}")
axes[0].set(xlabel="Year", ylabel="Sunspot number")

if context.depth >= 2:
    yearly = series.reindex(range(series.index.min(), series.index.max() + 1))
    smooth = yearly.rolling(22, center=True, min_periods=12).mean()
    axes[0].plot(smooth.index, smooth, color="#7c3a2d", lw=2, label="mean of 22 years")

    correlation = pd.Series({lag: yearly.corr(yearly.shift(lag)) for lag in range(41)})
    cycle = float(correlation.loc[6:18].idxmax())
    axes[1].stem(correlation.index, correlation, linefmt="#2b6777", markerfmt="o", basefmt="0.8")
    axes[1].axvline(cycle, color="#c1440e", lw=1, ls="--", label=f"peak at {cycle:.0f} years")
    axes[1].set(xlabel="Lag (years)", ylabel="Autocorrelation")

if context.depth >= 3:
    periods = np.geomspace(4, 150, 1500)
    power = np.array([explained(series, period) for period in periods])
    cycle = float(periods[power.argmax()])
    axes[2].plot(periods, power, color="#2b6777", lw=1)
    axes[2].axvline(cycle, color="#c1440e", lw=1, ls="--", label=f"cycle of {cycle:.1f} years")
    axes[2].set(xlabel="Period (years)", ylabel="Variance explained (%)", xscale="log", ylim=0)
    axes[2].set_xticks([4, 6, 8, 11, 20, 50, 100], ["4", "6", "8", "11", "20", "50", "100"])
    axes[2].minorticks_off()

for panel in axes:
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))

results["summary"] = f"{len(series)} values, mean {results['mean']}, highest {results['maximum']}"
if context.depth >= 2:
    results["cycle_years"] = round(cycle, 1)
    results["summary"] += f", a cycle of {results['cycle_years']} years"
print(results["summary"])
