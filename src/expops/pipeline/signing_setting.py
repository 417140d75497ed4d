"""How ``experiment.cache.signing`` is read: where the keys are. One that stands there by mistake is not shown."""

from __future__ import annotations

import re
from typing import Final

from .config import Signing
from .rules import Report
from .yaml_nodes import INVALID, Node

SOURCES: Final = ("env", "file")
_FORM: Final = "expected {env: VARIABLE} or {file: PATH}, which hold the keys"
_VARIABLE: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")
# 128 random bits or more in hexadecimal digits or Base64; the slashes of the latter are in paths, too.
_KEY: Final = re.compile(
    r"[0-9A-Fa-f]{32,}|(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])([A-Za-z0-9+_-]{32,}=*|[A-Za-z0-9+][A-Za-z0-9+/]{42}=?)"
)
_NO_KEY: Final = "looks like a key, and keys don't belong in the configuration; write the name of what holds it"


def read_signing(node: Node | None, report: Report) -> Signing:
    """The setting; the default if it is missing or, after reporting why without quoting it, wrong."""
    if node is None or node.value in (None, INVALID):
        return Signing()
    if not isinstance(node.value, dict) or len(node.value) != 1 or not node.value.keys() <= {*SOURCES}:
        report.at(node, f"{_FORM}, and nothing else")
        return Signing()
    ((source, place),) = node.value.items()
    name = place.value
    if not isinstance(name, str) or not name:
        report.at(place, _FORM)
    elif _KEY.fullmatch(name):
        report.at(place, _NO_KEY)
    elif source == "env" and not _VARIABLE.fullmatch(name):
        report.at(place, "expected the name of an environment variable: letters, digits and underscores")
    else:
        return Signing(source, name, place.line)
    return Signing()
