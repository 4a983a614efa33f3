"""RMS and drift of one monitor: a straight line through its day."""

import math
import statistics
import time

from orbit import positions

time.sleep(context.slow)
minutes, values = positions(context.file)
middle, mean = statistics.fmean(minutes), statistics.fmean(values)
spread = sum((minute - middle) ** 2 for minute in minutes)
slope = sum((m - middle) * (v - mean) for m, v in zip(minutes, values)) / spread
if context.depth >= 2:  # the drift is not part of the jitter
    residuals = [v - mean - slope * (m - middle) for m, v in zip(minutes, values)]
else:
    residuals = [v - mean for v in values]
rms = math.sqrt(statistics.fmean(r * r for r in residuals))
results = {"rms": rms, "drift": slope * 1440}
