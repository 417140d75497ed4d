"""New projects from templates."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from expops.cli import create
from expops.errors import UnknownName, UsageError

ALL = sorted(create.templates())


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_each_template_folder_is_described_and_each_description_has_a_folder() -> None:
    folders = Path(create.__file__).with_name("templates").iterdir()
    assert sorted(folder.name for folder in folders) == ALL
    assert create.DEFAULT_TEMPLATE in ALL


@pytest.mark.parametrize("template", ALL)
def test_a_project_has_all_its_files_and_its_name(tmp_path: Path, template: str) -> None:
    target = tmp_path / "Blåbær 2.0"
    created = create.create_project(str(target), template)
    assert {os.path.relpath(path, target) for path in created} == files_below(target)
    assert {"README.md", ".gitignore", "configs/project_config.yaml", "src/model.py"} <= files_below(target)
    configuration = yaml.safe_load((target / "configs/project_config.yaml").read_text("utf-8"))
    assert configuration["metadata"]["name"] == "Blåbær 2.0"
    assert (target / "README.md").read_text("utf-8").startswith("# Blåbær 2.0\n")
    assert not [path for path in created if b"__PROJECT_NAME__" in Path(path).read_bytes()]


@pytest.mark.parametrize("name", ["true", "123", "1e5", "null", "2024-01-01"])
def test_a_name_that_yaml_could_take_for_something_else_stays_text(tmp_path: Path, name: str) -> None:
    create.create_project(str(tmp_path / name))
    configuration = yaml.safe_load((tmp_path / name / "configs/project_config.yaml").read_text())
    assert configuration["metadata"]["name"] == name


def test_byte_code_of_a_template_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(Path(create.__file__).with_name("templates"), tmp_path / "templates")
    (copy / "minimal/src/__pycache__").mkdir(exist_ok=True)
    (copy / "minimal/src/__pycache__/model.cpython-311.pyc").write_bytes(b"")
    monkeypatch.setattr(create, "_FOLDER", str(copy))
    assert not [path for path in create.create_project(str(tmp_path / "new")) if "__pycache__" in path]


def test_an_empty_folder_is_taken_and_a_path_may_go_through_new_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    create.create_project(f"{tmp_path}/empty/")
    create.create_project(str(tmp_path / "a/b/c"))
    assert files_below(tmp_path / "empty") == files_below(tmp_path / "a/b/c") != set()


def test_the_current_folder_gives_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    create.create_project(".")
    assert (tmp_path / "here/README.md").read_text().startswith("# here\n")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/.hidden").write_text("mine")
    with pytest.raises(UsageError, match="exists and is not empty; choose another name"):
        create.create_project(str(tmp_path / "full"))
    assert files_below(tmp_path) == {"full/.hidden"}


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is not a folder"):
        create.create_project(str(tmp_path / "file"))
    with pytest.raises(UsageError, match="Not a directory"):
        create.create_project(str(tmp_path / "file/project"))
    assert (tmp_path / "file").read_text() == "mine"


def test_an_unknown_template_names_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no template 'sklearn_basic'; did you mean 'sklearn-basic'"):
        create.create_project(str(tmp_path / "new"), "sklearn_basic")
    with pytest.raises(UnknownName, match="no template 'zzz'; the templates are: minimal, sklearn-basic"):
        create.create_project(str(tmp_path / "new"), "zzz")
    assert files_below(tmp_path) == set()


@pytest.mark.parametrize("name", ["", "  ", "-x", ".hidden", "a:b", 'a"b', "a\nb", "tail.", "tail ", "a\\b", "/"])
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="name"):
        create.create_project(name)
    assert files_below(tmp_path) == set()


def test_a_name_that_is_too_long_for_the_file_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="File name too long"):
        create.create_project(str(tmp_path / ("x" * 300)))
