"""Functions of ``os`` that are replaced look and behave like the originals."""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from expops.cache.discovery import Places
from expops.cache.files import FileDigests
from expops.cache.observe import Observer, install, watch

NAMES = ("stat", "lstat", "access", "readlink", "open")


@pytest.fixture(autouse=True)
def installed() -> None:
    install()


@pytest.mark.parametrize("name", NAMES)
def test_it_looks_like_the_original(name: str) -> None:
    function = getattr(os, name)
    real = function.__wrapped__
    assert inspect.isbuiltin(real)
    assert (function.__name__, function.__qualname__, function.__doc__) == (name, name, real.__doc__)
    assert inspect.signature(function) == inspect.signature(real)
    assert pickle.loads(pickle.dumps(function)) is function
    for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
        assert (function in able) == (real in able)


def test_it_does_not_bind_as_an_attribute_of_a_class(tmp_path: Path) -> None:
    class Accessor:
        stat = os.stat

    assert Accessor().stat(tmp_path).st_mode == os.stat(tmp_path).st_mode


def test_a_pickled_function_is_found_where_nothing_is_replaced() -> None:
    script = "import pickle, sys, os; assert pickle.loads(sys.stdin.buffer.read()) is os.stat"
    subprocess.run([sys.executable, "-c", script], input=pickle.dumps(os.stat), check=True)


def test_errors_are_those_of_the_original(tmp_path: Path) -> None:
    observer = Observer(Places(str(tmp_path), None), FileDigests())
    before = watch(observer)
    try:
        with observer.action() as observed:
            with pytest.raises(FileNotFoundError) as error:
                os.stat(tmp_path / "none")
            with pytest.raises(TypeError):
                os.stat()
            with pytest.raises(ValueError, match="null"):
                os.stat("nul\0")
            assert not os.access(tmp_path / "none", os.R_OK)
    finally:
        watch(before)
    assert error.value.filename == str(tmp_path / "none")
    assert observed.values() == {"size": {"project/none": "absent"}}
