"""Fingerprints of a project's code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...errors import SourceError
from ..canonical import digest_of
from ..digest import digest_bytes
from .closure import Closures
from .facts import FileFacts, function_facts
from .files import Files
from .finder import Finder
from .graph import Graph, Node
from .imported import imported_with
from .judge import Judge
from .libraries import Libraries
from .model import CodeFingerprint, FunctionFacts, Memo

if TYPE_CHECKING:
    from types import CodeType

    from .coverage import Coverage
    from .live import Live

# Part of every fingerprint: raise it when the same code gets another digest on purpose.
_SCHEME = 1


class ProjectCode:
    """The code of one project, as it is on disk when first looked at.

    ``root`` is the project's folder, ``import_roots`` the folders on ``sys.path`` for its code (default: ``root``
    and ``root/src``). With a ``memo``, files that have not changed are not parsed again. ``main`` is the absolute path
    of the script that runs now: its definitions count as any, its top-level statements with effects do not.
    ``libraries``, one of :data:`~expops.hashing.code.versions.POLICIES`, says how much of libraries' versions counts.
    """

    def __init__(
        self,
        root: str,
        *,
        import_roots: Sequence[str] = (),
        memo: Memo | None = None,
        main: str | None = None,
        libraries: str = "exact",
    ) -> None:
        self._finder = Finder(root, import_roots)
        self._files = Files(self._finder, memo)
        self._graph = Graph(self._files, self._finder, Libraries(memo))
        self._graph.main = (self._finder.relative(main) or "") if main is not None else ""
        self._judge = Judge(self._graph)
        self._known: dict[tuple[str, str], CodeFingerprint] = {}
        self._relatives: dict[str, str] = {}
        self._closures = Closures(self._graph, libraries)
        self._loaded: Live | None = None
        self._coverage: Coverage | None = None

    def functions(self, path: str) -> dict[str, FunctionFacts]:
        """Top-level functions of a project file, by name.

        Raises :class:`~expops.errors.SourceError` if the file is no valid Python.
        """
        return {name: function_facts(list(facts)) for name, facts in self._facts(path).functions.items()}

    def symbols(self, path: str) -> list[str]:
        """All names that the top level of a project file binds other than by imports, sorted."""
        return sorted(self._facts(path).symbols)

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
            assert node is not None  # the file has that symbol
            self._known[key] = self._of_node(f"{relative}::{qualname}", node)
        return self._known[key]

    def called(self, reached: CodeFingerprint, name: str, like: str = "") -> list[tuple[str, CodeFingerprint]]:
        """The functions called ``name`` in the code that ``reached`` is of: qualified names and fingerprints.

        They are those that :meth:`of_object` gives once the source is loaded. ``like`` is the qualified name that it
        had before, which may be a method's: then its class counts as a whole. Nothing is imported.
        """
        outer, _, _ = like.rpartition(".")
        found = []
        for path in (path for path in reached.files if path.endswith(".py")):
            symbols = self._facts(path).symbols
            if name in self._facts(path).functions and f"{path}::{name}" in reached.symbols:
                found.append((name, self.fingerprint(path, name)))
            top = outer.partition(".")[0]
            if outer and "<" not in outer and f"{path}::{top}" in reached.symbols and top in symbols:
                found.append((f"{outer}.{name}", self.fingerprint(path, top)))
            for index, record in enumerate(self._files.nested(path)):
                first, last = record.qualname.partition(".")[0], record.qualname.rpartition(".")[2]
                if last == name and f"{path}::{first}" in reached.symbols:
                    node = self._graph.nested(path, index)
                    found.append((record.qualname, self._of_node(node.identity, node)))
        return found

    def is_own(self, path: str) -> bool:
        """Whether a file is code of the project: below its root, and in no environment or installed package."""
        return self._finder.is_project(path)

    def absolute(self, path: str) -> str:
        """The absolute path of a project-relative file."""
        return self._finder.absolute(path)

    def content(self, path: str) -> str:
        """Digest of the bytes of a project file, as fingerprints see it. Raises :class:`~expops.errors.SourceError`."""
        return self._facts(path).content

    def texts(self, symbols: Iterable[str]) -> dict[str, list[str]]:
        """Constant text in the definitions of ``symbols``, such as ``src/lib.py::clean``, by file."""
        from .texts import texts_of  # needs ast; of interest only when an action executes

        return {file: texts_of(self._files.source(file), file, names) for file, names in self._by_file(symbols).items()}

    def names(self, symbols: Iterable[str]) -> frozenset[str]:
        """The last parts of all names that the definitions of ``symbols`` use: ``read_csv`` of ``pd.read_csv``."""
        found: set[str] = set()
        for file, names in self._by_file(symbols).items():
            facts = self._files.facts(file)
            for name in names:
                known = facts.symbols.get(name)
                for reference in known.code.references if known is not None else ():
                    found.add(re.split(r"[.|:]", reference)[-1])
                found.update(target for _, target in facts.imports.get(name, ()))
        return frozenset(found)

    def _by_file(self, symbols: Iterable[str]) -> dict[str, set[str]]:
        """The top-level names among ``symbols`` by file, of files that can be read."""
        found: dict[str, set[str]] = {}
        for symbol in symbols:
            file, _, name = symbol.rpartition("::")
            if file.endswith(".py"):
                found.setdefault(file, set()).add(name.partition(".")[0])
        return {file: found[file] for file in sorted(found) if self._is_readable(file)}

    def _is_readable(self, file: str) -> bool:
        try:
            self._files.facts(file)
        except SourceError:
            return False
        return True

    def source(self, path: str) -> bytes | None:
        """The bytes of a project file as fingerprints see it; ``None`` if it can't be read or was edited since."""
        try:
            text = self._files.source(self._relative(path))
            return text if digest_bytes(text) == self.content(path) else None
        except SourceError:
            return None

    def named(self, identity: str) -> CodeFingerprint | None:
        """Fingerprint of what a symbol such as ``src/lib.py::fit`` names, nested definitions included.

        ``None`` if there is no such thing, or more than one. Raises :class:`~expops.errors.SourceError`.
        """
        path, _, name = identity.rpartition("::")
        if name in self._facts(path).symbols:
            return self.fingerprint(path, name)
        found = [index for index, record in enumerate(self._files.nested(path)) if record.qualname == name]
        node = self._graph.nested(path, found[0]) if len(found) == 1 else None
        return self._of_node(node.identity, node) if node is not None else None

    def imported_with(self, paths: Iterable[str]) -> dict[str, str]:
        """``paths`` and all project files that importing them executes, with the digests of their bytes.

        Raises :class:`~expops.errors.SourceError` for a file that can't be read.
        """
        found: set[str] = set()
        for path in paths:
            if path not in found:
                found |= imported_with(self._relative(path), self._files, self._finder)
        return {path: self._bytes(path) for path in sorted(found)}

    def _bytes(self, path: str) -> str:
        try:
            return self._files.facts(path).content if path.endswith(".py") else self._files.digest(path)
        except SourceError:
            return self._files.digest(path)  # no Python, and yet its bytes count

    def forget_loaded(self) -> None:
        """Let go of all that is known of loaded objects, since modules are about to be loaded anew."""
        self._loaded = None

    def of_object(self, obj: object) -> CodeFingerprint | None:
        """Fingerprint of a live function, class or module as it was loaded; ``None`` if it is no code of the project.

        Wrappers that say what they wrap, partials and bound methods are looked through.
        """
        return self._live().fingerprint(obj)

    def closure(self, function: object) -> dict[str, object]:
        """The values that a nested function and the nested functions that it uses close over, by readable name.

        Functions whose source is known count as code and are left out.
        """
        from .captured import Captured  # what concerns loaded code, a plan does without

        return Captured(self._live()).of(function)

    def source_file(self, path: str) -> str | None:
        """The project-relative path of a source file of the project, given its absolute one; ``None`` for others."""
        return self._live().sources.project_path(path)

    def symbols_of(self, file: str, code: CodeType) -> frozenset[str]:
        """The symbols that code loaded from a project-relative ``file`` is part of.

        A fingerprint that has any of them among its ``symbols`` is another one when that code is.
        """
        if self._coverage is None:
            from .coverage import Coverage  # needs ast, and is for checks

            self._coverage = Coverage(self._files, self._judge)
        return self._coverage.symbols(file, code)

    def _live(self) -> Live:
        from .live import Live  # what concerns loaded code, a plan does without

        if self._loaded is None:
            self._loaded = Live(self._files, self._finder, self._graph, self._of_node)
        return self._loaded

    def _relative(self, path: str) -> str:
        if path not in self._relatives:
            absolute = path if os.path.isabs(path) else self._finder.absolute(path)
            self._relatives[path] = self._finder.relative(absolute) or path
        return self._relatives[path]

    def _facts(self, path: str) -> FileFacts:
        return self._files.facts(self._relative(path))

    def _of_node(self, identity: str, node: Node) -> CodeFingerprint:
        """Fingerprint of ``node`` with everything that it leads to; ``identity`` names it."""
        following = node.following()
        rest = self._closures.of(following)
        symbols = rest.symbols
        own = ""
        if node.digests is not None:
            own = node.digests[rest.variant]
            symbols = {node.identity: own, **symbols}
        files = rest.files if node.file in ("", *rest.files) else tuple(sorted({node.file, *rest.files}))
        digest = digest_of([_SCHEME, identity, own, rest.digest])
        return CodeFingerprint(
            digest, symbols, rest.libraries, rest.counted, rest.widened, files, rest.streams, rest.modules
        )
