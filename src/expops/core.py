"""The names that projects written for ExpOps import: ``from expops.core import process, step, log_metric``."""

from .pipeline.decorators import SerializableData, log_metric, process, step

__all__ = ["SerializableData", "log_metric", "process", "step"]
