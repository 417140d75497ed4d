"""What the arithmetic of a worker depends on: its CPU, the libraries for linear algebra, their threads."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from typing import Any, Final

# Only what user code has loaded is asked; each may add to what is known.
_TELLING: Final = ("numpy", "threadpoolctl", "torch")
_FEATURES: Final = {"flags", "Features"}
_MODEL: Final = {"model name", "CPU part"}


class NumericEnvironment:
    """Tells each time that more has become known."""

    def __init__(self) -> None:
        self._told: tuple[str, ...] = ()

    def news(self) -> dict[str, Any] | None:
        """What is known now, if it is more than at the last call."""
        loaded = tuple(name for name in _TELLING if name in sys.modules)
        if loaded == self._told:
            return None
        self._told = loaded
        return numeric_environment()


def numeric_environment() -> dict[str, Any]:
    """CPU model, flags and count; BLAS and thread pools of the libraries that are loaded here."""
    found: dict[str, Any] = {"cpu": _cpu()}
    for name, ask in (("numpy", _numpy), ("threadpools", _threadpools), ("torch", _torch)):
        # A library of another version, or half loaded, may lack what is asked for.
        with suppress(AttributeError, TypeError, KeyError, RuntimeError, OSError):
            if told := ask():
                found[name] = told
    return found


def _cpu() -> dict[str, Any]:
    told: dict[str, Any] = {"machine": platform.machine(), "count": os.cpu_count()}
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = (part.strip() for part in line.partition(":"))
            if name in _FEATURES:
                told["flags"] = sorted(value.split())
            elif name in _MODEL:
                told["model"] = value
            elif not line.strip():
                break  # the next core, which is like this one
    return told


def _numpy() -> dict[str, Any]:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        return {}
    built = numpy.show_config(mode="dicts")
    libraries = built.get("Build Dependencies", {})
    wanted = ("name", "version", "openblas configuration")
    return {
        "version": numpy.__version__,
        "simd": built.get("SIMD Extensions", {}),
        **{name: {key: item[key] for key in wanted if key in item} for name, item in libraries.items()},
    }


def _threadpools() -> list[dict[str, Any]]:
    library: Any = sys.modules.get("threadpoolctl")
    if library is None:
        return []
    pools = [
        {key: value for key, value in pool.items() if key != "filepath"} | {"file": os.path.basename(pool["filepath"])}
        for pool in library.threadpool_info()
    ]
    return sorted(pools, key=lambda pool: str(pool["file"]))


def _torch() -> dict[str, Any]:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {}
    told: dict[str, Any] = {
        "version": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cuda": torch.version.cuda,
    }
    if torch.cuda.is_initialized():
        told["devices"] = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return told
