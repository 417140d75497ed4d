"""``expops.InputFile``: a file that counts by what it holds, whoever reads it and however."""

from __future__ import annotations

import os
from typing import Any

from ..hashing.canonical import digest_of
from .files import FileDigests
from .watching import unwatched, watcher

_files = FileDigests()


def remember_in(files: FileDigests) -> None:
    """Take digests from ``files`` from now on, which may remember them from run to run."""
    global _files
    _files = files


class InputFile(os.PathLike[str]):
    """A path whose content is an input of every action that it is handed to, or that makes or uses it.

    For libraries that open files in C, which nobody sees (pyarrow, polars, h5py, xgboost)::

        @step
        def load(table: InputFile):
            return pyarrow.parquet.read_table(os.fspath(table))

        load(InputFile("data/table.parquet"))

    As a value it is its file's name and content: the folder does not matter. A folder counts with all that is below it.

    Parameters
    ----------
    path: the file or folder; a relative one is relative to the current folder whenever it is used
    """

    __slots__ = ("_path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        if not isinstance(self._path, str):
            raise TypeError(f"InputFile takes a path as text, not as {type(self._path).__name__}")
        self._tell()

    def __fspath__(self) -> str:
        """The path as it was given."""
        self._tell()
        return self._path

    def __str__(self) -> str:
        """The path as it was given."""
        return self.__fspath__()

    def __repr__(self) -> str:
        """As it is made."""
        return f"InputFile({self._path!r})"

    def __eq__(self, other: object) -> bool:
        """Whether it is an input file of the same path."""
        return isinstance(other, InputFile) and self._path == other._path

    def __hash__(self) -> int:
        """Equal paths have equal hashes."""
        return hash((InputFile, self._path))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by path: what it holds stays where it is."""
        return (InputFile, (self._path,))

    def identity(self) -> str:
        """Digest of the name and of what it holds now, of a folder with all that is below it."""
        with unwatched():
            return digest_of(["input file", os.path.basename(self._path), _content(os.path.abspath(self._path))])

    def _tell(self) -> None:
        observer = watcher()
        if observer is not None:
            with unwatched():
                observer.declare(self._path)


def _content(path: str) -> str:
    if not os.path.isdir(path):
        return _files.of_file(path)
    found = []
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = os.path.join(folder, name)
            found.append([os.path.relpath(file, path), _files.of_file(file)])
    return digest_of(["tree", found])
