"""What a run refers to besides its actions: code, configuration, environment, inputs. Written once for many runs.

A run in which all is cached pays for digests and one look-up; what they stand for is gathered (:mod:`.snapshot`) when
the ledger has not got it yet.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from ..cache.manifest import Manifest
from ..cache.status import ASKED
from ..errors import SourceError, StorageError
from ..hashing.canonical import digest_of
from ..hashing.digest import digest_bytes
from ..runs.ledger import pack_record
from .options import Options
from .project import Project

_KINDS: Final = ("file", "folder", *ASKED, "variable")
_INSTALLED: Final = ("site-packages", "dist-packages")
# Part of every address: raise it when the same things are recorded in another form.
_FORM: Final = 1

_collected: Final[dict[str, Any]] = {}  # environments that this OS process has looked at


class Capture:
    """Collects the records of one run; ``provenance`` maps kinds to their addresses."""

    def __init__(self, project: Project, options: Options) -> None:
        self._project = project
        self._options = options
        self._files: dict[str, str] = {}
        self._pending: dict[str, bytes] = {}
        self.provenance: dict[str, str] = {}

    def planned(self, code: Mapping[str, str]) -> None:
        """Before anything executes. ``code`` maps the files of the planned code to the digests of their bytes."""
        config = self._project.config
        try:
            loaded = self._project.code.imported_with([*config.scripts.values(), *code])
        except (SourceError, OSError):
            loaded = {}  # a script that no process needs can't be read
        self._files = {**loaded, **code, config.path: self._digest_of(config.path)}
        addresses = {
            "sources": digest_of(["sources", _FORM, self._files]),
            "configuration": digest_of(
                ["configuration", _FORM, config.name, self._files[config.path], self._options.overrides]
            ),
            "environment": self._environment(),
        }
        self._refer(addresses)

    def executed(self, numeric: list[dict[str, Any]], commit: str, dirty: bool | None) -> None:
        """After a run in which something executed: what workers told of their arithmetic, and what git knows."""
        if numeric:
            self._add("numeric", numeric)
        if commit:
            from .changes import changes  # starts git
            from .snapshot import keys_file

            unseen = [file for file in (keys_file(self._project),) if file]
            self._add("changes", changes(self._project.root, unseen, dirty=bool(dirty)))

    def ended(self, manifests: Mapping[str, Manifest], *, executed: bool) -> None:
        """At the end: which process read what."""
        groups: dict[str, tuple[dict[str, dict[str, str]], list[str]]] = {}
        for name, manifest in manifests.items():
            read: dict[str, dict[str, str]] = {
                kind: manifest.discovered[kind] for kind in _KINDS if kind in manifest.discovered
            }
            if read:
                groups.setdefault(json.dumps(read, sort_keys=True), (read, []))[1].append(name)
        if not groups:
            return
        self._add("inputs", [[read, names] for read, names in groups.values()])
        if executed:
            from .snapshot import small_inputs  # which reads the files themselves

            names = {name for read, _ in groups.values() for name in read.get("file", {})}
            self._pending.update(small_inputs(self._project, names, self._files))

    def take_pending(self) -> dict[str, bytes]:
        """The records to write that have come since the last call, by their names in the store."""
        pending, self._pending = self._pending, {}
        return pending

    def _digest_of(self, path: str) -> str:
        try:
            with open(os.path.join(self._project.root, path), "rb") as file:
                return digest_bytes(_as_recorded(file.read()))
        except OSError:
            return ""

    def _environment(self) -> str:
        """The address of the environment, remembered by what changes when a package is installed or removed."""
        stamps = [_stamp(entry) for entry in sys.path if os.path.basename(entry) in _INSTALLED]
        key = "environment/" + digest_of(["environment", _FORM, sys.version, sys.prefix, stamps])
        known = self._project.memo.get(key)
        if known is not None and "record/" + known.decode() in self._known(["record/" + known.decode()]):
            return known.decode()
        if key not in _collected:
            from ..runs.environment import environment  # only in an environment that is new

            _collected[key] = environment()
        address = self._add("environment", _collected[key])
        self._project.memo.put(key, address.encode())
        return address

    def _refer(self, addresses: dict[str, str]) -> None:
        self.provenance.update(addresses)
        names = ["record/" + addresses[kind] for kind in ("sources", "configuration")]
        known = self._known(names)
        if all(name in known for name in names):
            return
        from .snapshot import resolved, source_records

        self._pending.update(source_records(self._project, self._files))
        self._pending[names[0]] = pack_record(self._files)
        self._pending[names[1]] = pack_record(resolved(self._project.config))

    def _add(self, kind: str, document: Any) -> str:
        raw = pack_record(document)
        address = self.provenance[kind] = digest_bytes(raw)
        name = "record/" + address
        if name not in self._known([name]):
            self._pending[name] = raw
        return address

    def _known(self, names: list[str]) -> dict[str, bytes]:
        try:
            return self._project.cache.kv.get_many(names)
        except StorageError:
            return dict.fromkeys(names, b"")  # where nothing can be read, nothing can be written either


def _as_recorded(configuration: bytes) -> bytes:
    if b"://" not in configuration:
        return configuration
    from .snapshot import without_secrets  # which needs regular expressions

    return without_secrets(configuration)


def _stamp(entry: str) -> list[Any]:
    try:
        status = os.stat(entry)
    except OSError:
        return [entry]
    return [entry, status.st_mtime_ns, status.st_ino]
