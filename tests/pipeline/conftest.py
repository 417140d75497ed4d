"""Projects on disk, from the text of their configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from expops.errors import ConfigError
from expops.pipeline.config import CONFIG_PATH, Config
from expops.pipeline.config_load import load_config


class Workshop:
    """Makes projects named ``demo`` that have a script ``src/main.py`` and a file ``data/train.csv``."""

    def __init__(self, root: Path) -> None:
        self.project = root / "demo"
        for folder in ("configs", "src", "data"):
            (self.project / folder).mkdir(parents=True)
        (self.project / "src/main.py").write_text("")
        (self.project / "src/other.py").write_text("")
        (self.project / "data/train.csv").write_text("a,b\n")

    def write(self, text: str | bytes) -> str:
        data = text.encode() if isinstance(text, str) else text
        (self.project / CONFIG_PATH).write_bytes(data)
        return str(self.project)

    def load(self, text: str | bytes) -> Config:
        return load_config(self.write(text))

    def problems(self, text: str | bytes) -> list[str]:
        """What is wrong with ``text``, as ``line: key: message``."""
        with pytest.raises(ConfigError) as caught:
            self.load(text)
        shown = [str(problem) for problem in caught.value.problems]
        assert all(line.startswith(CONFIG_PATH) for line in shown)
        return [line.removeprefix(CONFIG_PATH).lstrip(":").strip() for line in shown]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture(scope="session")
def shared_workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """For property tests, which rewrite the configuration in every example."""
    return Workshop(tmp_path_factory.mktemp("shared"))


MINIMAL = """\
scripts: {main: src/main.py}
experiment:
  pipeline:
    processes:
      - name: train
"""


@pytest.fixture
def with_lines(workshop: Workshop) -> Callable[[str], list[str]]:
    """Problems of a valid configuration with some lines more, which begin on line 6."""

    def problems(lines: str) -> list[str]:
        return workshop.problems(MINIMAL + lines)

    return problems
