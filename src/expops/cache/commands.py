"""Commands that an action starts: which words of them may name files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

# Audit event -> where its arguments have the command and the folder that it runs in.
EVENTS: Final = {"subprocess.Popen": (1, 2), "os.system": (0, None), "os.posix_spawn": (1, None), "os.exec": (1, None)}


def words(event: str, args: tuple[Any, ...]) -> tuple[list[str], str]:
    """The words of a command that is about to start, and the folder that they are relative to (``""``: this one)."""
    command, folder = EVENTS[event]
    given = args[command]
    parts = [given] if isinstance(given, str | bytes | os.PathLike) else list(given or ())
    texts = [os.fsdecode(part) for part in parts if isinstance(part, str | bytes | os.PathLike)]
    where = args[folder] if folder is not None else None
    return list(_split(texts)), os.fsdecode(where) if where is not None else ""


def _split(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        yield text
        for word in _shell_words(text) if any(char.isspace() for char in text) else ():
            yield word
            yield from _values(word)
        yield from _values(text)


def _values(word: str) -> Iterable[str]:
    """What an option such as ``--input=table.csv`` or an assignment gives."""
    _, equals, value = word.partition("=")
    if equals:
        yield value


def _shell_words(text: str) -> list[str]:
    import shlex  # only where a shell is asked

    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return text.split()
