"""Fingerprints of a project's code."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..canonical import encode
from ..digest import digest_bytes
from .closures import Closures
from .facts import FileFacts, function_facts
from .files import Files
from .finder import Finder
from .graph import Graph, Node
from .judge import Judge
from .libraries import Libraries
from .live import Live
from .model import CodeFingerprint, FunctionFacts, Memo

# Part of every fingerprint: raise it when the same code gets another digest on purpose.
_SCHEME = 1
_VARIANTS = {"docs": 1, "annotations": 2}


class ProjectCode:
    """The code of one project, as it is on disk when first looked at.

    ``root`` is the project's folder, ``import_roots`` the folders on ``sys.path`` for its code (default: ``root``
    and ``root/src``). With a ``memo``, files that have not changed are not parsed again.
    """

    def __init__(self, root: str, *, import_roots: Sequence[str] = (), memo: Memo | None = None) -> None:
        self._finder = Finder(root, import_roots)
        self._files = Files(self._finder, memo)
        self._graph = Graph(self._files, self._finder, Libraries(memo))
        self._judge = Judge(self._graph)
        self._known: dict[tuple[str, str], CodeFingerprint] = {}
        self._lines: dict[tuple[str, str], bytes] = {}
        self._live = Live(self._files, self._finder, self._graph, self._of_nodes)

    def functions(self, path: str) -> dict[str, FunctionFacts]:
        """Top-level functions of a project file, by name.

        Raises :class:`~expops.errors.SourceError` if the file is no valid Python.
        """
        return {name: function_facts(list(facts)) for name, facts in self._facts(path).functions.items()}

    def fingerprint(self, path: str, qualname: str) -> CodeFingerprint:
        """Fingerprint of a top-level function or class, or of the class that a dotted ``qualname`` starts with.

        Nothing is imported. Raises ``KeyError`` if the file defines no such thing,
        :class:`~expops.errors.SourceError` if a file that it reaches is no valid Python.
        """
        relative = self._relative(path)
        key = (relative, qualname)
        if key not in self._known:
            name = qualname.partition(".")[0]
            if name not in self._files.facts(relative).symbols:
                raise KeyError(qualname)
            node = self._graph.symbol(relative, name)
            self._known[key] = self._of_nodes(f"{relative}::{qualname}", [node] if node else [])
        return self._known[key]

    def of_object(self, obj: object) -> CodeFingerprint | None:
        """Fingerprint of a live function or class as it was loaded; ``None`` if it is no code of the project.

        Wrappers that say what they wrap, partials and bound methods are looked through.
        """
        return self._live.fingerprint(obj)

    def closure(self, function: object) -> dict[str, object]:
        """The values that a nested function and the nested functions that it uses close over, by readable name.

        Functions whose source is known count as code and are left out.
        """
        return Closures(self._live).of(function)

    def _relative(self, path: str) -> str:
        absolute = path if os.path.isabs(path) else self._finder.absolute(path)
        return self._finder.relative(absolute) or path

    def _facts(self, path: str) -> FileFacts:
        return self._files.facts(self._relative(path))

    def _of_nodes(self, identity: str, start: list[Node]) -> CodeFingerprint:
        """Fingerprint of everything that ``start`` leads to; ``identity`` names it."""
        reached = _reach(start)
        variant = sum(_VARIANTS[node.flag] for node in reached if node.flag in _VARIANTS)
        if variant & _VARIANTS["annotations"]:
            reached = _reach(start, hints=True)
        if any(node.flag == "source" for node in reached):
            texts = {node.file for node in reached if node.file.endswith(".py")}
            reached = _reach([*reached, *(self._graph.source_text(file) for file in texts)])
        symbols: dict[str, str] = {}
        libraries: dict[str, str] = {}
        widened: dict[str, str] = {}
        for node in reached:
            if node.digests is not None:
                symbols[node.identity] = node.digests[variant]
            elif node.library is not None:
                libraries[node.library[0]] = node.library[1]
            elif node.widened is not None:
                known = widened.get(node.file)
                widened[node.file] = "; ".join(sorted({node.widened, *(known.split("; ") if known else ())}))
        symbols = dict(sorted(symbols.items()))
        files = tuple(sorted({identity.rpartition("::")[0] for identity in symbols} - {""}))
        digest = self._digest(identity, symbols, libraries, widened)
        return CodeFingerprint(digest, symbols, dict(sorted(libraries.items())), dict(sorted(widened.items())), files)

    def _digest(
        self, identity: str, symbols: dict[str, str], libraries: dict[str, str], widened: dict[str, str]
    ) -> str:
        lines = self._lines
        parts = []
        for item in symbols.items():
            line = lines.get(item)
            if line is None:
                line = lines[item] = encode(item)
            parts.append(line)
        return digest_bytes(encode([_SCHEME, identity, len(parts), libraries, widened]) + b"".join(parts))


def _reach(start: list[Node], hints: bool = False) -> list[Node]:
    seen = dict.fromkeys(start)
    pending = list(seen)
    while pending:
        node = pending.pop()
        if node.flag == "hints" and not hints:
            continue
        for following in node.following():
            if following not in seen:
                seen[following] = None
                pending.append(following)
    return list(seen)

