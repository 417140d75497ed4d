"""Libraries that open files in C: what an action is handed, names or declares counts although nobody sees it read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox import Sandbox, outcomes, outputs, reasons

HEAD = """
import os
from pathlib import Path
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from expops import InputFile, process, step

FOLDER = Path("data")
NAMES = {"train": "data/x.parquet"}
PROJECT = Path(os.environ["MLOPS_WORKSPACE_DIR"]) / "project"

def values(path):
    return pq.read_table(path)["x"].to_pylist()

@step
def load(source, *others):
    return values(source[0] if isinstance(source, list) else os.fspath(source))

@process()
def p(path=None):
"""


def table(path: Path, *values: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"x": list(values)}), path)


def make(
    folder: Path, body: str, *, data: tuple[str, ...] = (), parameters: dict[str, object] | None = None
) -> Sandbox:
    sandbox = Sandbox(folder / "project")
    table(sandbox.root / "data/x.parquet", 1, 2)
    table(sandbox.root / "data/parts/a.parquet", 1)
    table(sandbox.root / "data/other.parquet", 9)
    sandbox.configure([{"name": "p", "parameters": parameters or {}}])
    if data:
        path = sandbox.root / "configs/project_config.yaml"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"data": {"paths": list(data)}}))
    (sandbox.root / "src/model.py").write_text(HEAD + "    " + body + "\n")
    return sandbox


READS = [
    "return {'x': load(Path('data/x.parquet'))}",
    "return {'x': load('data/x.parquet')}",
    "return {'x': load(['data/x.parquet'], {'a': Path('data/parts')})}",
    "return {'x': load(InputFile('data/x.parquet'))}",
    "return {'x': load(PROJECT / 'data' / 'x.parquet')}",
    "return {'x': values('data/x.parquet')}",
    "return {'x': values(FOLDER / 'x.parquet')}",
    "return {'x': values(os.path.join('data', 'x.parquet'))}",
    "return {'x': values(PROJECT / 'data' / 'x.parquet')}",
    "return {'x': values(NAMES['train'])}",
    "return {'x': values(os.fspath(InputFile(os.path.join(*'data x.parquet'.split()))))}",
]
FOLDERS = [
    "return {'x': load(Path('data/parts'))}",
    "return {'x': load('data/parts')}",
    "return {'x': load(InputFile('data/parts'))}",
    "return {'x': ds.dataset('data/parts').to_table()['x'].to_pylist()}",
]


@pytest.mark.parametrize("body", READS)
def test_a_file_that_is_handed_over_or_named_counts_by_content(tmp_path: Path, body: str) -> None:
    sandbox = make(tmp_path, body)
    first = sandbox.run()
    assert outcomes(sandbox.run()) == {"p": "hit"}
    table(sandbox.root / "data/other.parquet", 10)
    assert outcomes(sandbox.run()) == {"p": "hit"}
    table(sandbox.root / "data/x.parquet", 1, 3)
    again = sandbox.run()
    assert set(outcomes(again).values()) == {"executed"}
    assert "file data/x.parquet changed" in reasons(again)["p"]
    assert outputs(again) != outputs(first)
    table(sandbox.root / "data/x.parquet", 1, 2)
    assert outcomes(sandbox.run()) == {"p": "hit"}


@pytest.mark.parametrize("body", READS[:2] + READS[3:4] + READS[5:6])
def test_results_are_found_from_another_checkout(tmp_path: Path, body: str) -> None:
    sandbox = make(tmp_path, body)
    sandbox.run()
    shutil.move(sandbox.root, tmp_path / "moved")
    assert outcomes(Sandbox(tmp_path / "moved").run()) == {"p": "hit"}


@pytest.mark.parametrize("body", FOLDERS)
def test_a_folder_counts_with_all_its_files(tmp_path: Path, body: str) -> None:
    sandbox = make(tmp_path, body)
    sandbox.run()
    assert outcomes(sandbox.run()) == {"p": "hit"}
    table(sandbox.root / "data/parts/a.parquet", 5)
    assert "file data/parts/a.parquet changed" in reasons(sandbox.run())["p"]
    table(sandbox.root / "data/parts/b.parquet", 6)
    assert "folder data/parts has other files" in reasons(sandbox.run())["p"]
    assert outcomes(sandbox.run()) == {"p": "hit"}


def test_a_parameter_that_names_a_file_counts_by_content(tmp_path: Path) -> None:
    sandbox = make(tmp_path, "return {'x': values(path)}", parameters={"path": "data/x.parquet"})
    sandbox.run()
    assert outcomes(sandbox.run()) == {"p": "hit"}
    table(sandbox.root / "data/x.parquet", 7)
    assert reasons(sandbox.run()) == {"p": "file data/x.parquet changed"}


@pytest.mark.parametrize("target", ["PROJECT / 'out.parquet'", "'out.parquet'", "PROJECT / 'data' / 'out.parquet'"])
def test_a_path_that_a_step_writes_to_is_no_input(tmp_path: Path, target: str) -> None:
    body = f"target = {target}; source = pq.read_table('data/x.parquet'); return {{'x': store(target, source)}}"
    sandbox = make(tmp_path, body)
    script = sandbox.root / "src/model.py"
    store = "@step\ndef store(path, table):\n    pq.write_table(table, path)\n    return table.num_rows\n\n"
    script.write_text(script.read_text().replace("@process", store + "@process"))
    sandbox.run()
    assert outcomes(sandbox.run()) == {"p": "hit"}
    table(sandbox.root / "data/x.parquet", 4, 5, 6)
    assert outcomes(sandbox.run())["p/store"] == "executed"
    # A file that was there before may have been read as well, so one that is written anew may run once more.
    sandbox.run()
    assert outcomes(sandbox.run()) == {"p": "hit"}


def test_declared_data_counts_for_those_who_may_read_it_unseen_only(tmp_path: Path) -> None:
    body = "return {'x': values(''.join(['da', 'ta/x.par', 'quet']))}\n\n@process()\ndef q():\n    return {'y': 1}"
    sandbox = make(tmp_path, body, data=("data/x.parquet", "data/parts"))
    text = (sandbox.root / "configs/project_config.yaml").read_text()
    document = json.loads(text)
    document["experiment"]["pipeline"]["processes"].append({"name": "q"})
    (sandbox.root / "configs/project_config.yaml").write_text(json.dumps(document))
    sandbox.run()
    assert outcomes(sandbox.run()) == {"p": "hit", "q": "hit"}
    table(sandbox.root / "data/other.parquet", 10)
    assert outcomes(sandbox.run()) == {"p": "hit", "q": "hit"}
    table(sandbox.root / "data/x.parquet", 1, 3)
    again = sandbox.run()
    assert outcomes(again) == {"p": "executed", "q": "hit"}
    assert reasons(again)["p"] == "file data/x.parquet changed"
    table(sandbox.root / "data/parts/b.parquet", 1, 3)
    assert reasons(sandbox.run())["p"] == "folder data/parts has other files"


PANDAS = [
    "import pandas as pd\nfrom expops import process\n\n@process()\ndef p():\n"
    "    return {'x': pd.read_parquet('data/x.parquet')}\n",
    "from pandas import read_parquet\nfrom expops import process, step\n\n@step\ndef load(path):\n"
    "    return read_parquet(path)\n\n@process()\ndef p():\n    return {'x': load('data/x.parquet')}\n",
    "from pandas import read_parquet as r\nfrom expops import process\n\n@process()\ndef p():\n"
    "    return {'x': r('data/x.parquet')}\n",
    "import pandas\nfrom expops import process\n\n@process()\ndef p():\n"
    "    from pandas import read_parquet as r\n    return {'x': r('data/x.parquet')}\n",
]


@pytest.mark.parametrize("source", PANDAS)
def test_pandas_reads_parquet_unseen_too(tmp_path: Path, source: str) -> None:
    sandbox = make(tmp_path, "")
    (sandbox.root / "src/model.py").write_text(source)
    sandbox.run()
    assert outcomes(sandbox.run()) == {"p": "hit"}
    table(sandbox.root / "data/x.parquet", 7)
    assert reasons(sandbox.run())["p"] == "file data/x.parquet changed"


def test_text_is_no_file_where_all_reading_is_seen(tmp_path: Path) -> None:
    sandbox = make(tmp_path, "")
    (sandbox.root / "src/model.py").write_text(
        "from expops import process\n\n@process()\ndef p(path):\n    return {'x': path + 'data/other.parquet'}\n"
    )
    sandbox.configure([{"name": "p", "parameters": {"path": "data/x.parquet"}}])
    sandbox.run()
    table(sandbox.root / "data/x.parquet", 7)
    table(sandbox.root / "data/other.parquet", 7)
    assert outcomes(sandbox.run()) == {"p": "hit"}
