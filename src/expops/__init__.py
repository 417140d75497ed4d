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

__version__ = "0.1.0"
__all__ = [
    "Cache",
    "ConfigError",
    "ExpopsError",
    "InputFile",
    "SerializableData",
    "__version__",
    "log_metric",
    "process",
    "step",
]

_HOMES = {
    "Cache": ".api",
    "ConfigError": ".errors",
    "ExpopsError": ".errors",
    "InputFile": ".cache.input_file",
    "SerializableData": ".pipeline.decorators",
    "log_metric": ".pipeline.decorators",
    "process": ".pipeline.decorators",
    "step": ".pipeline.decorators",
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
