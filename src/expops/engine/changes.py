"""What git says of a checkout beyond its commit: where it was cloned from, and what is not committed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import Any, Final

from ..runs.secrets import GIT_PATTERNS, redacted

LARGEST: Final = 1 << 20  # bytes of a diff
_PATIENCE: Final = 20  # seconds


def changes(folder: str, unseen: Sequence[str] = (), *, dirty: bool) -> dict[str, Any]:
    """The remote's URL without credentials, and the diff of tracked files under ``folder``.

    Files whose names say that they hold secrets are left out, and those in ``unseen``. ``diff`` is ``None`` for a clean
    checkout, and for a diff that is too large, of which ``note`` tells.
    """
    found: dict[str, Any] = {"remote": redacted(_git(folder, "remote", "get-url", "origin").decode().strip())}
    found["diff"], found["note"] = _diff(folder, unseen) if dirty else (None, "")
    return found


def _diff(folder: str, unseen: Sequence[str]) -> tuple[str | None, str]:
    left_out = [f":(exclude,icase,glob)**/{pattern}" for pattern in GIT_PATTERNS]
    left_out += [f":(exclude,literal){path}" for path in unseen]
    raw = _git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv", "--", ".", *left_out)
    if len(raw) > LARGEST:
        return None, f"the diff has {len(raw):,} bytes, more than {LARGEST:,}"
    return redacted(raw.decode("utf-8", "backslashreplace")), ""


def _git(folder: str, *arguments: str) -> bytes:
    """What git prints, nothing if it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""
