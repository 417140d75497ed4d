"""A YAML document as plain nodes that know their line, read strictly and within bounds.

Reads events, not PyYAML's objects, so that nothing is constructed, nesting and aliases are bounded, and one
pass finds every fault. What is refused: tags beyond the core schema, duplicate keys, keys that are not text,
several documents, dates. Anchors and merge keys (``<<``) work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..errors import Problem
from .yaml_scalars import CORE, BadScalar, Scalar, construct, plain_tag

if TYPE_CHECKING:
    import yaml

MAX_BYTES: Final = 4 << 20
MAX_DEPTH: Final = 50
MAX_VALUES: Final = 500_000
MAX_EXPANDED: Final = 100_000

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SCALAR_TAGS: Final = frozenset({"str", "int", "float", "bool", "null"})
# libyaml gives up on its own at a depth that newer PyYAML (6.0.4) sets, before the events reach ours.
_TOO_DEEP: Final = "exceeded maximum nesting depth"
_HINTS: Final = {
    "mapping values are not allowed in this context": "quote a text that holds ': '",
    "could not find expected ':'": "is a ':' missing, or a quote not closed?",
    "found unexpected end of stream": "is a quote or a bracket not closed?",
    "did not find expected key": "is the line indented like its neighbours?",
    "did not find expected '-' indicator": "is the line indented like its neighbours?",
}


class _Invalid:
    """Marks a value that was reported already, so that it is not reported again."""

    __slots__ = ()


INVALID: Final = _Invalid()
Value: TypeAlias = "Scalar | list[Node] | dict[str, Node] | _Invalid"


class Node:
    """A value of the document.

    ``line`` is the line of its key, or of the item itself in a list. ``raw`` is a scalar's text as written.
    ``text_line`` is the line on which a scalar's text begins; ``literal`` says that each line of the text is
    one of the file (``|``), and ``joined`` that YAML joined several lines of the file into one. ``size``
    counts the nodes in it, aliases expanded.
    """

    __slots__ = ("joined", "key", "line", "literal", "parent", "raw", "size", "text_line", "value")

    def __init__(self, value: Value, line: int, parent: Node | None = None, key: str | int = "") -> None:
        self.value = value
        self.line = line
        self.parent = parent
        self.key = key
        self.raw = ""
        self.text_line = line
        self.literal = False
        self.joined = False
        self.size = 1

    @property
    def path(self) -> str:
        """Dotted path as written; an item of a list goes by its ``name``, or else by its number."""
        if self.parent is None:
            return ""
        key = str(self.key)
        if isinstance(self.key, int):
            name = self.value.get("name") if isinstance(self.value, dict) else None
            named = name is not None and isinstance(name.value, str) and name.value
            key = str(named or self.key)
        above = self.parent.path
        return f"{above}.{key}" if above else key

    def kind(self) -> str:
        """What the value is, in words for messages."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        if self.value is None:
            return "nothing"
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, int | float):
            return f"the number {self.raw or self.value}"
        shown = self.raw if len(self.raw) <= 40 else f"{self.raw[:40]}..."
        return f"the text '{shown}'"

    def plain(self) -> object:
        """The value without nodes: dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return None if isinstance(self.value, _Invalid) else self.value


class _Stop(Exception):
    """Reading can't go on."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def parse(data: bytes, file: str) -> tuple[Node | None, list[Problem]]:
    """The one document in ``data`` (``None`` if it can't be read or there is none) and all its faults."""
    if len(data) > MAX_BYTES:
        return None, [Problem(file, 0, "", f"larger than {MAX_BYTES >> 20} MiB; a configuration is a small text")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return None, [Problem(file, line, "", "not UTF-8 text; save the file as UTF-8")]
    control = _FORBIDDEN.search(text)
    if control is not None:
        line = text.count("\n", 0, control.start()) + 1
        code = f"U+{ord(control.group()):04X}"
        return None, [Problem(file, line, "", f"the control character {code} is not allowed in YAML; remove it")]
    return _read(text, file)


def _read(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    import yaml  # 15 ms, and a run that finds its configuration in the memo needs none of it

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    reader = _Reader(yaml.parse(text, Loader=loader), text, file)
    root: Node | None = None
    try:
        root = reader.document()
    except _Stop as stop:
        reader.problems.append(Problem(file, stop.line, "", stop.message))
    except yaml.MarkedYAMLError as error:
        reader.problems.append(_syntax(error, text, file))
    except yaml.YAMLError as error:
        reader.problems.append(Problem(file, 0, "", f"not valid YAML: {error}"))
    return root, reader.problems


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 0
    lines = text.splitlines()
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())] or written.lstrip(" -?:").startswith("\t"):
        return Problem(file, line, "", "not valid YAML: a tab in the indentation; indent with spaces")
    what = error.problem or "syntax error"
    if what == _TOO_DEEP:
        return Problem(file, line, "", f"nested more than {MAX_DEPTH} deep")
    hint = _HINTS.get(what)
    return Problem(file, line, "", f"not valid YAML: {what}; {hint}" if hint else f"not valid YAML: {what}")


