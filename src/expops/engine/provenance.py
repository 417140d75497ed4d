"""Where the code stood: the git commit of the project's folder, and whether anything there is not committed."""

from __future__ import annotations

import os


class GitState:
    """Asks git in the background, since a run has better things to do than to wait for it."""

    def __init__(self, folder: str) -> None:
        self._pid = 0
        self._output = -1
        if _in_checkout(folder):
            self._start(folder)

    def _start(self, folder: str) -> None:
        output, inner = os.pipe()
        quiet = os.open(os.devnull, os.O_RDWR)
        command = ["git", "-C", folder, "status", "--porcelain=v2", "--branch", "--untracked-files=normal"]
        # GIT_OPTIONAL_LOCKS: looking must not write to the user's repository.
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
        actions = [
            (os.POSIX_SPAWN_DUP2, quiet, 0),
            (os.POSIX_SPAWN_DUP2, inner, 1),
            (os.POSIX_SPAWN_DUP2, quiet, 2),
        ]
        try:
            self._pid = os.posix_spawnp("git", command, environment, file_actions=actions)
            self._output = output
        except OSError:
            # No git on this machine: the record says that nothing is known.
            os.close(output)
        finally:
            os.close(inner)
            os.close(quiet)

    def result(self) -> tuple[str, bool | None]:
        """Commit (empty if unknown) and whether the tree differs from it (``None`` if unknown)."""
        if not self._pid:
            return "", None
        with open(self._output, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        if status != 0:
            return "", None
        commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), "")
        dirty = any(not line.startswith("#") for line in lines)
        return ("" if commit == "(initial)" else commit), dirty


def _in_checkout(folder: str) -> bool:
    while True:
        if os.path.exists(os.path.join(folder, ".git")):
            return True
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder = parent
