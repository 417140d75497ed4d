"""What must not get into a record: files whose names say that they hold secrets, credentials within URLs."""

from __future__ import annotations

import re
from typing import Final

# Of Python files only those that are named for secrets: code about keys, such as sort_keys.py, is code.
_ANY: Final = "|".join(
    (
        *(r"\.env(\..+)?", r".*\.env", ".*secret.*", ".*credential.*", ".*password.*"),
        *(r"id_(rsa|dsa|ecdsa|ed25519).*", r"\.netrc", r"\.pypirc"),
    )
)
_DATA: Final = "|".join(
    (
        *(r".*\.(pem|key|p12|pfx|jks|kdbx|keystore)", ".*(api|private|access)[-_]?key.*"),
        *(".*[-_]key", "key[-_.].*", ".*token.*"),
    )
)
_SECRET: Final = re.compile(_ANY, re.IGNORECASE)
_SECRET_DATA: Final = re.compile(f"{_ANY}|{_DATA}", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s'\"]+@")
_OPTIONS: Final = re.compile(r"([?&](?:\w*(?:password|secret|token)|sig|\w*key)=)[^&\s'\"]+", re.IGNORECASE)

# The same for git, whose patterns are coarser: a diff is an addition, and sources are recorded without it.
GIT_PATTERNS: Final = (
    *("*.env", ".env*", "*secret*", "*credential*", "*password*", "*key*", "*token*", "id_*"),
    *("*.pem", "*.p12", "*.pfx", "*.jks", "*.kdbx", ".netrc", ".pypirc"),
)


def is_secret(path: str) -> bool:
    """Whether the name of a file, or of a folder on its way, says that it holds secrets (``/`` between folders)."""
    *folders, name = path.split("/")
    named = _SECRET if name.endswith((".py", ".pyi")) else _SECRET_DATA
    return named.fullmatch(name) is not None or any(_SECRET.fullmatch(folder) for folder in folders)


def redacted(text: str) -> str:
    """``text`` with ``user:password@``, and the values of options such as ``?password=``, taken out of its URLs."""
    return _OPTIONS.sub(r"\1", _CREDENTIALS.sub("", text)) if "://" in text else text
