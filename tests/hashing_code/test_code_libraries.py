"""Which library a name comes from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy
import pytest
from projects import DictMemo, fingerprint, write

from expops.hashing.code import CodeFingerprint


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "lib" / "site-packages"
    site.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, os.fspath(site)])
    return site


def install(site: Path, name: str, version: str, *files: str, **extra: str) -> None:
    info = site / f"{name}-{version}.dist-info"
    record = "".join(f"{file},sha256=x,1\n" for file in files)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    write(info, {"RECORD": record, "METADATA": metadata, **{k.replace("_json", ".json"): v for k, v in extra.items()}})
    write(site, dict.fromkeys(files, ""))


def of(tmp_path: Path, source: str, memo: DictMemo | None = None) -> CodeFingerprint:
    return fingerprint(write(tmp_path / "project", {"src/m.py": source}), memo=memo)


def test_name_and_version_of_what_is_used(tmp_path: Path) -> None:
    found = of(
        tmp_path, "import numpy as np\nimport pandas, os, json\nimport expops\ndef f(): return np.ones(1), os, expops\n"
    )
    assert found.libraries == {"numpy": numpy.__version__}


@pytest.mark.parametrize(
    ("source", "library"),
    [
        ("import expops\ndef f(): return expops.rng('split').random()\n", "numpy"),
        ("from expops import rng\ndef f(): return rng()\n", "numpy"),
        ("import expops\ndef f(): return expops.torch_generator()\n", "torch"),
        ("from expops.torch import DataLoader\ndef f(x): return DataLoader(x)\n", "torch"),
        ("import expops as e\ndef f(): return e.jax_key()\n", "jax"),
        ("import expops\ndef f(): return expops.seed()\n", ""),
    ],
)
def test_the_libraries_behind_seeds_and_generators(tmp_path: Path, site: Path, source: str, library: str) -> None:
    for name in ("jax", "torch"):
        install(site, name, "1.0", f"{name}/__init__.py")
    assert list(of(tmp_path, source).libraries) == ([library] if library else [])


def test_a_module_named_unlike_its_distribution(tmp_path: Path) -> None:
    assert list(of(tmp_path, "from sklearn.linear_model import Ridge\ndef f(): return Ridge()\n").libraries) == [
        "scikit-learn"
    ]


def test_namespace_packages_by_the_longest_match(tmp_path: Path, site: Path) -> None:
    install(site, "goo-a", "1", "goo/cloud/a/__init__.py")
    install(site, "goo-b", "2", "goo/cloud/b/__init__.py")
    assert of(tmp_path, "from goo.cloud import b\ndef f(): return b.x\n").libraries == {"goo-b": "2"}
    assert of(tmp_path, "import goo.cloud.a\ndef f(): return goo.cloud.a.x\n").libraries == {"goo-a": "1"}


def test_a_new_version_is_seen_through_the_memo(tmp_path: Path, site: Path) -> None:
    memo = DictMemo()
    source = "import thing\ndef f(): return thing.x\n"
    install(site, "Thing", "1.0", "thing.py")
    before = of(tmp_path, source, memo)
    os.rename(site / "Thing-1.0.dist-info", site / "Thing-1.1.dist-info")
    after = of(tmp_path, source, memo)
    assert (before.libraries, after.libraries) == ({"thing": "1.0"}, {"thing": "1.1"})
    assert before.digest != after.digest


def test_what_is_installed_nowhere_is_missing_until_it_appears(tmp_path: Path, site: Path) -> None:
    source = "import thing\ndef f(): return thing.x\n"
    before = of(tmp_path, source)
    install(site, "thing", "1", "thing.py")
    assert before.libraries == {"thing": "missing"}
    assert of(tmp_path, source).libraries == {"thing": "1"}


def test_an_editable_install_counts_by_its_code(tmp_path: Path, site: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere", {"src/thing/__init__.py": "x = 1\n"})
    origin = f'{{"url": "{elsewhere.as_uri()}", "dir_info": {{"editable": true}}}}'
    install(site, "thing", "1", direct_url_json=origin)
    source = "import thing\ndef f(): return thing.x\n"
    before = of(tmp_path, source)
    write(elsewhere, {"src/thing/__init__.py": "x = 2\n"})
    after = of(tmp_path, source)
    assert before.libraries["thing"].startswith("1:")
    assert before.digest != after.digest


def test_a_folder_on_the_path_counts_by_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = write(tmp_path / "shared", {"thing.py": "x = 1\n"})
    monkeypatch.setattr(sys, "path", [*sys.path, os.fspath(shared)])
    source = "import thing\ndef f(): return thing.x\n"
    before = of(tmp_path, source)
    write(shared, {"thing.py": "x = 2\n"})
    assert of(tmp_path, source).digest != before.digest


def test_code_of_an_environment_inside_the_project_is_no_project_code(tmp_path: Path) -> None:
    files = {"src/m.py": "import thing\ndef f(): return thing.x\n", ".venv/lib/thing.py": "x = 1\n"}
    found = fingerprint(write(tmp_path, files))
    assert found.files == ("src/m.py",)


def test_an_egg_info_folder(tmp_path: Path, site: Path) -> None:
    write(site, {"old_thing.egg-info/PKG-INFO": "Name: old-thing\nVersion: 3\n", "oldthing.py": ""})
    write(site, {"old_thing.egg-info/top_level.txt": "oldthing\n"})
    assert of(tmp_path, "import oldthing\ndef f(): return oldthing\n").libraries == {"old-thing": "3"}
