"""``@process``, ``@step`` and ``log_metric``: they record what a function is, and never run anything themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from . import context
from .caching import Caching, live

P = ParamSpec("P")
R = TypeVar("R")

Names: TypeAlias = list[str] | tuple[str, ...] | set[str] | frozenset[str]

# What ExpOps calls the dictionaries that steps and processes exchange.
SerializableData: TypeAlias = dict[str, Any]


_REAL: Final = 1 << 1023  # below it, an integer is a floating point number too
_STEPS: Final = 1 << 63


class _Decorated(Generic[P, R]):
    """A function with a role; it looks like the function to introspection.

    ``caching`` is what its decorator said. Raises ``TypeError`` for options that can't be.
    """

    __wrapped__: Callable[P, R]
    __name__: str
    __qualname__: str
    role: ClassVar[str]
    caching: Caching

    def __init__(self, function: Callable[P, R], options: Mapping[str, object] | None = None) -> None:
        if isinstance(function, staticmethod):
            function = function.__func__
        role = self.role
        if not callable(function):
            raise TypeError(
                f"@{role} decorates a function, not {type(function).__name__} {function!r}; "
                f"write @{role} or @{role}() right above a def"
            )
        if not hasattr(function, "__name__"):
            raise TypeError(
                f"@{role} needs a function with a name, not {type(function).__name__} {function!r}; "
                "call it from a def, and decorate that"
            )
        functools.update_wrapper(cast(Callable[..., R], self), function)
        self.caching = live(role, function, options or {})

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self.__qualname__}>"

    def __reduce__(self) -> str:
        # By reference, like a function: whoever loads it imports the module.
        return self.__qualname__


class Process(_Decorated[P, R]):
    """A node of the pipeline. Calling it runs the function plainly, as a test of it would want."""

    role = "process"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function."""
        return self.__wrapped__(*args, **kwargs)


class Step(_Decorated[P, R]):
    """A cached function. Outside any process or cache it simply runs."""

    role = "step"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Take the result from the cache of the action under way, or run the function."""
        runner = context.current()
        if runner is None:
            return self.__wrapped__(*args, **kwargs)
        return cast(R, runner.call_step(self, args, kwargs))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Bind like a function, so that a step can be a method: the instance is then its first input."""
        return self if instance is None else functools.partial(cast(Callable[..., R], self), instance)


@overload
def process(function: Callable[P, R], /) -> Process[P, R]: ...
@overload
def process(
    *, cache: bool = True, version: str | int | None = None, ignore: Names = ()
) -> Callable[[Callable[P, R]], Process[P, R]]: ...
def process(function: Callable[P, R] | None = None, /, **options: object) -> Any:
    """Mark a function as a process: ``@process``, ``@process()`` or ``@process(cache=False)``.

    Its parameters are taken by name from the outputs of upstream processes, from its parameters in the
    configuration, and from the global ones. It returns a dict; each key is an output of its own.

    The options are read from source, so they must be literals; the configuration has them as well, and adds to them.

    Parameters
    ----------
    cache: ``False`` executes it in every run
    version: of something that expops can't see; another one executes it again
    ignore: parameters that don't change the result; they are no part of its key

    Raises ``TypeError`` for other options or values.
    """
    return functools.partial(Process, options=options) if function is None else Process(function, options)


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    cache: bool = True,
    version: str | int | None = None,
    ignore: Names = (),
    seed_by: str | None = None,
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(function: Callable[P, R] | None = None, /, **options: object) -> Any:
    """Mark a function as a step: ``@step``, ``@step()`` or ``@step(ignore=["verbose"])``.

    Called inside a process (or a :class:`expops.Cache`), it is looked up by its code, its arguments and the
    variables it closes over, and executes only if no result is known for them.

    Parameters
    ----------
    cache: ``False`` executes each call; what encloses it, a process or another step, is cached all the same
    version: of something that expops can't see; another one executes it, and all that reaches it, again
    ignore: parameters that don't change the result, such as a logger; they are no part of its key and need no identity
    seed_by: a parameter. The seed of a call then depends on that argument instead of the call's number, so that calls
        can be reordered or left out; two calls with equal arguments (of one type) draw the same numbers

    Raises ``TypeError`` for other options or values.
    """
    return functools.partial(Step, options=options) if function is None else Step(function, options)


def log_metric(name: str, value: float, step: int | None = None) -> None:
    """Record a metric of the process that runs now; outside any process or cache it does nothing.

    Parameters
    ----------
    name: what is measured, such as ``"accuracy"``
    value: a real number; NumPy scalars and zero-dimensional arrays or tensors are taken as such
    step: where in a series it belongs, from 0. Left out: one more than the largest step of that metric so far in the
        process, beginning with 1

    Raises ``TypeError`` or ``ValueError`` for anything else.
    """
    if type(name) is not str or not name:
        raise TypeError(f"log_metric: the name must be a non-empty string, not {name!r}")
    if step is not None:
        step = _plain_step(name, step)
    number = _plain_number(name, value)
    if isinstance(number, int) and not -_REAL < number < _REAL:
        raise ValueError(f"log_metric({name!r}): the value is beyond all real numbers, with {number.bit_length()} bits")
    runner = context.current()
    if runner is not None:
        runner.log_metric(name, number, step)


def _plain_number(name: str, value: object) -> float:
    if type(value) in (int, float, bool):
        return cast(float, value)
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", 0) == 0:
        value = item()
    if isinstance(value, int | float):
        return float(value) if isinstance(value, float) else int(value)
    raise TypeError(
        f"log_metric({name!r}): the value must be a real number, not {type(value).__name__}; "
        "log several numbers under names of their own"
    )


def _plain_step(name: str, step: object) -> int:
    index = getattr(step, "__index__", None)
    if index is None or isinstance(step, bool):
        raise TypeError(f"log_metric({name!r}): step must be an integer from 0, not {step!r}")
    number = int(index())
    if not 0 <= number < _STEPS:
        raise ValueError(f"log_metric({name!r}): step must be an integer from 0 to 2**63 - 1, not {number}")
    return number
