"""Source text of code that ran, kept by content, so that a later change can be shown and not only named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from ..errors import SourceError
from ..hashing.code import CodeFingerprint
from ..hashing.digest import digest_bytes
from ..untrusted import inflated

PREFIX: Final = "source/"
_LARGEST: Final = 1 << 20  # bytes of a file; what is longer was written by a program, and nobody reads a diff of it


class Code(Protocol):
    """The project's files as fingerprints have seen them."""

    def content(self, path: str) -> str:
        """Digest of a file."""

    def source(self, path: str) -> bytes | None:
        """The bytes that have this digest, unless the file has been edited since."""


def contents(code: CodeFingerprint, files: Code) -> dict[str, str]:
    """Digests of the Python files that a fingerprint was made from."""
    found = {}
    for file in code.files:
        if file.endswith(".py"):
            try:
                found[file] = files.content(file)
            except SourceError:
                continue  # it counts by its bytes
    return found


def records(missing: dict[str, str], files: Code) -> dict[str, bytes]:
    """Records of the texts of files, by path and digest."""
    import zlib  # only where something is recorded

    found = {}
    for file, content in missing.items():
        text = files.source(file)
        if text is not None and len(text) <= _LARGEST:
            found[PREFIX + content] = zlib.compress(text)
    return found


def text(content: str, load: Callable[[str], bytes | None]) -> bytes | None:
    """The text of that digest, if it was kept and is sound."""
    raw = load(PREFIX + content)
    return source_in(raw, content) if raw is not None else None


def source_in(raw: bytes, content: str) -> bytes | None:
    """The bytes of a file in a record, if they have that digest."""
    try:
        data = inflated(raw, _LARGEST)
    except ValueError:
        return None
    return data if digest_bytes(data) == content else None
