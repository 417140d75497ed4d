"""Frameworks that are first imported inside an action. Each case runs in an interpreter that hasn't loaded them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from expops.seeding.session import SeededAction
SEEDS = {{"random": 1, "numpy.random": 2, "torch": 3, "tensorflow": 4, "keras": 5}}
def seeds(n):
    return lambda name, bits=32: n + SEEDS[name]
def load():
    {load}
def draw():
    {load}
    return {draw}
if {where!r} == "before":
    load()
with SeededAction(seeds(10)) as process:
    if {where!r} == "process":
        load()
    if {where!r} != "skipped":
        with SeededAction(seeds(20)) as step:
            inner = draw()
        assert {source!r} in step.drew, step.drew
    outer = draw()
assert {source!r} in process.drew, process.drew
if {where!r} != "skipped":
    print(inner)
else:
    with SeededAction(seeds(20)):
        print(draw())
print(outer)
"""
CASES = {
    "torch": ("import torch", "torch.rand(2).tolist()", "torch"),
    "tensorflow": ("import tensorflow as tf", "tf.random.normal([2]).numpy().tolist()", "tensorflow"),
    # Importing it draws from `random`; in a run, imports of libraries are actions of their own (engine/imports.py).
    "keras": ("with SeededAction(seeds(0)): import keras", "keras.random.normal((2,)).numpy().tolist()", "random"),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CASES)
def test_the_streams_are_the_same_wherever_the_framework_loads(name: str) -> None:
    load, draw, source = CASES[name]
    found = []
    for where in ("before", "process", "step", "skipped"):
        program = PROGRAM.format(load=load, draw=draw, source=source, where=where)
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    assert len(set(found)) == 1


def test_no_framework_is_imported() -> None:
    program = "import sys; from expops.seeding.session import SeededAction\nwith SeededAction(lambda name: 1): pass\n"
    program += "print({'torch', 'tensorflow', 'keras', 'jax', 'numpy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"
