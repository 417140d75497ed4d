"""Where a constant may come from besides the code: how the source reads it, and what it then is."""

from __future__ import annotations

from collections.abc import Mapping

from .model import Project, Source

MISSING = 5  # stands for a file or a variable that is not there

# Each sets `v`. PATH is an expression for the path, NAME a variable's name.
FILE = (
    """
try:
    with open(PATH) as file:
        v = int(file.read())
except OSError:
    v = 5
""",
    """
try:
    v = int(pathlib.Path(PATH).read_text())
except FileNotFoundError:
    v = 5
""",
    """
try:
    with open(PATH, "rb") as file:
        v = json.load(file)
except OSError:
    v = 5
""",
    """
try:
    with pathlib.Path(PATH).open(newline="") as file:
        v = int(next(csv.reader(file))[0])
except OSError:
    v = 5
""",
    """
try:
    with io.open(os.fspath(PATH), encoding="ascii") as file:
        v = sum(int(line) for line in file)
except OSError:
    v = 5
""",
    """
try:
    with os.fdopen(os.open(PATH, os.O_RDONLY)) as file:
        v = int(file.readline())
except OSError:
    v = 5
""",
)
ARRAY = ("v = int(numpy.load(PATH).sum())\n", "v = int(numpy.load(PATH, mmap_mode='r').sum())\n")
FOLDER = (
    "v = sum(int(name[1:]) + 1 for name in os.listdir(PATH))\n",
    "v = sum(int(path.name[1:]) + 1 for path in pathlib.Path(PATH).iterdir())\n",
    "v = sum(int(os.path.basename(path)[1:]) + 1 for path in glob.glob(os.path.join(PATH, '*')))\n",
    "with os.scandir(PATH) as entries:\n    v = sum(int(entry.name[1:]) + 1 for entry in entries)\n",
    "v = sum(int(name[1:]) + 1 for _, _, names in os.walk(PATH) for name in names)\n",
    "v = sum(int(path.name[1:]) + 1 for path in pathlib.Path(PATH).glob('u*'))\n",
)
ENV = (
    "v = int(os.environ.get('NAME', '5'))\n",
    "v = int(os.getenv('NAME') or 5)\n",
    "try:\n    v = int(os.environ['NAME'])\nexcept KeyError:\n    v = 5\n",
    "v = 7 if 'NAME' in os.environ else 3\n",
    "v = int(os.environ.get('NAME', default=5))\n",
)
_IN = 3
DRAW = (
    "v = random.randrange(1000)\n",
    "v = int(numpy.random.randint(1000))\n",
    "v = int(random.random() * 1000)\n",
    "v = int(numpy.random.rand() * 1000)\n",
)
SPELLINGS: Mapping[str, tuple[str, ...]] = {"file": FILE, "folder": FOLDER, "env": ENV, "draw": DRAW}


def reading(source: Source, module: str = "", *, at_import: bool = False) -> str:
    """Lines that set ``v``; at import paths begin at the module's own file, later they are relative."""
    spellings = ARRAY if source.name.endswith(".npy") else SPELLINGS[source.kind]
    path = repr(source.name)
    if at_import:
        up = ", '..'" * (1 + module.count("."))
        path = f"os.path.join(os.path.dirname(__file__){up}, {path})"
    return spellings[source.how % len(spellings)].strip("\n").replace("PATH", path).replace("NAME", source.name)


def is_presence_only(source: Source) -> bool:
    """Whether all that counts of a variable is that it is set."""
    return source.kind == "env" and source.how % len(ENV) == _IN


def held(project: Project, source: Source) -> tuple[object, int]:
    """What a file, folder or variable holds, and the constant that comes of it."""
    if source.kind == "folder":
        found = project.folders[source.name]
        return tuple(sorted(found)), sum(number + 1 for number in found)
    value = project.files[source.name] if source.kind == "file" else project.variables[source.name]
    if is_presence_only(source):
        return value, 3 if value is None else 7
    return value, MISSING if value is None else value
