"""Small projects whose results must be the same whatever is cached and however many workers there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

HEAD = """\
import logging, os, random, shutil, sys, threading, warnings
import numpy as np
from expops import log_metric, process, step

"""


class Row(NamedTuple):
    """``hits``: which steps must be hits when their process executes again; ``None``: none of them executes."""

    source: str
    processes: Sequence[str] = ("p",)
    edges: str = ""
    executes: Sequence[str] = ()
    files: Mapping[str, str] = {}


ROWS = {
    "metrics that count themselves, in steps and beside them": Row("""
@step
def train(n):
    for i in range(n):
        log_metric("loss", i)
    log_metric("best", n, step=7)
    return n

@process()
def p(flag=0):
    log_metric("loss", 9)
    train(2)
    log_metric("loss", 8)
    for n in (1, 2, 1):
        train(n)
    log_metric("best", 1)
    return {}
"""),
    "text without line ends on both streams": Row("""
@step
def talk(x):
    print("a", x, end="")
    sys.stderr.write("e")
    print("b")
    sys.stdout.write("tail")
    return x

@process()
def p(flag=0):
    print("start ", end="")
    talk(1)
    sys.stderr.write("between\\n")
    print("| ", end="")
    talk(2)
    sys.stderr.write("!")
    sys.stdout.buffer.write("bytes ü".encode())
    t = threading.Thread(target=lambda: print("thread"))
    t.start(); t.join()
    return {}
"""),
    "warnings are shown once in each action": Row(
        """
def helper():
    warnings.warn("careful")

@step
def noisy(x):
    helper(); helper()
    return x

@process()
def p(flag=0):
    warnings.simplefilter("default")
    helper()
    noisy(1)
    helper()
    noisy(2)
    noisy(1)
    return {}

@process()
def q(flag=0):
    warnings.simplefilter("default")
    helper()
    return {}
""",
        ("p", "q"),
    ),
    "a handler made at import logs for whoever runs": Row(
        """
log = logging.getLogger("mine")
log.addHandler(logging.StreamHandler(sys.stdout))
log.setLevel("INFO")

@step
def work(x):
    log.info("step %s", x)
    return x

@process()
def p(flag=0):
    log.info("process")
    work(1)
    return {}

@process()
def q(flag=0):
    log.info("other")
    return {}
""",
        ("p", "q"),
    ),
    "logging set up by one process": Row(
        """
@process()
def p(flag=0):
    logging.basicConfig(level="INFO", stream=sys.stdout)
    logging.info("from p")
    return {}

@process()
def q(flag=0):
    logging.info("from q")
    logging.warning("warned by q")
    return {}
""",
        ("p", "q"),
    ),
    "a step that sets up logging": Row("""
@step
def setup():
    logging.basicConfig(level="INFO", stream=sys.stdout)
    logging.info("in step")

@process()
def p(flag=0):
    setup()
    logging.info("after")
    return {}
"""),
    "environment and folder are put back": Row(
        """
@step
def wander():
    os.environ["SANDBOX_X"] = "1"
    os.makedirs("deep")
    os.chdir("deep")
    sys.path.insert(0, "nowhere")
    with open("note.txt", "w") as file:
        file.write("x")
    return os.environ["SANDBOX_X"]

@process()
def p(flag=0):
    first = wander()
    return {"x": [first, os.environ.get("SANDBOX_X"), os.path.exists("note.txt"), "nowhere" in sys.path]}

@process()
def q(flag=0):
    os.environ["SANDBOX_X"] = "q"
    os.chdir("/")
    np.seterr(all="raise")
    np.set_printoptions(precision=1)
    return {}

@process()
def r(flag=0):
    print(np.array([0.123456]))
    return {"y": [os.environ.get("SANDBOX_X"), sorted(os.listdir("."))], "err": np.geterr()}
""",
        ("p", "q", "r"),
    ),
    "state of modules is each process's own": Row(
        """
import shared
COUNTER = {"n": 0}
RNG = np.random.default_rng(0)

def bump():
    COUNTER["n"] += 1
    shared.SEEN.append(COUNTER["n"])
    return COUNTER["n"]

@process()
def p(flag=0):
    return {"a": bump(), "b": float(RNG.random())}

@process()
def q(flag=0):
    return {"c": bump() + bump(), "d": float(RNG.random()), "e": len(shared.SEEN)}

@process()
def r(flag=0):
    return {"f": bump(), "g": float(RNG.random()), "h": len(shared.SEEN)}
""",
        ("p", "q", "r"),
        files={"src/shared.py": "SEEN = []\n"},
    ),
    "steps that draw from a generator of the module": Row(
        """
RNG = np.random.default_rng(0)

@step
def draw():
    return float(RNG.random())

@step
def plain(x):
    return x + 1

@process()
def p(flag=0):
    return {"x": [plain(1), draw(), draw(), float(RNG.random())]}
""",
        executes=("p/draw", "p/draw#2"),
    ),
    "steps that draw from their own": Row("""
@step
def draw(rng, n):
    rng = np.random.default_rng(rng)
    return rng.random(n)

@process()
def p(flag=0):
    a = random.random()
    x = draw(3, 2)
    b = random.random()
    y = draw(random.randrange(10), 2)
    return {"x": x, "y": y, "z": [a, b, random.gauss(0, 1), float(np.random.randn())]}
"""),
    "a result that shares with an argument": Row("""
@step
def inner(config):
    return config["inner"]

