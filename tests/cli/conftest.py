"""Projects to run commands on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_project import History, Project, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which nothing has run."""
    return make_project(tmp_path / "demo")


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, str], Project]:
    """A project of another configuration and script."""

    def make_one(config: str, script: str) -> Project:
        return make_project(tmp_path / "other", config, script)

    return make_one


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """For tests that only look."""
    return History(make_project(tmp_path_factory.mktemp("history") / "demo"))
