"""The packages of an environment as a PEP 751 lock file, ``pylock.toml``.

An installed package does not know the hash of the file that it came from. Where that hash is known, because the
package came from a URL, it is in the lock; else the wheel is named, with the digest of the list of its installed files
under ``record-sha256``, by which two environments compare. Installers need ``requirements.txt`` then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

RECORD_HASH: Final = "record-sha256"


def pylock(environment: Mapping[str, Any]) -> str:
    """The text of ``pylock.toml``."""
    version = environment["python"]["version"]
    lines = ['lock-version = "1.0"', f"requires-python = {_string(f'=={version}')}", 'created-by = "expops"']
    for package in environment["packages"]:
        source = list(_source(package))
        if source:
            lines += ["", "[[packages]]", f"name = {_string(package['name'])}", *_version(package), *source]
    return "\n".join(lines) + "\n"


def requirements(environment: Mapping[str, Any]) -> str:
    """The same packages as lines for ``pip install --requirement``; those of folders are comments."""
    lines = []
    for package in environment["packages"]:
        origin = package.get("origin")
        if origin is None:
            lines.append(f"{package['name']}=={package['version']}")
        elif "dir_info" in origin or "://" not in origin["url"]:
            lines.append(f"# {package['name']}=={package['version']} was installed from {origin['url']}")
        else:
            scheme = f"{origin['vcs_info']['vcs']}+" if "vcs_info" in origin else ""
            commit = f"@{origin['vcs_info']['commit_id']}" if "vcs_info" in origin else ""
            lines.append(f"{package['name']} @ {scheme}{origin['url']}{commit}")
    return "\n".join(lines) + "\n"


def _version(package: Mapping[str, Any]) -> list[str]:
    # The version of a source tree may change under the lock, so PEP 751 has none there.
    return [] if "dir_info" in package.get("origin", {}) else [f"version = {_string(package['version'])}"]


def _source(package: Mapping[str, Any]) -> Iterator[str]:
    origin = package.get("origin", {})
    if "dir_info" in origin:
        yield f"directory = {{ path = {_string(origin['url'])}, editable = {_boolean(origin['dir_info'])} }}"
    elif "vcs_info" in origin:
        vcs = origin["vcs_info"]
        yield (
            f"vcs = {{ type = {_string(vcs['vcs'])}, url = {_string(origin['url'])}, "
            f"commit-id = {_string(vcs['commit_id'])} }}"
        )
    elif hashes := _hashes(package, origin):
        if "archive_info" in origin:
            key = "url" if "://" in origin["url"] else "path"
            yield f"archive = {{ {key} = {_string(origin['url'])}, hashes = {hashes} }}"
        else:
            name = package.get("wheel") or f"{package['name'].replace('-', '_')}-{package['version']}-py3-none-any.whl"
            yield f"wheels = [{{ name = {_string(name)}, path = {_string(name)}, hashes = {hashes} }}]"


def _hashes(package: Mapping[str, Any], origin: Mapping[str, Any]) -> str:
    known = origin.get("archive_info", {}).get("hashes") or {}
    if not known and "record" in package:
        known = {RECORD_HASH: package["record"]}
    inner = ", ".join(f"{name} = {_string(value)}" for name, value in known.items())
    return f"{{ {inner} }}" if inner else ""


def _boolean(directory: Mapping[str, Any]) -> str:
    return "true" if directory.get("editable") else "false"


def _string(text: str) -> str:
    """A TOML basic string."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in quoted) + '"'
