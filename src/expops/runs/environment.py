"""What Python, platform and packages a run had: read once for an environment, since it takes its time."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
import sysconfig
from importlib.metadata import Distribution, distributions
from typing import Any, Final

from .secrets import redacted

_HEADER: Final = re.compile(r"^(Name|Version): *(\S.*?)\r?$", re.MULTILINE)


def environment() -> dict[str, Any]:
    """This interpreter, its platform, and every installed distribution by normalised name."""
    return {
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "build": sys.version,
            "compiler": platform.python_compiler(),
            "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        },
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "libc": " ".join(platform.libc_ver()).strip(),
        },
        "packages": packages(),
    }


def packages() -> list[dict[str, Any]]:
    """All installed distributions: of several with one name, the one that an import finds."""
    found: dict[str, dict[str, Any]] = {}
    for distribution in distributions():
        head = _headers(distribution)
        if head.keys() >= {"name", "version"}:  # a folder that a broken installation left behind has none
            name = normalised(head["name"])
            found.setdefault(name, _package(distribution, name, head["version"]))
    return [found[name] for name in sorted(found)]


def _headers(distribution: Distribution) -> dict[str, str]:
    """Name and version. ``Distribution.metadata`` would parse the description too, which takes ten times as long."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    return {name.lower(): value for name, value in _HEADER.findall(text.partition("\n\n")[0])}


def normalised(name: str) -> str:
    """The name of a distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(distribution: Distribution, name: str, version: str) -> dict[str, Any]:
    package: dict[str, Any] = {"name": name, "version": version}
    record = distribution.read_text("RECORD")
    if record is not None:
        package["record"] = hashlib.sha256(record.encode()).hexdigest()
    tags = re.findall(r"^Tag: *(\S+)", distribution.read_text("WHEEL") or "", re.MULTILINE)
    if tags:
        package["wheel"] = f"{name.replace('-', '_')}-{version}-{_joined(tags)}.whl"
    direct = distribution.read_text("direct_url.json")
    if direct is not None:
        package["origin"] = _origin(json.loads(direct))
    return package


def _joined(tags: list[str]) -> str:
    """One compressed tag set of several tags, as in the names of wheels."""
    parts = zip(*(tag.split("-") for tag in tags), strict=True)
    return "-".join(".".join(dict.fromkeys(part)) for part in parts)


def _origin(direct: dict[str, Any]) -> dict[str, Any]:
    """Where a package came from that is from no index (PEP 610), without credentials and folders of this machine."""
    url = redacted(str(direct.get("url", "")))
    if url.startswith("file:"):
        url = os.path.basename(url.rstrip("/"))
    return {**direct, "url": url}
