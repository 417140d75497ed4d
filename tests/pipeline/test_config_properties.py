"""Configurations at random: valid ones mean the same in every spelling, garbage raises only ConfigError."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from expops.errors import ConfigError, Problem
from expops.pipeline.config import Config
from expops.pipeline.schema import PROCESS, ROOT, _keys
from expops.pipeline.yaml_scalars import _EXPONENT

# Texts that YAML 1.2 and this reader take for numbers, and PyYAML's writer leaves unquoted.
TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=8).filter(
    lambda text: not _EXPONENT.fullmatch(text)
)
NAMES = TEXTS.filter(lambda text: text and text == text.strip() and not set(text) & set("/#\u2028\u2029\ufeff"))
TOKENS = NAMES.filter(lambda text: len(text.split()) == 1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PARAMETERS = st.dictionaries(TEXTS.filter(lambda text: text not in ("cache", "pipeline")), VALUES, max_size=3)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, object]:
    """The canonical form of a valid configuration."""
    names = draw(st.lists(TOKENS, min_size=1, max_size=5, unique=True))
    rank = draw(st.permutations(names))
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=6))
    edges = [pair for pair in pairs if rank.index(pair[0]) < rank.index(pair[1])]
    return {
        "metadata": {"name": draw(NAMES), "description": draw(TEXTS), "version": draw(TEXTS)},
        "scripts": {"main": "src/main.py", "other": "src/other.py"},
        "reproducibility": {"random_seed": draw(st.none() | st.integers(0, 2**128 - 1))},
        "data": {"paths": ["data/train.csv"]},
        "execution": {"jobs": draw(st.integers(1, 99))},
        "experiment": {
            "parameters": draw(PARAMETERS),
            "cache": {"backend": {"type": draw(st.sampled_from(["sqlite", "memory", "firestore"]))}},
            "pipeline": {
                "process_adjlist": "\n".join(f"{one} {other}" for one, other in edges),
                "processes": [
                    {
                        "name": name,
                        "code": draw(st.sampled_from(["main.f", "other.g", "main.h"])),
                        "parameters": draw(PARAMETERS),
                        "cache": draw(st.booleans()),
                    }
                    for name in names
                ],
            },
        },
    }


def respelled(document: dict, draw: st.DrawFn) -> dict:
    """The same in earlier spellings, chosen one by one."""
    flip = st.booleans()
    document = {**document, "experiment": {**document["experiment"]}}
    experiment = document["experiment"]
    if draw(flip):
        document["reproducibility"] = {"seed": document["reproducibility"]["random_seed"]}
    if draw(flip):
        document["data"] = {"path": "demo/data/train.csv"}
    if draw(flip):
        experiment["cache"] = {"kv_backend": experiment["cache"]["backend"]["type"]}
    rows = experiment["pipeline"]["process_adjlist"].splitlines()
    experiment["pipeline"] = {
        "process_adjlist": [row.split() for row in rows] if draw(flip) else "\n".join(["# c", *rows, ""]),
        "processes": [respelled_process(process, draw) for process in experiment["pipeline"]["processes"]],
    }
    for key in ("cache", "pipeline"):
        if draw(flip):
            experiment["parameters"] = {**experiment["parameters"], key: experiment.pop(key)}
    if draw(flip):
        document["model"] = document.pop("experiment")
    return document


def respelled_process(process: dict, draw: st.DrawFn) -> dict:
    process = dict(process)
    if draw(st.booleans()):
        process["hyperparameters"] = process.pop("parameters")
    if draw(st.booleans()):
        process["script"], process["code_function"] = process.pop("code").split(".")
    return process


def lineless(config: Config) -> Config:
    return config._replace(processes=tuple(process._replace(line=0) for process in config.processes))


@given(documents(), st.data())
def test_every_spelling_means_the_same(shared_workshop, document: dict, data: st.DataObject) -> None:
    canonical = shared_workshop.load(yaml.safe_dump(document, allow_unicode=data.draw(st.booleans()), sort_keys=False))
    earlier = respelled(document, data.draw)
    flow = data.draw(st.sampled_from([None, True, False]))
    other = shared_workshop.load(yaml.safe_dump(earlier, default_flow_style=flow, width=10_000, sort_keys=False))
    assert repr(lineless(canonical)) == repr(lineless(other))
    experiment = document["experiment"]
    assert repr(canonical.parameters) == repr(experiment["parameters"])
    assert canonical.seed == document["reproducibility"]["random_seed"]
    assert canonical.description == document["metadata"]["description"]
    for process, written in zip(canonical.processes, experiment["pipeline"]["processes"], strict=True):
        assert (process.name, process.cache) == (written["name"], written["cache"])
        assert repr(process.parameters) == repr(written["parameters"])
    rows = experiment["pipeline"]["process_adjlist"].splitlines()
    assert list(canonical.edges) == list(dict.fromkeys(tuple(row.split()) for row in rows))


def loads_or_says_why(workshop, text: str | bytes) -> None:
    problems: tuple[Problem, ...] | None = None
    try:
        workshop.load(text)
    except ConfigError as error:
        problems = error.problems
    if problems is not None:
        lines = [problem.line for problem in problems]
        assert lines
        assert lines == sorted(lines)
        assert all(problem.message for problem in problems)


@given(st.binary(max_size=200))
def test_bytes_at_random(shared_workshop, data: bytes) -> None:
    loads_or_says_why(shared_workshop, data)


KEYS = sorted({key for key, _ in _keys(ROOT, "")} | set(PROCESS.unsupported) | {"type", "main", "x"})
SCALARS = st.sampled_from(
    ["a", "main.f", "b", "gcs", "redis", "local", "gs://b", "src/main.py", "a b\nb a", 1, -1, 0.5, True, None, math.nan]
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=5))
def test_known_keys_in_the_wrong_places(shared_workshop, tree: dict) -> None:
    loads_or_says_why(shared_workshop, yaml.safe_dump(tree))


@given(documents(), st.data())
def test_a_valid_document_with_one_branch_replaced(shared_workshop, document: dict, data: st.DataObject) -> None:
    holder: dict | list = document
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        holder = inner
    holder[key] = data.draw(TREES)
    loads_or_says_why(shared_workshop, yaml.safe_dump(document))


FRAGMENTS = st.sampled_from(
    ["a", ":", " ", "\n", "-", "- ", ": ", "\n  ", "\t", "[", "]", "{", "}", ",", "&x", "*x", "!!", "!t", "|", ">",
     "'", '"', "#", "%", "@", "---\n", "...\n", "? ", "<<", "~", "1e3", "experiment", "processes", "\u2028", "\ud7ff"]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=40).map("".join))
def test_yaml_at_random(shared_workshop, text: str) -> None:
    loads_or_says_why(shared_workshop, text)


@pytest.mark.parametrize(
    "text", ["&a [*a]", "&a {<<: *a}", "*a", "<<: &a {<<: *a}", "? &a x\n: *a", "? *a\n: b", "!!map x"]
)
def test_corners(workshop, text: str) -> None:
    loads_or_says_why(workshop, text)
