"""Files that an action may read unseen: what it is handed, what its code names, and the declared data.

Libraries that open files in C are seen by nobody. So before an action executes, every path that it is handed counts as
its input; and if its code reaches such a library, so does text that names a file of the project.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from ..cache.input_file import InputFile
from ..cache.observe import Observer
from ..cache.scope import is_within
from ..cache.unseen import reads_unseen
from ..hashing.code import CodeFingerprint
from .describe import Describer

_MOST: Final = 10_000  # parts of arguments, and folders, that are looked at
_LONGEST: Final = 1000
_CODE: Final = (".py", ".pyc", ".so", ".pyd")


def claim(
    observer: Observer, describer: Describer, codes: Sequence[CodeFingerprint], arguments: Mapping[str, object]
) -> None:
    """Make inputs, of the action that is about to execute, of what it may read unseen.

    ``codes`` is its own code, and that of functions and classes that it is handed.
    """
    unseen = any(reads_unseen(code.libraries, partial(describer.names, code)) for code in codes)
    for item in _leaves(arguments.values()):
        if isinstance(item, str):
            if unseen and _may_name_a_file(item):
                _claim_text(observer, os.path.abspath(item))
        elif isinstance(item, InputFile):
            observer.declare(os.fspath(item))
        else:
            path = os.fspath(item)
            if isinstance(path, str) and "\0" not in path:
                observer.named(path, deep=unseen, missing=True)
    if unseen:
        for path in observer.declared:
            observer.declare(path)
        for path in _named_in(observer.places.project, _texts(describer, codes)):
            _claim_text(observer, path)


def _texts(describer: Describer, codes: Iterable[CodeFingerprint]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for code in codes:
        for file, texts in describer.texts(code).items():
            found.setdefault(file, []).extend(texts)
    return found


def _leaves(values: Iterable[object]) -> Iterator[str | os.PathLike[str]]:
    """Text and paths in arguments, containers included."""
    pending, looked_at = list(values), 0
    while pending and looked_at < _MOST:
        item = pending.pop()
        looked_at += 1
        if isinstance(item, str | os.PathLike):
            yield item
        elif isinstance(item, dict):
            pending += [*item, *item.values()][:_MOST]
        elif isinstance(item, list | tuple | set | frozenset):
            pending += list(item)[:_MOST]


def _may_name_a_file(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable() and text not in (os.curdir, os.pardir)


def _claim_text(observer: Observer, path: str) -> None:
    places = observer.places
    if not path.endswith(_CODE) and any(is_within(path, folder) for folder in (places.project, places.work)):
        observer.named(path, deep=True)


def _named_in(project: str, texts: Mapping[str, list[str]]) -> list[str]:
    """Files that constant text names, by itself or joined to a folder that other text names; and folders.

    A folder in a single word such as ``data`` is taken for a part of other paths, and so is one that other text leads
    on from.
    """
    words = [text for found in texts.values() for text in found if _may_name_a_file(text)]
    parts = [part for word in dict.fromkeys(words) if (part := os.path.normpath(word)) != os.curdir]
    starts = [os.getcwd(), project, *(os.path.join(project, os.path.dirname(file)) for file in texts)]
    folders = list(dict.fromkeys(map(os.path.normpath, starts)))
    files: list[str] = []
    whole: list[str] = []
    for folder in folders:
        there = _names_in(folder)
        for part in parts if len(folders) < _MOST else ():
            path = os.path.join(folder, part)
            if part.split(os.sep)[0] not in there and not part.startswith((os.sep, os.pardir)):
                continue
            if os.path.isfile(path):
                files.append(path)
            elif os.path.isdir(path) and path not in folders and not is_within(project, path):
                folders.append(path)
                whole += [path] if os.sep in part else []
    return files + [
        folder for folder in whole if not any(is_within(path, folder) for path in [*files, *whole] if path != folder)
    ]


def _names_in(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()
