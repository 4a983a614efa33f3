"""The mean over the shots that could be read."""

import statistics

results = {"mean": statistics.fmean(context.energies)}
