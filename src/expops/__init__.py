"""expops runs machine-learning experiments as pipelines and never does the same work twice.

Names are loaded when they are first asked for, so that ``import expops`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import Cache as Cache
    from .cache.input_file import InputFile as InputFile
    from .errors import ConfigError as ConfigError
    from .errors import ExpopsError as ExpopsError
    from .pipeline.decorators import SerializableData as SerializableData
    from .pipeline.decorators import log_metric as log_metric
    from .pipeline.decorators import process as process
    from .pipeline.decorators import step as step
    from .seeding.purposes import jax_key as jax_key
    from .seeding.purposes import rng as rng
    from .seeding.purposes import seed as seed
    from .seeding.purposes import torch_generator as torch_generator

__version__ = "0.1.0"
__all__ = [
    "Cache",
    "ConfigError",
    "ExpopsError",
    "InputFile",
    "SerializableData",
    "__version__",
    "jax_key",
    "log_metric",
    "process",
    "rng",
    "seed",
    "step",
    "torch_generator",
]

_HOMES = {
    "Cache": ".api",
    "ConfigError": ".errors",
    "ExpopsError": ".errors",
    "InputFile": ".cache.input_file",
    "SerializableData": ".pipeline.decorators",
    "jax_key": ".seeding.purposes",
    "log_metric": ".pipeline.decorators",
    "process": ".pipeline.decorators",
    "rng": ".seeding.purposes",
    "seed": ".seeding.purposes",
    "step": ".pipeline.decorators",
    "torch_generator": ".seeding.purposes",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'expops' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
