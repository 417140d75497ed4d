"""Code that is in no file: cells of a notebook, in a real kernel, and lines typed at a real prompt."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

SOURCE = Path(__file__).parents[2] / "src"


class Kernel:
    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    def run(self, cell: str) -> str:
        """What a cell prints, errors included."""
        out: list[str] = []

        def take(message: dict[str, dict[str, str]]) -> None:
            content = message["content"]
            out.append(content.get("text") or "\n".join(content.get("traceback", ())))

        self._client.execute_interactive(cell, timeout=60, output_hook=take)
        return "".join(out).strip()


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    manager = KernelManager()
    manager.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager.start_kernel(cwd=str(tmp_path), env={**os.environ, "PYTHONPATH": str(SOURCE), "IPYTHONDIR": str(tmp_path)})
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


CACHE = "import expops\ncache = expops.Cache('.cache')"
HELPER = "K = 10\ndef helper(x):\n    return x * 2"
OBJECT = (
    "import dataclasses, functools\nLESS = 1\n@dataclasses.dataclass\nclass Model:\n"
    "    parts: list = dataclasses.field(default_factory=list)\n    def h(self, x):\n        return x - LESS"
)
STEP = "@cache.step\ndef s(x):\n    return helper(x) + K + Model().h(x)"
CALL = "print(s(3), cache.hits, cache.executed)"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_cells_of_a_notebook(kernel: Kernel) -> None:
    for cell in (CACHE, HELPER, OBJECT, STEP):
        assert kernel.run(cell) == ""
    assert kernel.run(CALL) == "18 0 1"
    assert kernel.run(CALL) == "18 1 1"
    # The same cells again, as whoever restarts or goes back runs them: nothing has changed.
    for cell in (HELPER, OBJECT, STEP):
        kernel.run(cell)
    assert kernel.run(CALL) == "18 2 1"
    kernel.run(HELPER.replace("def helper(x):", "def helper(x):\n    '''Doubles.'''  # a comment"))
    assert kernel.run(CALL) == "18 3 1"
    kernel.run(HELPER.replace("* 2", "* 3"))
    assert kernel.run(CALL) == "21 3 2"
    kernel.run("K = 20")
    assert kernel.run(CALL) == "31 3 3"
    kernel.run("LESS = 2")
    assert kernel.run(CALL) == "30 3 4"
    kernel.run(OBJECT.replace("x - LESS", "x + LESS"))
    assert kernel.run(CALL) == "33 3 5"
    kernel.run(STEP.replace("+ K", "- K"))
    assert kernel.run(CALL) == "-7 3 6"
    for cell in (HELPER, OBJECT, STEP):
        kernel.run(cell)
    assert kernel.run(CALL) == "18 4 6"


class Prompt:
    """``python -i`` on a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TERM": "dumb", "PYTHON_BASIC_REPL": "1"}
        self._screen, inside = pty.openpty()
        command = [sys.executable, "-i", "-q"]
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=inside, stdout=inside, stderr=inside, close_fds=True
        )
        os.close(inside)
        self._read_to(">>> ")

    def type(self, text: str) -> str:
        """The output of a statement."""
        lines = text.split("\n")
        found = ""
        for line in lines if len(lines) == 1 else [*lines, ""]:
            os.write(self._screen, f"{line}\n".encode())
            found = self._read_to(">>> ", "... ")
        return found.partition("\n")[2].rpartition("\n")[0].strip()

    def _read_to(self, *ends: str) -> str:
        found = ""
        limit = time.monotonic() + 60
        while not found.endswith(ends) and time.monotonic() < limit:
            if select.select([self._screen], [], [], 0.2)[0]:
                found += os.read(self._screen, 4096).decode().replace("\r\n", "\n")
        assert found.endswith(ends), found
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reload", ["import importlib; importlib.reload(lib)", "%autoreload"])
def test_a_module_that_is_loaded_anew_under_a_notebook(kernel: Kernel, tmp_path: Path, reload: str) -> None:
    def write(factor: int) -> None:
        (tmp_path / "lib.py").write_text(f"def helper(x):\n    return x * {factor:09}\n".replace("* 0", "* 1"))

    (tmp_path / "steps.py").write_text("import lib\ndef s(x):\n    return lib.helper(x)\n")
    write(2)
    kernel.run(CACHE + "\nimport lib, steps\nin_file = cache.step(steps.s)")
    kernel.run("%load_ext autoreload")
    kernel.run("@cache.step\ndef in_cell(x):\n    return lib.helper(x)")
    call = "print(in_file(1), in_cell(1), cache.hits, cache.executed)"
    assert kernel.run(call) == "100000002 100000002 0 2"
    assert kernel.run(call) == "100000002 100000002 2 2"
    write(3)
    os.utime(tmp_path / "lib.py", (2_000_000_000, 2_000_000_000))
    assert kernel.run(reload + "\n" + call).endswith("100000003 100000003 2 4")
    assert kernel.run(call) == "100000003 100000003 4 4"


@pytest.fixture
def prompt(tmp_path: Path) -> Iterator[Prompt]:
    made = Prompt(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
def test_lines_at_a_prompt(prompt: Prompt) -> None:
    for line in CACHE.split("\n"):
        prompt.type(line)
    prompt.type("K = 10")
    helper = HELPER.partition("\n")[2]
    step = "@cache.step\ndef s(x):\n    return helper(x) + K"
    prompt.type(helper)
    prompt.type(step)
    assert prompt.type(CALL) == "16 0 1"
    assert prompt.type(CALL) == "16 1 1"
    prompt.type(helper)
    prompt.type(step)
    assert prompt.type(CALL) == "16 2 1"
    prompt.type(helper.replace("* 2", "* 3"))
    assert prompt.type(CALL) == "19 2 2"
    prompt.type("K = 20")
    assert prompt.type(CALL) == "29 2 3"
    prompt.type("K = 10")
    prompt.type(helper)
    assert prompt.type(CALL) == "16 3 3"
