"""Split monthly CO2 into a curved trend and a seasonal cycle by one least-squares fit."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

co2 = pd.Series(context.co2_ppm, index=pd.to_datetime(context.months))
years = np.asarray(co2.index.year + (co2.index.month - 0.5) / 12)
t = years - years.mean()

# Trend: a parabola. Season: a yearly wave and its first overtone.
trend_terms = np.column_stack([np.ones_like(t), t, t**2])
wave = 2 * np.pi * years
season_terms = np.column_stack([np.cos(wave), np.sin(wave), np.cos(2 * wave), np.sin(2 * wave)])
fit, *_ = np.linalg.lstsq(np.hstack([trend_terms, season_terms]), co2.to_numpy(), rcond=None)
trend = trend_terms @ fit[:3]
season = season_terms @ fit[3:]
rms = float(np.std(co2.to_numpy() - trend - season))

growth = float((trend[-1] - trend[0]) / (years[-1] - years[0]))
by_month = pd.Series(co2.to_numpy() - trend, index=co2.index.month).groupby(level=0)
cycle = by_month.mean()
swing = float(cycle.max() - cycle.min())

fig, (top, bottom) = plt.subplots(2, 1, figsize=(8, 6.5), layout="constrained")
top.plot(years, co2, color="#9db4c0", lw=1, label="monthly mean")
top.plot(years, trend, color="#c1440e", lw=2, label=f"trend, {growth:.2f} ppm per year")
top.set(title="CO$_2$ at Mauna Loa", xlabel="Year", ylabel="CO$_2$ (ppm)")
top.legend(frameon=False)

bottom.errorbar(cycle.index, cycle, yerr=by_month.std(), color="#2b6777", marker="o", capsize=3)
bottom.axhline(0, color="0.8", lw=1, zorder=0)
bottom.set(title=f"Mean seasonal cycle, {swing:.1f} ppm from peak to trough", ylabel="Deviation from trend (ppm)")
bottom.set_xticks(range(1, 13), ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"])
for axes in (top, bottom):
    axes.spines[["top", "right"]].set_visible(False)

print(f"growth {growth:.2f} ppm per year, seasonal swing {swing:.1f} ppm, residual {rms:.2f} ppm rms")

results = {
    "growth_ppm_per_year": round(growth, 3),
    "season_ppm": round(swing, 2),
    "residual_rms_ppm": round(rms, 3),
    "summary": f"CO2 rose by {growth:.2f} ppm per year; it swings by {swing:.1f} ppm with the seasons.",
}
