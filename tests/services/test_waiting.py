"""How often a run waits for a remote KV store: by generations of the pipeline, not by processes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from proxy import Proxy, proxied
from servers import firestore_server, postgresql_server, redis_server
from test_shared_kv import outcomes, run

pytestmark = pytest.mark.service


@pytest.fixture(params=[redis_server, postgresql_server, firestore_server])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[str, Proxy]]:
    with request.param() as url, proxied(url if "://" in url else f"http://{url}") as (through, proxy):
        through = through.replace("//127", "//postgres@127") if url.startswith("postgresql") else through
        parts = f"type: firestore, endpoint: '{through}'" if "://" not in url else ""
        kind = "redis" if url.startswith("redis") else "postgresql"
        yield f"{{{parts or f'type: {kind}, url: {through!r}'}}}", proxy


def pipeline(root: Path, backend: str, generations: int, width: int) -> Path:
    """Processes in rows of ``width``, each of which takes what the one above it gives."""
    names = [[f"p{row}_{column}" for column in range(width)] for row in range(generations)]
    edges = [f"{above} {below}" for upper, lower in pairwise(names) for above, below in zip(upper, lower, strict=True)]
    model = ["from expops import process"]
    for row, line in enumerate(names):
        for column, name in enumerate(line):
            taken = f"x{row - 1}_{column}" if row else ""
            model.append(f"@process()\ndef {name}({taken}):\n    return {{'x{row}_{column}': {taken or column}}}")
    config = [
        "metadata: {name: trips}",
        "scripts: {main: src/model.py}",
        "experiment:",
        f"  cache: {{backend: {backend}}}",
        "  pipeline:",
        "    process_adjlist: |",
        *(f"      {edge}" for edge in edges or names[0]),
        "    processes:",
        *(f"      - {{name: {name}}}" for line in names for name in line),
    ]
    for path, lines in (("configs/project_config.yaml", config), ("src/model.py", model)):
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text("\n".join(lines) + "\n")
    return root


def counted(root: Path, proxy: Proxy, outcome: str) -> int:
    before = proxy.round_trips
    document, told = run(root)
    assert set(outcomes(document).values()) == {outcome}
    assert "warning" not in told
    return proxy.round_trips - before


def test_a_no_op_asks_as_often_however_many_processes_there_are(served: tuple[str, Proxy], tmp_path: Path) -> None:
    backend, proxy = served
    found = []
    for rows, width in ((1, 1), (6, 1), (1, 8)):
        own = backend.replace("}", f", prefix: t{rows}x{width}}}")
        root = pipeline(tmp_path / f"{rows}-{width}", own, rows, width)
        counted(root, proxy, "executed")
        found.append(counted(root, proxy, "hit"))
    assert found[0] == max(found)
