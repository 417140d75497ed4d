"""State of the OS process as a whole that an action may change, put back after it.

What one action leaves behind would reach others: those that happen to run in the same worker, and those that come
after a step that was skipped this time. Environment, current folder, ``sys.path``, warning filters (and which warnings
were shown already) and the root logger are put back after each step and process; settings of libraries and
other loggers after each process.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..cache import ambient


@contextlib.contextmanager
def put_back(*, path: bool = True) -> Iterator[None]:
    """Around a step: afterwards the state that is cheap to look after is as it was; with ``path`` that is ``sys.path``
    too, which only those can tell from what libraries need who watch imports."""
    path_before = list(sys.path)
    logger = _logger_state(_root())
    mark = ambient.mark()
    try:
        # Entering and leaving also makes Python forget which warnings it has shown.
        with warnings.catch_warnings():
            yield
    finally:
        ambient.put_back(mark)
        if path and sys.path != path_before:
            sys.path[:] = path_before + [entry for entry in _of_libraries.path if entry not in path_before]
        for item in reversed([item for item in _of_libraries.filters if item not in warnings.filters]):
            warnings.filters.insert(0, item)  # type: ignore[attr-defined]
        _restore_logger(_root(), logger)


@contextlib.contextmanager
def put_back_all(is_own: Any) -> Iterator[None]:
    """Around a process: like :func:`put_back`, and settings of libraries and loggers too.

    ``is_own(name)`` tells whether the logger of that name is the project's.
    """
    loggers = {name: _logger_state(logger) for name, logger in _loggers()}
    numpy = _numpy_settings()
    figures = open_figures()
    try:
        with put_back():
            yield
    finally:
        for name, logger in _loggers():
            if name in loggers or is_own(name):
                _restore_logger(logger, loggers.get(name, _NEW_LOGGER))
        _restore_numpy(numpy)
        close_figures(figures)
        _reset_matplotlib()
        _end_pool()


class _OfLibraries:
    """What libraries have set while they were imported, which stays: they are imported only once."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.filters: list[Any] = []
        self.numpy: tuple[Any, Any] | None = None


_of_libraries = _OfLibraries()


@contextlib.contextmanager
def keep_library_settings() -> Iterator[None]:
    """Around the import of a library: what it sets for the OS process outlives the action that imports it."""
    path, filters, mark = list(sys.path), list(warnings.filters), ambient.mark()
    try:
        yield
    finally:
        ambient.leave(mark)
        kept = _of_libraries
        kept.path += [entry for entry in sys.path if entry not in path and entry not in kept.path]
        new = [item for item in warnings.filters if item not in filters and item not in kept.filters]
        kept.filters[:0] = new
        kept.numpy = kept.numpy or _numpy_settings()


def forget_shown_warnings() -> None:
    """Where a step was skipped, warnings are shown again after it, as they would be had it run."""
    with warnings.catch_warnings():
        pass


class _LoggerState(NamedTuple):
    level: int
    handlers: tuple[Any, ...]
    disabled: bool
    propagate: bool


_NEW_LOGGER = _LoggerState(0, (), False, True)


def _root() -> Any:
    logging: Any = sys.modules.get("logging")
    return getattr(logging, "root", None)


def _loggers() -> list[tuple[str, Any]]:
    root = _root()
    if root is None:
        return []
    return [(name, logger) for name, logger in root.manager.loggerDict.items() if hasattr(logger, "handlers")]


def _logger_state(logger: Any) -> _LoggerState:
    if logger is None:
        return _LoggerState(30, (), False, True)  # how the root logger is when logging is imported
    return _LoggerState(logger.level, tuple(logger.handlers), logger.disabled, logger.propagate)


def _restore_logger(logger: Any, state: _LoggerState) -> None:
    if logger is None or _logger_state(logger) == state:
        return
    for handler in [handler for handler in logger.handlers if handler not in state.handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger.handlers[:] = state.handlers
    logger.disabled, logger.propagate = state.disabled, state.propagate
    logger.setLevel(state.level)


def _numpy_settings() -> tuple[Any, Any] | None:
    numpy: Any = sys.modules.get("numpy")
    return (numpy.geterr(), numpy.get_printoptions()) if hasattr(numpy, "get_printoptions") else None


def _restore_numpy(settings: tuple[Any, Any] | None) -> None:
    numpy: Any = sys.modules.get("numpy")
    settings = settings or _of_libraries.numpy
    if settings is not None and settings != _numpy_settings():
        numpy.seterr(**settings[0])
        numpy.set_printoptions(**settings[1])


def open_figures() -> frozenset[int]:
    """Numbers of the figures that pyplot holds."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    return frozenset(pyplot.get_fignums()) if hasattr(pyplot, "get_fignums") else frozenset()


def close_figures(before: frozenset[int]) -> None:
    """Close those that pyplot holds besides: whoever plots next would go on in them."""
    for number in open_figures() - before:
        sys.modules["matplotlib.pyplot"].close(number)


def _reset_matplotlib() -> None:
    matplotlib: Any = sys.modules.get("matplotlib")
    if hasattr(matplotlib, "rc_file_defaults"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matplotlib.rc_file_defaults()


def _end_pool() -> None:
    # joblib keeps its worker processes for later calls, with the folder and the environment that this one had.
    reusable: Any = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(reusable, "_executor", None)
    if executor is not None:
        executor.shutdown(wait=True)
