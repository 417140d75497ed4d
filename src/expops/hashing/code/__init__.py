"""Code fingerprints: what a function's result depends on, read from source, symbol by symbol.

A file is read once into facts (:mod:`.reader`, the only part that parses), facts are linked into a graph of symbols
(:mod:`.graph`), and a fingerprint is what one traversal reaches (:mod:`.project`). Where static reading gives up,
the whole file counts. Live functions are checked against their file (:mod:`.live`).
"""

from .model import CodeFingerprint, FunctionFacts, Memo, Option, Parameter, changes, option_change
from .project import ProjectCode

__all__ = ["CodeFingerprint", "FunctionFacts", "Memo", "Option", "Parameter", "ProjectCode", "changes", "option_change"]
