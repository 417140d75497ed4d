"""Numeric profiles: what makes the same arithmetic come out the same, as environment and as settings of libraries.

``fast`` changes nothing. ``stable`` fixes the number of threads and has frameworks use their deterministic algorithms:
the same machine gives the same bits. ``portable`` has one thread and the instructions that all machines of an
architecture have, so that other machines give the same bits, as far as libraries let themselves be told.

Sources: NumPy's *CPU build options* (``NPY_ENABLE_CPU_FEATURES``), OpenBLAS's *Runtime variables*, Intel's *Obtaining
Numerically Reproducible Results* (``MKL_CBWR``), oneDNN's *CPU Dispatcher Control*, PyTorch's *Reproducibility*,
TensorFlow's ``enable_op_determinism``, NVIDIA's *cuBLAS: Results Reproducibility*, the GNU C Library's *Tunables*.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from .on_import import after_import

FAST: Final = "fast"
STABLE: Final = "stable"
PORTABLE: Final = "portable"

#: The sizes of the thread pools of native libraries.
THREADS: Final = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
# A constant, not the number of cores: another machine has another.
_COUNT: Final = {STABLE: 4, PORTABLE: 1}
_SETTLED: Final = {
    "OMP_DYNAMIC": "FALSE",
    "MKL_DYNAMIC": "FALSE",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "TF_DETERMINISTIC_OPS": "1",
    "TF_CUDNN_DETERMINISTIC": "1",
}
_XLA: Final = "--xla_gpu_deterministic_ops=true"
_INSTRUCTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "x86_64": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "MKL_CBWR": "COMPATIBLE",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
    },
    "aarch64": {"OPENBLAS_CORETYPE": "ARMV8", "ATEN_CPU_CAPABILITY": "default", "NUMBA_CPU_NAME": "generic"},
}
_ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
# The C library has versions of its functions for other instructions, whose last bit may differ.
_TUNABLES: Final = "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable"
# NumPy uses no more than what is named, and refuses to do without what it was built for.
_NUMPY: Final = "NPY_ENABLE_CPU_FEATURES"
_NUMPY_BUILT_FOR: Final = {"x86_64": "SSE SSE2 SSE3", "aarch64": "NEON NEON_FP16 NEON_VFPV4 ASIMD"}


def environment(profile: str, given: Mapping[str, str]) -> dict[str, str]:
    """The environment ``given`` with what ``profile`` asks for, which must be there before libraries are loaded."""
    found = dict(given)
    if profile == FAST:
        return found
    found.update(dict.fromkeys((*THREADS, "LOKY_MAX_CPU_COUNT"), str(_COUNT[profile])))
    found.update(_SETTLED)
    _append(found, "XLA_FLAGS", _XLA, " ")
    if profile == STABLE:
        found["MKL_CBWR"] = "AUTO"
        return found
    machine = _machine()
    found["TF_ENABLE_ONEDNN_OPTS"] = "0"
    found.update(_INSTRUCTIONS.get(machine, {}))
    if machine in _NUMPY_BUILT_FOR:
        found.pop("NPY_DISABLE_CPU_FEATURES", None)  # NumPy takes one of the two
        found[_NUMPY] = "X86_V2" if machine == "x86_64" and _has("numpy", 2, 4) else _NUMPY_BUILT_FOR[machine]
    if machine == "x86_64":
        _append(found, "GLIBC_TUNABLES", _TUNABLES, ":")
        if _has("jaxlib", 0, 5):  # XLA ends the program for a flag that it does not know
            _append(found, "XLA_FLAGS", "--xla_cpu_max_isa=SSE4_2", " ")
    return found


def watch(profile: str) -> None:
    """Settle libraries as they are loaded from now on, until another profile is watched for."""
    _watched[0] = profile
    if profile != FAST and not _hooked:
        _hooked.append(True)
        for name in _SETTLERS:
            after_import(name, partial(_settle, name))


def settle() -> None:
    """Settle the libraries that are loaded under the watched profile: user code may have set them otherwise since."""
    for name in _SETTLERS:
        _settle(name)


def _settle(name: str) -> None:
    library = sys.modules.get(name)
    if _watched[0] != FAST and library is not None:
        _SETTLERS[name](library, _watched[0])


def _machine() -> str:
    import platform  # needed for one profile alone

    name = platform.machine().lower()
    return _ARCHITECTURES.get(name, name)


def _append(environment: dict[str, str], name: str, word: str, separator: str) -> None:
    words = [given for given in environment.get(name, "").split(separator) if given and given != word]
    environment[name] = separator.join([*words, word])


def _has(distribution: str, *least: int) -> bool:
    from importlib import metadata  # slow, and needed for one profile alone

    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return [int(part) for part in version.split(".")[: len(least)] if part.isdecimal()] >= list(least)


def _settle_torch(torch: Any, profile: str) -> None:
    if not hasattr(torch, "use_deterministic_algorithms"):
        return  # something else of that name
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.set_num_threads(_COUNT[profile])


def _settle_tensorflow(tensorflow: Any, profile: str) -> None:
    if not hasattr(tensorflow, "config"):
        return  # something else of that name
    tensorflow.config.experimental.enable_op_determinism()


_SETTLERS: Final = {"torch": _settle_torch, "tensorflow": _settle_tensorflow}
_watched: Final = [FAST]
_hooked: Final[list[bool]] = []