class _Reader:
    """Builds nodes from the events of a YAML stream."""

    def __init__(self, events: Iterator[Any], text: str, file: str) -> None:
        from yaml.resolver import Resolver

        self.problems: list[Problem] = []
        self._lines = text.split("\n")
        self._events = events
        self._file = file
        self._resolver: Any = Resolver()
        self._anchors: dict[str, Node | None] = {}
        self._values = 0
        self._expanded = 0

    def document(self) -> Node | None:
        """The document; a second one is reported."""
        next(self._events)
        event = next(self._events)
        if _is(event, "StreamEnd"):
            return None
        root = self._node(next(self._events), None, "", None, 0)
        next(self._events)
        event = next(self._events)
        if not _is(event, "StreamEnd"):
            line = event.start_mark.line + 1
            raise _Stop(line, "a second document begins here; a configuration is one document: remove the '---'")
        return root

    def _report(self, node: Node, message: str) -> None:
        self.problems.append(Problem(self._file, node.line, node.path, message))

    def _node(self, event: Any, parent: Node | None, key: str | int, line: int | None, depth: int) -> Node:
        node = Node(None, line or event.start_mark.line + 1, parent, key)
        if _is(event, "Alias"):
            self._alias(event, node)
            return node
        self._values += 1
        if self._values > MAX_VALUES:
            raise _Stop(node.line, f"more than {MAX_VALUES} values; keep data in files under 'data'")
        if depth > MAX_DEPTH:
            raise _Stop(node.line, f"nested more than {MAX_DEPTH} deep")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        tag = self._tag(event, node)
        if _is(event, "Scalar"):
            self._scalar(event, node, tag)
        elif _is(event, "SequenceStart"):
            self._sequence(node, depth)
        else:
            self._mapping(node, depth)
        if tag is None:
            node.value = INVALID
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, node: Node) -> None:
        target = self._anchors.get(event.anchor)
        if target is None:
            inside = "stands inside itself" if event.anchor in self._anchors else "has no anchor before it"
            self._report(node, f"the alias *{event.anchor} {inside}")
            node.value = INVALID
            return
        self._expanded += target.size
        if self._expanded > MAX_EXPANDED:
            raise _Stop(node.line, f"aliases expand to more than {MAX_EXPANDED} values; write them out")
        for slot in ("value", "raw", "text_line", "literal", "joined", "size"):
            setattr(node, slot, getattr(target, slot))

    def _tag(self, event: Any, node: Node) -> str | None:
        """The tag's name in the core schema (``""``: none is written), or ``None`` for a refused one."""
        tag: str | None = event.tag
        if tag is None:
            return ""
        if tag == "!":
            return "str" if _is(event, "Scalar") else ""
        name = tag.removeprefix(CORE)
        allowed: frozenset[str] = _SCALAR_TAGS
        if not _is(event, "Scalar"):
            allowed = frozenset({"seq"} if _is(event, "SequenceStart") else {"map"})
        if tag.startswith(CORE) and name in allowed:
            return name
        shown = f"!!{name}" if tag.startswith(CORE) else tag
        self._report(
            node,
            f"the tag {shown} is refused: a configuration is plain data, and tags can run code; remove it",
        )
        return None

    def _scalar(self, event: Any, node: Node, tag: str | None) -> None:
        start, end = event.start_mark.line + 1, event.end_mark.line + 1
        node.raw = event.value
        node.text_line = start + 1 if event.style == "|" else start
        node.literal = event.style == "|"
        if event.style != "|" and end > start:
            first = start if event.style == ">" else start - 1
            node.joined = _joins(self._lines[first : end - (event.style == ">")])
        try:
            node.value = construct(event.value, tag or self._implicit(event))
        except BadScalar as error:
            self._report(node, str(error))
            node.value = INVALID

    def _implicit(self, event: Any) -> str:
        if not event.implicit[0]:
            return "str"
        import yaml

        return plain_tag(event.value, str(self._resolver.resolve(yaml.ScalarNode, event.value, (True, False))))

    def _sequence(self, node: Node, depth: int) -> None:
        items: list[Node] = []
        node.value = items
        event = next(self._events)
        while not _is(event, "SequenceEnd"):
            child = self._node(event, node, len(items), None, depth + 1)
            items.append(child)
            node.size += child.size
            event = next(self._events)

    def _mapping(self, node: Node, depth: int) -> None:
        entries: dict[str, Node] = {}
        node.value = entries
        merged: list[Node] = []
        event = next(self._events)
        while not _is(event, "MappingEnd"):
            line = event.start_mark.line + 1
            key = self._key(event, node, depth)
            child = self._node(next(self._events), node, "?" if key is None else key, line, depth + 1)
            node.size += child.size
            if key == "<<" and _is(event, "Scalar") and event.implicit[0]:
                merged.append(child)
            elif key is not None and key in entries:
                self._report(child, f"duplicate key; it stands on line {entries[key].line} already")
            elif key is not None:
                entries[key] = child
            event = next(self._events)
        for child in merged:
            self._merge(entries, child)

    def _key(self, event: Any, node: Node, depth: int) -> str | None:
        """A key's text, or ``None`` after reporting one that is no text."""
        key = self._node(event, node, "?", None, depth + 1)
        if isinstance(key.value, str):
            return key.value
        if isinstance(key.value, dict | list):
            self._report(key, "a key must be text, not a list or mapping")
        elif key.value is not INVALID:
            means = key.kind() if key.raw else "nothing"
            mend = f"quote it: '{key.raw}'" if key.raw else "give it a name"
            self._report(key, f"the key {key.raw or '(empty)'} reads as {means} in YAML; {mend}")
        return None

    def _merge(self, entries: dict[str, Node], source: Node) -> None:
        """Merge key: entries that the mapping has itself win, then earlier sources."""
        sources = source.value if isinstance(source.value, list) else [source]
        for one in sources:
            if isinstance(one.value, dict):
                for key, child in one.value.items():
                    entries.setdefault(key, child)
            elif one.value is not INVALID:
                self._report(source, f"<< merges mappings, found {one.kind()}")


def _joins(rows: list[str]) -> bool:
    """Whether YAML joins some of these lines of a text by a blank.

    It does where neither an empty line between them nor a backslash at the end of the first keeps them apart.
    """
    return any(one.strip() and other.strip() and not one.endswith("\\") for one, other in pairwise(rows))


def _is(event: Any, kind: str) -> bool:
    """Whether an event is of a kind, by name: the classes would need yaml at import."""
    return type(event).__name__ == f"{kind}Event"
