"""What is installed in one folder of the path: its distributions with their modules, from their metadata."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Final

from ..canonical import digest_of

CODE: Final = (".py", ".so", ".pyd", ".dylib")
_FOLDER: Final = re.compile(r"(?P<name>.+?)(-(?P<version>[^-]+?))?(-py[\d.]+)?\.(dist|egg)-info$")
_INSTALLED: Final = ("site-packages", "dist-packages")


def scan(entry: str) -> tuple[dict[str, list[list[str]]], list[list[str]]]:
    """``{module: [[distribution, version]]}`` of the packages in one entry, and the editable ones with their source."""
    owners: dict[str, list[list[str]]] = {}
    editable: list[list[str]] = []
    for name in sorted(os.listdir(entry)):
        match = _FOLDER.match(name)
        if not match:
            continue
        folder = os.path.join(entry, name)
        distribution = re.sub(r"[-_.]+", "-", match["name"]).lower()
        version = match["version"] or _version(folder)
        origin = _origin(folder)
        if origin.get("dir_info", {}).get("editable"):
            editable.append([distribution, version, _local(origin)])
        elif _is_source(entry, folder):
            editable.append([distribution, version, entry])
            continue
        files = _recorded(folder)
        if origin:
            version += ":" + digest_of([line for line in files if "," in line and not line.endswith(",,")])
        for module in _modules(folder, files):
            owners.setdefault(module, []).append([distribution, version])
    return owners, editable


def _text(*parts: str) -> str:
    try:
        with open(os.path.join(*parts), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _version(folder: str) -> str:
    text = _text(folder, "METADATA") or _text(folder, "PKG-INFO") or _text(folder)
    match = re.search(r"^Version:\s*(\S+)", text, re.MULTILINE)
    return match[1] if match else ""


def _origin(folder: str) -> dict[str, Any]:
    """Where an installer took it from if that was no index (PEP 610), else nothing."""
    text = _text(folder, "direct_url.json")
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _local(origin: dict[str, Any]) -> str:
    from urllib.parse import unquote  # only where something is installed in editable mode

    return os.path.abspath(unquote(str(origin.get("url", "")).removeprefix("file://")))


def _is_source(entry: str, folder: str) -> bool:
    """Whether metadata lies beside source code, where builds and editable installs leave it, and not beside a copy."""
    if not folder.endswith(".egg-info") or os.path.basename(entry) in _INSTALLED:
        return False
    return not os.path.exists(os.path.join(folder, "installed-files.txt"))


def _recorded(folder: str) -> list[str]:
    """The files that it has installed, each with hash and size if they are known, without those of the installer."""
    lines = _text(folder, "RECORD").splitlines()
    if not lines:
        names = _text(folder, "installed-files.txt").splitlines()
        lines = [os.path.normpath(os.path.join("x", name)).removeprefix("x" + os.sep) + ",," for name in names]
    # What lies outside names the environment: scripts begin with the path of their interpreter.
    own = os.path.basename(folder) + "/"
    files = [line.replace(os.sep, "/") for line in lines if not line.startswith((".", "/", own))]
    return sorted(line for line in files if not line.startswith("__pycache__"))


def _modules(folder: str, files: list[str]) -> list[str]:
    """The topmost regular packages and modules that a distribution installs."""
    paths = [path for line in files if (path := line.rpartition(",")[0].rpartition(",")[0]).endswith(CODE)]
    if not paths:
        return _text(folder, "top_level.txt").split()
    regular = {path.rpartition("/")[0] for path in paths if path.rpartition("/")[2].startswith("__init__.")}
    found: dict[str, None] = {}
    for path in paths:
        parts = path.split("/")
        prefixes = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        package = next((prefix for prefix in prefixes if prefix in regular), None)
        module = package or "/".join([*parts[:-1], parts[-1].partition(".")[0]])
        if "-" not in module and "." not in module:
            found[module.replace("/", ".")] = None
    return list(found)
