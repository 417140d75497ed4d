"""New projects from the templates that lie beside this module.

A template is a folder that is copied as it is, except that ``gitignore`` becomes ``.gitignore`` (build tools
obey a file of that name), and that the project's name takes the place of ``__PROJECT_NAME__`` in its README
and configuration.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

from ..errors import UnknownName, UsageError
from ..pipeline.nearest import advice

DEFAULT_TEMPLATE: Final = "minimal"

_FOLDER: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")
_DESCRIPTIONS: Final = {
    "minimal": "three processes on plain Python data; needs no other library",
    "sklearn-basic": "a table, a scikit-learn model, its metrics and a chart",
}
_NAME_TOKEN: Final = "__PROJECT_NAME__"
_NAMED_FILES: Final = frozenset({"README.md", os.path.join("configs", "project_config.yaml")})
_RENAMED: Final = {"gitignore": ".gitignore"}
# What YAML's double quotes and every file system take as it is.
_GOOD_NAME: Final = re.compile(r"[^\W_](?:[\w .-]*[\w-])?")


def templates() -> dict[str, str]:
    """Name and one-line description of each template."""
    return dict(_DESCRIPTIONS)


def create_project(name_or_path: str, template: str = DEFAULT_TEMPLATE) -> list[str]:
    """Make a project in ``name_or_path``, a folder that is new or empty; return the paths of its files.

    The folder's last part is the project's name. Raises :class:`~expops.errors.UsageError` when the name
    can't be one or the folder can't be used, and :class:`~expops.errors.UnknownName` when there is no such
    template. Nothing is written in any of these cases, unless the disk fails half-way.
    """
    if template not in _DESCRIPTIONS:
        hint = advice(template, _DESCRIPTIONS, "the templates are")
        raise UnknownName(f"there is no template {template!r}; {hint}")
    name = _project_name(name_or_path)
    created = []
    try:
        _check_free(name_or_path)
        for source, relative in _files(os.path.join(_FOLDER, template)):
            target = os.path.join(name_or_path, relative)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _copy(source, target, name if relative in _NAMED_FILES else None)
            created.append(target)
    except OSError as error:
        raise UsageError(f"can't create a project in {name_or_path}: {error.strerror or error}") from error
    return created


def _project_name(name_or_path: str) -> str:
    """The name in a path such as ``work/my-project/`` or ``.``."""
    if not name_or_path.strip():
        raise UsageError("a project needs a name, such as my-project")
    name = os.path.basename(os.path.abspath(name_or_path))
    if not _GOOD_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} can't be a project's name: use letters, digits, '_', '-', '.' and spaces, "
            "with a letter or digit first, such as my-project"
        )
    return name


def _check_free(folder: str) -> None:
    if not os.path.lexists(folder):
        return
    if not os.path.isdir(folder):
        raise UsageError(f"{folder} exists and is not a folder; choose another name")
    if os.listdir(folder):
        raise UsageError(f"{folder} exists and is not empty; choose another name or empty it first")


def _files(folder: str) -> Iterator[tuple[str, str]]:
    """Each file of a template, with its path in the project, in a fixed order."""
    for parent, folders, names in os.walk(folder):
        # Installers byte-compile what they install.
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            source = os.path.join(parent, name)
            inside = os.path.relpath(parent, folder)
            yield source, os.path.normpath(os.path.join(inside, _RENAMED.get(name, name)))


def _copy(source: str, target: str, project_name: str | None) -> None:
    with open(source, "rb") as file:
        content = file.read()
    if project_name is not None:
        content = content.replace(_NAME_TOKEN.encode(), project_name.encode())
    with open(target, "xb") as file:
        file.write(content)
