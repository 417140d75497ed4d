"""What several seeds say of a metric: mean, interquartile mean, and how far to trust them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from .model import Metrics

_RESAMPLES: Final = 2000
_CONFIDENCE: Final = 0.95


class Summary(NamedTuple):
    """A metric across runs.

    ``low`` and ``high`` are the ends of a 95 % bootstrap interval of the interquartile mean; NaN for a single value.
    """

    seeds: int
    mean: float
    iqm: float
    low: float
    high: float


def summarise(values: Sequence[float]) -> Summary:
    """Mean, interquartile mean and its interval; ``values`` are finite, at least one, in any order."""
    mean = math.fsum(values) / len(values)
    low, high = _bootstrap_interval(values) if len(values) > 1 else (math.nan, math.nan)
    return Summary(len(values), mean, interquartile_mean(values), low, high)


def interquartile_mean(values: Sequence[float]) -> float:
    """The mean of the middle half: a quarter of the weight is cut at either end, observations in parts where it must.

    Recommended for few runs by Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
    (NeurIPS 2021): less moved by outliers than the mean, and more certain than the median.
    """
    ordered = sorted(values)
    cut = len(ordered) / 4
    weights = [max(0.0, min(index + 1, len(ordered) - cut) - max(index, cut)) for index in range(len(ordered))]
    return math.fsum(weight * value for weight, value in zip(weights, ordered, strict=True)) / (len(ordered) / 2)


def _bootstrap_interval(values: Sequence[float]) -> tuple[float, float]:
    """The percentile bootstrap of Efron (1979), with draws of its own that are the same each time."""
    ordered = sorted(values)
    draw = random.Random(0)
    means = sorted(interquartile_mean(draw.choices(ordered, k=len(ordered))) for _ in range(_RESAMPLES))
    tail = round((1 - _CONFIDENCE) / 2 * _RESAMPLES)
    return means[tail], means[-1 - tail]


def across(runs: Sequence[Metrics]) -> dict[str, dict[str, Summary]]:
    """Summaries by process and metric, of the last value of each series; what is no finite number doesn't count."""
    found: dict[str, dict[str, list[float]]] = {}
    for metrics in runs:
        for path, series in metrics.items():
            for name, points in series.items():
                value = points[max(points)]
                if math.isfinite(value):
                    found.setdefault(path, {}).setdefault(name, []).append(value)
    return {path: {name: summarise(values) for name, values in series.items()} for path, series in found.items()}
