"""User exceptions as their authors want to see them: their own frames, none of ours."""

from __future__ import annotations

import os
import traceback
from typing import Final

from ..errors import ExpopsError

_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def user_trace(error: BaseException) -> str:
    """The exception with its causes, cut to the frames of user code and of the libraries below it.

    An error that expops raises about the user's code is a message alone.
    """
    if isinstance(error, ExpopsError):
        return str(error)
    shown = traceback.TracebackException.from_exception(error, capture_locals=False)
    _cut(shown)
    return "".join(shown.format()).rstrip("\n")


def _cut(shown: traceback.TracebackException) -> None:
    pending: list[traceback.TracebackException | None] = [shown]
    while pending:
        current = pending.pop()
        if current is None:
            continue
        kept = [frame for frame in current.stack if not _ours(frame.filename)]
        current.stack = traceback.StackSummary.from_list(kept)
        pending += [current.__cause__, current.__context__, *(current.exceptions or ())]


def _ours(filename: str) -> bool:
    return filename.startswith((_PACKAGE, "<frozen importlib", "<frozen runpy"))
