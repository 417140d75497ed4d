"""Watching ends with the interpreter, quietly."""

from __future__ import annotations

import subprocess
import sys

# Libraries keep modules alive, whose variables are then None while other objects are still taken down.
SCRIPT = """
import ctypes, sys, types
early = types.ModuleType("early")
sys.modules["early"] = early
exec("class Late:\\n    def __del__(self, open=open):\\n        open('/dev/null').close()\\nlate = Late()", vars(early))
import expops.cache.observe as observe
observe.install()
for module in (early, observe):
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(module))
"""


def test_files_opened_as_the_interpreter_ends_are_no_trouble() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
