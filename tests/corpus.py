"""Well-known packages of pure Python, copied so that they look like code of a project."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

# All come with the libraries that the tests need anyway; of each kind one: a console, a property tester, a test
# runner full of hooks, workers and pickles, a command line made of decorators, a parser of metaclasses.
PACKAGES = ("rich", "hypothesis", "_pytest", "joblib", "click", "pyparsing")


def copy(name: str, root: Path) -> Path:
    """The package ``name`` as the only one in the folder ``root``."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    (source,) = spec.submodule_search_locations
    shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.so", "tests", "test"))
    return root


def files(root: Path) -> list[str]:
    """Its Python files, relative to the folder."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py"))
