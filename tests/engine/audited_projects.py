"""Runs projects with the audit of code, under a Python that has it: reads ``{name: {path: text}}``, prints findings.

``python audited_projects.py projects FILE`` for projects with a process ``p`` in ``src/model.py``;
``functions FILE`` for folders whose ``src/m.py`` has a function ``f``, which is called if it can be imported.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from expops.engine.audit import CodeAudit
from expops.hashing.code import ProjectCode
from sandbox import Sandbox

Finding = list[Any]


def run_project(root: Path, files: Mapping[str, str]) -> Finding | str:
    """What its actions ran that isn't followed; a text if it failed."""
    sandbox = Sandbox(root)
    for path, text in files.items():
        sandbox.write(path, text)
    sandbox.configure(["p"])
    result = sandbox.run(audit=True)
    if result.run.status != "done":
        return "\n".join(action.error for action in result.actions)
    return [[action.path, *found] for action in result.actions for found in action.unfollowed]


def call_function(root: Path, files: Mapping[str, str]) -> Finding | str:
    """What ``f`` ran that isn't followed; a text if its module can't be imported."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    sys.path[:0] = [os.fspath(root), os.fspath(root / "src")]
    code = ProjectCode(os.fspath(root))
    audit = CodeAudit(code)
    with audit.action() as ran, contextlib.redirect_stdout(sys.stderr):
        try:
            with audit.importing():
                function = importlib.import_module("src.m").f
        except BaseException as error:
            return repr(error)
        for arguments in ((), (1,), ([1],), ("a",), (1, 1), (len,)):
            with contextlib.suppress(BaseException):
                result = function(*arguments)
                for use in (list, _called):
                    with contextlib.suppress(BaseException):
                        use(result)
    return [list(found) for found in audit.unfollowed(ran, [code.fingerprint("src/m.py", "f")])]


def _called(result: Any) -> None:
    result()


def in_child(work: Callable[[Path, Mapping[str, str]], Finding | str], files: Mapping[str, str]) -> Finding | str:
    """The result of work that leaves modules behind."""
    with tempfile.TemporaryDirectory() as folder:
        child = os.fork()
        if not child:
            (Path(folder) / "found.json").write_text(json.dumps(work(Path(folder) / "project", files)))
            os._exit(0)
        os.waitpid(child, 0)
        found = Path(folder) / "found.json"
        return json.loads(found.read_text()) if found.exists() else "ended without a result"


if __name__ == "__main__":
    works = {"projects": run_project, "functions": call_function}
    given = json.loads(Path(sys.argv[2]).read_text())
    json.dump({name: in_child(works[sys.argv[1]], files) for name, files in given.items()}, sys.stdout)
