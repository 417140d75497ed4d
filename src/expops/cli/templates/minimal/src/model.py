"""Fit a line to stopping distances, with an interval from resampling.

A process takes by parameter name what its upstream processes return and what the configuration sets, and
returns its own outputs in a dict.
"""

import csv
import random

from expops import log_metric, process, step


@process()
def load():
    """Speed (mph) and stopping distance (feet) of fifty cars of the 1920s, as pairs."""
    with open("data/stopping_distances.csv", newline="") as file:
        return {"points": [(float(row["speed"]), float(row["distance"])) for row in csv.DictReader(file)]}


def least_squares(points):
    """Intercept and slope of the line through (x, y) pairs."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return mean_y - slope * mean_x, slope


@step()
def resampled_slopes(points, resamples):
    """Slopes of samples drawn from the points with replacement, in ascending order."""
    # `random` needs no seed of its own: each step is seeded from `reproducibility.random_seed`.
    samples = (random.choices(points, k=len(points)) for _ in range(resamples))
    return sorted(least_squares(sample)[1] for sample in samples)


@process()
def fit(points, resamples):
    """A line, and an interval that holds 95 % of the resampled slopes."""
    intercept, slope = least_squares(points)
    slopes = resampled_slopes(points, resamples)
    interval = (slopes[int(0.025 * resamples)], slopes[int(0.975 * resamples)])
    log_metric("slope", slope)
    return {"intercept": intercept, "slope": slope, "slope_interval": interval}


@process()
def report(points, intercept, slope, slope_interval, at_speed):
    """How well the line fits, and what it predicts."""
    mean = sum(y for _, y in points) / len(points)
    residual = sum((y - intercept - slope * x) ** 2 for x, y in points)
    r_squared = 1 - residual / sum((y - mean) ** 2 for _, y in points)
    log_metric("r_squared", r_squared)

    low, high = slope_interval
    lines = [
        f"distance = {intercept:.1f} + {slope:.2f} * speed  (R squared {r_squared:.2f})",
        f"each mph more takes {low:.2f} to {high:.2f} feet more",
        f"at {at_speed} mph a car stops within {intercept + slope * at_speed:.0f} feet",
    ]
    # A file written under a relative name is kept with the run as an artifact of this process.
    with open("report.txt", "w") as file:
        file.write("\n".join(lines) + "\n")
    print(*lines, sep="\n")
    return {"r_squared": r_squared}
