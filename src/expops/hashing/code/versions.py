"""How much of a library's version counts, and how a version is told.

A version is what its distribution says, such as ``1.26.4``. Where that does not identify the code (a folder on the
path, an editable install, an install from a local folder, archive or repository), the digest of the code follows
after a colon, and it counts under every policy.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from ..canonical import digest_of

POLICIES: Final = ("exact", "minor", "ignore")
MISSING: Final = "missing"
SOURCE: Final = "source"  # stands for the version of what lies on the path without being installed

# A final release by PEP 440, with or without a part for later fixes of the packaging and a label of the build.
_RELEASE: Final = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.\d+)*(?:[-_.]?(?:post|rev|r)[-_.]?\d*|-\d+)?"
    r"(?P<local>\+[a-z0-9._-]+)?",
    re.IGNORECASE,
)


def joined(versions: Collection[str]) -> str:
    """One version for a distribution of which several parts were reached, each with a digest of its own."""
    if len(versions) == 1:
        return next(iter(versions))
    numbers = sorted({version.partition(":")[0] for version in versions})
    digests = sorted({digest for version in versions if (digest := version.partition(":")[2])})
    return " and ".join(numbers) + (f":{digest_of(digests)}" if digests else "")


def counted(libraries: Mapping[str, str], policy: str) -> dict[str, str]:
    """The part of ``libraries`` (distributions and versions) that keys are made of under one of :data:`POLICIES`.

    No two policies give the same for different versions, so that what was kept under one is never taken for another's.
    """
    if policy == "exact":
        return dict(libraries)
    if policy == "minor":
        return {name: _minor(version) for name, version in libraries.items()}
    kept = {name: f"*:{digest}" for name, version in libraries.items() if (digest := version.partition(":")[2])}
    # That there are libraries at all is told, lest a key be that of code without any under another policy.
    return {"*": "ignored", **kept} if libraries else {}


def _minor(version: str) -> str:
    """``1.26.*`` for ``1.26.4``; versions before a release, and what is no version, are told in full."""
    number, colon, digest = version.partition(":")
    match = _RELEASE.fullmatch(number)
    if match is None:
        return version
    epoch = f"{int(match['epoch'])}!" if match["epoch"] else ""
    # Builds for other hardware compute other numbers under the same version.
    local = (match["local"] or "").lower()
    return f"{epoch}{int(match['major'])}.{int(match['minor'] or 0)}.*{local}{colon}{digest}"


def shown(version: str) -> str:
    """A version as people read it, without digests."""
    number, colon, _ = version.partition(":")
    if not colon:
        return version
    return "by its code" if number == SOURCE else f"{number} by its code"


def change(name: str, old: str | None, new: str | None) -> str:
    """In words, how a library differs."""
    if old is None or new is None:
        return f"library {name} {shown(old) if old else 'not used'} → {shown(new) if new else 'not used'}"
    if shown(old) != shown(new):
        return f"library {name} {shown(old)} → {shown(new)}"
    return f"code of library {name} changed"
