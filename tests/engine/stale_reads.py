"""Changes of what is read: files, folders, variables of the environment."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from stale_rows import Row, data, edit, k, variable

from sandbox import Sandbox

A_TXT = {"data/a.txt": "1"}
HELPER = {
    "src/helper.py": "import json, os\nV = json.load(open(os.path.join(os.path.dirname(__file__), 'c.json')))\n",
    "src/c.json": "1",
}


def gzip_file(sandbox: Sandbox) -> None:
    import gzip

    with gzip.open(sandbox.root / "data" / "a.gz", "wt") as file:
        file.write(str(len(list((sandbox.root / "data").iterdir()))))


def database_file(sandbox: Sandbox) -> None:
    connection = sqlite3.connect(sandbox.root / "data" / "a.db")
    connection.execute("create table if not exists t(v)")
    connection.execute("insert into t values (1)")
    connection.commit()
    connection.close()


READS = {
    name: Row(
        f"""
import gzip, io, pkgutil, sqlite3, threading, importlib.resources
from pathlib import Path
import numpy as np, pandas as pd
def in_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(open("data/a.txt").read()))
    thread.start()
    thread.join()
    return found
def by_descriptor():
    fd = os.open("data/a.txt", os.O_RDONLY)
    try:
        return os.read(fd, 10)
    finally:
        os.close(fd)
def from_elsewhere():
    os.chdir("data")
    return open("a.txt").read()
def database():
    connection = sqlite3.connect("data/a.db")
    try:
        return connection.execute("select * from t").fetchall()
    finally:
        connection.close()
def through_link():
    os.symlink(os.path.realpath("data/a.txt"), "mine.txt")
    return open("mine.txt").read()
def after_copy():
    import shutil
    shutil.copy("data/a.txt", "copy.txt")
    return open("copy.txt").read()
@step
def s():
    return {reading}
@process()
def p():
    return {{"x": {reading if "mine" not in reading else "s()"}}} if {process} else {{"x": s()}}
""",
        change,
        {"data/a.txt": "1\n", "src/pk/__init__.py": "", "src/pk/d.txt": "1"},
    )
    for process in (False, True)
    for name, reading, change in (
        (f"text, process={process}", 'open("data/a.txt").read()', data("2\n")),
        (f"pathlib, process={process}", 'Path("data/a.txt").read_text()', data("2\n")),
        (f"thread, process={process}", "in_thread()", data("2\n")),
        (f"descriptor, process={process}", "by_descriptor()", data("2\n")),
        (f"chdir, process={process}", "from_elsewhere()", data("2\n")),
        (f"link, process={process}", "through_link()", data("2\n")),
        (f"copy, process={process}", "after_copy()", data("2\n")),
        (f"gzip, process={process}", 'gzip.open("data/a.gz", "rt").read()', gzip_file),
        (f"database, process={process}", "database()", database_file),
        (f"numpy, process={process}", 'float(np.loadtxt("data/a.txt"))', data("2\n")),
        (f"numpy raw, process={process}", 'np.fromfile("data/a.txt", dtype="u1").tolist()', data("2\n")),
        (f"pandas, process={process}", 'pd.read_csv("data/a.txt", header=None)[0].tolist()', data("2\n")),
        (f"listing, process={process}", 'sorted(os.listdir("data"))', lambda s: s.write("data/b.txt", "")),
        (
            f"glob, process={process}",
            'sorted(p.name for p in Path("data").glob("*.txt"))',
            lambda s: s.write("data/b.txt", ""),
        ),
        (f"package data, process={process}", 'pkgutil.get_data("pk", "d.txt")', edit("1", "2", "src/pk/d.txt")),
        (
            f"resource, process={process}",
            'importlib.resources.files("pk").joinpath("d.txt").read_text()',
            edit("1", "2", "src/pk/d.txt"),
        ),
        (
            f"old temporary file, process={process}",
            'open(os.environ["SANDBOX_FILE"]).read()',
            lambda s: Path(os.environ["SANDBOX_FILE"]).write_text("2") and None,
        ),
        (f"variable, process={process}", 'os.environ.get("SANDBOX_X")', variable),
        (f"expanded variable, process={process}", 'os.path.expandvars("$SANDBOX_X")', variable),
    )
}
READS |= {
    "by a step that failed and was caught": Row(
        """
@step
def s():
    raise ValueError(open("data/a.txt").read())
@process()
def p():
    try:
        s()
    except ValueError as error:
        return {"x": str(error)}
""",
        data("2"),
        A_TXT,
    ),
    "by what memoised it for another step": Row(
        """
import functools
MEMO = {}
@functools.lru_cache
def load():
    return open("data/a.txt").read()
def memo():
    if "a" not in MEMO:
        MEMO["a"] = open("data/a.txt").read()
    return MEMO["a"]
@step
def s():
    return load() + memo()
@step
def t():
    return load() + "!" + memo()
@step
def u():
    return memo() + "?"
@process()
def p():
    return {"x": s(), "y": t(), "z": u()}
""",
        data("2"),
        A_TXT,
    ),
    "by a module while it is imported": Row(
        """
import helper
@step
def s():
    return helper.V
@process()
def p():
    return {"x": s(), "y": helper.V}
""",
        edit("1", "2", "src/c.json"),
        HELPER,
    ),
    "by a module that two steps import late": Row(
        """
@step
def s():
    import helper
    return helper.V
@step
def t():
    import helper
    return helper.V
@process()
def p():
    return {"x": s(), "y": t()}
""",
        edit("1", "2", "src/c.json"),
        HELPER,
    ),
    "a file that another step has left, by its new name": Row(
        """
@step
def rename():
    os.replace("a.txt", "b.txt")
@step
def link():
    os.link("b.txt", "c.txt")
@process()
def p(k=1):
    with open("a.txt", "w") as file:
        file.write(str(k))
    rename()
    link()
    return {"x": open("c.txt").read()}
""",
        k(2),
    ),
}