@step
def same(items):
    return items

@step
def pair(x):
    y = [x]
    return [y, y]

TABLE = {"rows": [1, 2]}

@step
def table():
    return TABLE["rows"]

@process()
def p(flag=0):
    config = {"inner": [1]}
    got = inner(config)
    got.append(2)
    items = [1]
    same(items).append(2)
    both = pair(1)
    both[0].append(5)
    table().append(3)
    return {"x": [config, items, both, table(), TABLE["rows"]]}
"""),
    "steps that memoise": Row(
        """
import functools
MEMO = {}
LAZY = None

def lazy():
    global LAZY
    if LAZY is None:
        LAZY = [1, 2]
    return LAZY

@functools.lru_cache
def load():
    with open("data/a.txt") as file:
        return file.read()

@step
def one(x):
    MEMO.setdefault(x, x * 2)
    return MEMO[x], load(), lazy()

@step
def two(x):
    MEMO.setdefault(x, x * 2)
    return MEMO[x], load(), lazy()

@process()
def p(flag=0):
    return {"x": [one(1), two(1), one(2), two(2)]}
""",
        files={"data/a.txt": "1"},
    ),
    "files written, overwritten, appended to, renamed, removed": Row("""
def write(name, text, mode="w"):
    with open(name, mode) as file:
        file.write(text)

@step
def make(name, text):
    os.makedirs("sub/empty", exist_ok=True)
    write(name, text)
    write("sub/" + name, text)

@step
def extend(name):
    write(name, "+", "a")

@step
def rename(old, new):
    os.replace(old, new)

@step
def drop(name):
    os.remove(name)

@step
def tool(name):
    write(name, "#!/bin/sh")
    os.chmod(name, 0o555)

@step
def link(name, to):
    os.symlink(name, to)
    os.symlink("nothing", to + ".dangling")
    os.symlink("sub", to + ".folder")

@step
def read(name):
    with open(name) as file:
        return file.read()

@process()
def p(flag=0):
    make("a.txt", "1")
    make("a.txt", "2")
    make("a.txt", "1")
    extend("a.txt"); extend("a.txt")
    make("b.txt", "b"); rename("b.txt", "c.txt")
    make("d.txt", "d"); drop("d.txt")
    tool("run.sh"); tool("run.sh")
    link("a.txt", "e.txt")
    write("sub/empty/f.txt", "f")
    os.mkfifo("pipe")
    return {"x": [read("a.txt"), read("c.txt"), read("e.txt"), os.path.exists("d.txt"), os.path.isdir("sub/empty")]}
"""),
    "a step that fails is caught": Row(
        """
@step
def fails(x):
    print("trying", x)
    log_metric("tried", x)
    random.random()
    with open("left.txt", "a") as file:
        file.write("x")
    raise ValueError(x)

@step
def plain(x):
    return x + 1

@process()
def p(flag=0):
    found = []
    for x in (1, 2):
        try:
            fails(x)
        except ValueError as error:
            found.append(str(error))
        found.append(plain(x))
    return {"x": found, "left": os.path.getsize("left.txt")}
""",
        executes=("p/fails", "p/fails#2"),
    ),
    "steps in steps, in loops, and twice by one name": Row(
        """
@step
def leaf(x):
    log_metric("leaf", x)
    return x + random.random()

@step
def tree(n):
    return [leaf(i) for i in range(n)] + ([tree(n - 1)] if n else [])

@process()
def p(flag=0):
    @step
    def leaf2(x, k=flag * 0):
        return x + k + random.random()
    return {"x": [tree(2), leaf(1), leaf2(1), leaf2(1)]}

@process()
def q(flag=0):
    return {"x": [leaf(1), tree(1)]}
""",
        ("p", "q"),
    ),
    "figures left open": Row(
        """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt

@step
def draw():
    plt.plot([1, 2])
    return plt.gca().get_title()

@process()
def p(flag=0):
    plt.rcParams["lines.linewidth"] = 5
    draw()
    plt.plot([3, 1])
    return {"lines": len(plt.gca().lines)}

@process()
def q(flag=0):
    plt.plot([3, 1])
    return {"lines": len(plt.gca().lines), "width": plt.rcParams["lines.linewidth"]}
""",
        ("p", "q"),
    ),
    "what a library sets as it is imported stays": Row(
        """
@step
def late():
    sys.path.append("mine")
    import odd_library
    os.environ["SANDBOX_MINE"] = "1"
    return odd_library.V

@process()
def p(flag=0):
    x = late()
    import odd_library
    found = [entry for entry in sys.path if entry in ("mine", "library")]
    return {"x": [x, found, os.environ.get("SANDBOX_LIBRARY"), os.environ.get("SANDBOX_MINE")]}

@process()
def q(flag=0):
    import odd_library
    found = [entry for entry in sys.path if entry in ("mine", "library")]
    return {"x": [found, os.environ.get("SANDBOX_LIBRARY"), odd_library.warn()]}
""",
        ("p", "q"),
        files={"data/.keep": ""},
    ),
    "parameters are each process's own": Row(
        """
@process()
def p(shared, flag=0):
    shared["list"].append(4)
    shared["new"] = 1
    return {"x": shared}

@process()
def q(shared, x, flag=0):
    x["other"] = 2
    return {"y": shared}

@process()
def r(shared, x, flag=0):
    return {"z": [shared, x]}
""",
        ("p", "q", "r"),
        "p q\np r",
    ),
}
