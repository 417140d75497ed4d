"""A project with one planted fault in each process, and what ``expops verify`` must say of it."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """``start`` is the action in which the difference starts, ``element`` how the path of an element begins."""

    process: str
    variation: str
    start: str
    kind: str
    element: str


FAULTS = (
    Fault("set_order", "hash-seed", "set_order/unique", "output", "['words'][0]["),
    Fault("hash_value", "hash-seed", "hash_value/bucket", "output", "['buckets']['b']"),
    Fault("clock", "clock", "clock/stamp", "output", "['stamped'].at"),
    Fault("unsorted_listing", "directory-order", "unsorted_listing/read_all", "output", "['lines'][0]"),
    Fault("thread_sum", "threads", "thread_sum/total", "output", "['total']"),
    Fault("c_random", "random-state", "c_random/draw", "output", "['drawn'][0]"),
    Fault("library_state", "others", "library_state/third", "output", "['third']"),
    Fault("module_state", "cached", "module_state/second", "output", "['second']"),
    Fault("mutated_input", "cached", "mutated_input/push", "argument", "rows[2]"),
    Fault("uninitialised", "memory", "uninitialised/filled", "output", "['filled'][7]"),
    Fault("unseeded", "entropy", "unseeded/noise", "output", "['noise'][0]"),
    Fault("time_zone", "time-zone", "time_zone/day", "output", "['day']"),
    Fault("home_folder", "home", "home_folder", "output", "['place']"),
    Fault("forest", "threads", "forest/predicted", "output", "['predicted']["),
    Fault("encoding", "locale", "encoding", "", ""),
    Fault("work_path", "folder", "work_path", "output", "['here']"),
    Fault("timing", "clock", "timing", "metric", "seconds[1]"),
    Fault("report", "clock", "report", "file", "report.txt line 2"),
)
CLEAN = ("load", "train", "evaluate", "set_precision")
SCRIPTS = {"forest": "forest", "uninitialised": "arrays", "unseeded": "arrays"}
EDGES = """
load train
load evaluate
train evaluate
"""

FILES = {
    "src/clean.py": """
import random

from expops import log_metric, process, step


@step
def draw(count):
    return [random.gauss(0, 1) for _ in range(count)]


@step
def scaled(values, factor):
    print("scaling", len(values), "values")
    return {str(index): value * factor for index, value in enumerate(values)}


@process()
def load():
    with open("data/a.txt") as file:
        count = len(file.read())
    return {"values": draw(40 + count)}


@process()
def train(values):
    model = scaled(values, 0.5)
    with open("model.txt", "w") as file:
        file.write(repr(sorted(model.items())))
    return {"model": model, "more": draw(2)}


@process()
def evaluate(values, model):
    for index, value in enumerate(values[:3]):
        log_metric("error", abs(value - model[str(index)]))
    return {"total": sum(scaled(list(model.values()), 3.0).values())}
""",
    "src/faults.py": """
import ctypes
import datetime
import decimal
import os
import random
import time
from pathlib import Path

from expops import log_metric, process, step


@step
def unique(words):
    return list(set(words))


@process()
def set_order():
    return {"words": (unique([f"word {number}" for number in range(40)]), 1)}


@step
def bucket(name):
    return hash(name) % 1_000_003


@process()
def hash_value():
    return {"buckets": {"a": 1, "b": bucket("b")}}


class Stamped:
    def __init__(self, value, at):
        self.value = value
        self.at = at


@step
def stamp(value):
    return Stamped(value, datetime.datetime.now().year)


@step
def later(stamped):
    return stamped.at + 1


@process()
def clock():
    stamped = stamp(3)
    return {"stamped": stamped, "later": later(stamped)}


@step
def read_all(folder):
    return [path.read_text() for path in Path(folder).glob("*.txt")]


@process()
def unsorted_listing():
    return {"lines": read_all("data")}


@step
def total(values):
    count = os.cpu_count()
    return sum(sum(values[start::count]) for start in range(count))


@process()
def thread_sum():
    return {"total": total([random.gauss(0, 1) * 10 ** random.randrange(9) for _ in range(2000)])}


@step
def draw():
    library = ctypes.CDLL(None)
    return [library.rand() for _ in range(3)]


@process()
def c_random():
    return {"drawn": draw()}


@step
def third(number):
    return decimal.Decimal(number) / 3


@process()
def library_state():
    return {"third": third(1)}


@process()
def set_precision():
    decimal.getcontext().prec = 6
    return {"precision": 6}


def counter():
    count = 0

    def following():
        nonlocal count
        count += 1
        return count

    return following


number = counter()


@step
def first():
    return number()


@step
def second():
    return number()


@process()
def module_state():
    return {"first": first(), "second": second()}


@step
def push(rows, row):
    rows.append(row)
    return len(rows)


@process()
def mutated_input():
    rows = [1, 2]
    return {"length": push(rows, 3), "rows": rows}


@step
def day(moment):
    return time.strftime("%Y-%m-%d", time.localtime(moment))


@process()
def time_zone():
    return {"day": day(86_400 * 365 - 3_600 * 6)}


@process()
def home_folder():
    return {"place": str(Path.home() / "models")}


@process()
def encoding():
    with open("note.txt", "w") as file:
        file.write("na\\u00efve")
    return {"written": True}


@process()
def work_path():
    return {"here": os.getcwd()}


@process()
def timing():
    began = time.perf_counter()
    values = sum(range(1000))
    log_metric("seconds", time.perf_counter() - began)
    return {"values": values}


@process()
def report():
    with open("report.txt", "w") as file:
        file.write(f"a report\\nmade on {datetime.date.today()}\\nof nothing\\n")
    return {}
""",
    "src/arrays.py": """
import numpy as np

from expops import process, step


@step
def filled(count):
    values = np.empty(count)
    values[:7] = 0.0
    return values


@process()
def uninitialised():
    return {"filled": filled(500_000)[:20]}


@step
def noise(count):
    return np.random.default_rng().normal(size=count)


@process()
def unseeded():
    return {"noise": noise(5)}
""",
    "src/forest.py": """
import numpy as np
from sklearn.ensemble import RandomForestRegressor

from expops import process, step


@step
def predicted(rows):
    data = np.random.normal(size=(rows, 4))
    model = RandomForestRegressor(40, n_jobs=4, random_state=0).fit(data, data.sum(axis=1))
    return model.predict(data)


@process()
def forest():
    return {"predicted": predicted(150)}
""",
}
