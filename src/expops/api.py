"""The cache without a project: for scripts, tests and notebooks."""

from __future__ import annotations

import atexit
import os
import sys
import warnings
from _thread import get_ident
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, overload

from .cache.discovery import Observed, Places
from .cache.files import FileDigests
from .cache.input_file import remember_in
from .cache.leases import Holder
from .cache.memo import KVMemo
from .cache.observe import Observer, install
from .cache.store import ResultCache
from .engine.actions import Session, StepCalls
from .engine.describe import Describer
from .engine.frames import Frame, SeedPath
from .engine.streams import Capture
from .hashing.code import ProjectCode
from .hashing.code.versions import POLICIES
from .pipeline import context
from .pipeline.decorators import Names, Step
from .runs.ledger import new_run_id
from .runs.model import ActionRecord
from .wiring import open_folder, open_leases

_waited: set[str] = set()
P = ParamSpec("P")
R = TypeVar("R")


class Cache:
    """A cache of step results in a folder.

    ::

        cache = expops.Cache(".cache", seed=42)

        @cache.step
        def features(path, size): ...

        with cache:            # functions decorated with @expops.step use it inside
            train(...)

    Parameters
    ----------
    folder: where results are kept; made if need be
    seed: root of the seeds that steps draw with, from 0, of at most 128 bits
    project: folder whose code counts as yours; by default that of the script that runs, or the current folder
    libraries: how much of libraries' versions counts: ``exact`` (all), ``minor`` (``1.26.4`` as ``1.26``) or ``ignore``

    ``hits`` and ``executed`` count what was served and what ran. Raises
    :class:`~expops.errors.StoreUnavailable` when the folder can't be used, and ``ValueError`` for another policy.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        seed: int = 42,
        project: str | None = None,
        libraries: str = "exact",
    ) -> None:
        if libraries not in POLICIES:
            raise ValueError(f"libraries is {libraries!r}; choose from {', '.join(POLICIES)}")
        self.folder = os.path.abspath(os.fspath(folder))
        self.seed = seed
        self.hits = 0
        self.executed = 0
        kv, blobs = open_folder(self.folder)
        memo = KVMemo(kv)
        root = os.path.abspath(project) if project is not None else _own_folder()
        code = ProjectCode(root, import_roots=(root,), memo=memo, main=_script(), libraries=libraries)
        files = FileDigests(memo)
        remember_in(files)
        observer = Observer(Places(root, None), files)
        results = ResultCache(kv, blobs)
        results.leases = open_leases(self.folder)
        results.leases.holder = Holder.of_this("")
        results.code = code
        session = Session(
            cache=results,
            describer=Describer(code, always=True),
            observer=observer,
            capture=Capture(self._printed),
            run_id=new_run_id(),
            record=self._count,
            warn=_warn,
            imports={},
            as_loaded=lambda code: True,
            forced=frozenset(),
            waits=_waits,
        )
        self._memo = memo
        self._session = session
        self._calls = StepCalls(session, Frame("", SeedPath(seed, ""), Observed()))
        self._owner = (get_ident(), os.getpid())
        session.cache.prefetch_below("")
        install()
        # What is pending at exit is journaled, so this is tidiness and not durability.
        atexit.register(self.flush)

    @overload
    def step(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def step(
        self,
        /,
        *,
        cache: bool = True,
        version: str | int | None = None,
        ignore: Names = (),
        seed_by: str | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def step(self, function: Callable[P, R] | None = None, /, **options: object) -> Any:
        """Decorate a function so that its calls are served from this cache; the options are :func:`expops.step`'s."""
        made = partial(_CachedStep, cache=self, options=options)
        return made if function is None else made(function)

    def __enter__(self) -> Cache:
        """Serve the calls of functions decorated with ``@expops.step`` in this thread."""
        context.enter(self._calls)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving them, and write down what is pending."""
        context.leave(self._calls)
        self.flush()

    def call(self, step: Step[..., Any], args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """Serve one call of ``step``; in another thread or a forked child than the cache's own, just run it."""
        if (get_ident(), os.getpid()) != self._owner:
            # Random state belongs to the process as a whole, so no two actions can share it at once.
            return step.__wrapped__(*args, **kwargs)
        return self._calls.call_step(step, args, kwargs)

    def flush(self) -> None:
        """Write down what is pending; results themselves are kept at once."""
        self._session.cache.flush()
        self._memo.flush()
        for message in self._session.cache.warnings:
            _warn(message)
        self._session.cache.warnings.clear()

    def close(self) -> None:
        """Write down what is pending and let the folder go; the cache opens anew when it is used again."""
        self.flush()
        self._session.cache.kv.close()

    def _count(self, record: ActionRecord) -> None:
        if record.outcome == "hit":
            self.hits += 1
        elif record.outcome == "executed":
            self.executed += 1

    def _printed(self, stream: str, text: str) -> None:
        self._calls.printed(stream, text)
        print(text, end="", file=self._session.capture.original(stream), flush=True)


class _CachedStep(Step[P, R]):
    """A step bound to one cache."""

    def __init__(self, function: Callable[P, R], cache: Cache, options: Mapping[str, object] | None = None) -> None:
        super().__init__(function, options)
        self._cache = cache

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Take the result from the cache, or run the function."""
        result: R = self._cache.call(self, args, kwargs)  # type: ignore[assignment]
        return result


def _script() -> str | None:
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.abspath(main) if main else None


def _own_folder() -> str:
    main = _script()
    return os.path.dirname(main) if main else os.getcwd()


def _waits(path: str, holder: str) -> None:
    if path not in _waited:
        _waited.add(path)
        print(f"expops: step '{path}' waits for {holder}", file=sys.stderr)


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=2)
