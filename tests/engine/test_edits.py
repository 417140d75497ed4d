"""Never stale, never needless: random edits of random projects.

After every edit the project runs with its cache. What it gives must be what the model of the project says, action by
action it must execute what the edit has changed and nothing else, and each reason must name what was edited.

``make edits EDITS=20000`` makes that many. A failure shows the edits that led to it, and the project's files.
"""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edits import folder
from edits.expected import Expected
from edits.making import NUMBERS, add_process, helpers, kinds, projects, sources, statement_for, uses
from edits.model import FILES, FOLDERS, MODULES, VARIABLES, Helper, Process, Project
from edits.oracle import Oracle, Results
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from expops.hashing.values import fingerprint
from sandbox import Sandbox, outcomes, outputs, reasons

IN_ALL = int(os.environ.get("EXPOPS_EDITS", "1500"))
IN_A_ROW = 25
PICK = st.integers(0, 99)
INPUTS = ("seed", *(f"file {name}" for name in FILES), *(f"folder {name}" for name in FOLDERS))
INPUTS += tuple(f"env {name}" for name in VARIABLES)
Draw = Callable[[st.SearchStrategy[Any]], Any]
FROM_SCRATCH = 9  # every so many edits the project also runs without a cache


class Edits(RuleBasedStateMachine):
    """One project under edits."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="edits")
        self.sandbox = Sandbox(Path(self.folder) / "project")
        self.expected = Expected()
        self.told: list[str] = []
        self.versions: list[Project] = []
        self.pause = 0
        self.again = False
        self.ran = ""
        self.used: set[str] = set()  # helpers, and "file NAME", "env NAME" and so on, that the last run had to do with

    def teardown(self) -> None:
        folder.forget_environment()
        shutil.rmtree(self.folder, ignore_errors=True)

    @initialize(project=projects())
    def begin(self, project: Project) -> None:
        self.project = project
        self.edited("begin")

    # Checks

    def edited(self, told: str) -> None:
        """Run and check, unless some edits are to be made together."""
        self.told.append(told)
        type(self).made += 1
        if self.pause:
            self.pause -= 1
            return
        try:
            self.check()
        except Exception as error:
            error.add_note("\n".join([*self.told, self.ran, folder.shown(self.sandbox)]))
            raise

    def check(self) -> None:
        oracle = Oracle(self.project)
        folder.write(self.sandbox, self.project, oracle.rendered, all_anew=self.again)
        self.again = False
        wanted = oracle.all()
        result = self.sandbox.run()
        assert result.run.status == "done", [action.error for action in result.actions if action.error]
        self.ran = "\n".join(f"{action.path}: {action.outcome}, {action.reason}" for action in result.actions)
        self.same(wanted, result)
        found, why = outcomes(result), reasons(result)
        assert {action.path for action in result.actions if action.kind == "process"} == wanted.keys()
        assert found.keys() <= {path for results in wanted.values() for path in results.action.paths()}
        for action in result.actions:  # in the order in which they ended
            if action.kind == "process":
                self.expected.check(wanted[action.path].action, found, why, self.project.readable())
        self.expected.trust()
        self.used = {name for results in wanted.values() for name in results.action.used()}
        if len(self.told) % FROM_SCRATCH == 0:
            self.same(wanted, self.sandbox.run(mode="off"))
        self.versions.append(copy.deepcopy(self.project))

    def same(self, wanted: dict[str, Results], result: Any) -> None:
        assert not self.sandbox.seen.warnings or not self.expected.trusted, self.sandbox.seen.warnings
        found = outputs(result)
        metrics = {name: r.metrics for name, r in wanted.items() if r.metrics}
        assert metrics == result.metrics, f"metrics: {result.metrics} and not {metrics}"
        for name, results in wanted.items():
            marks = {output: fingerprint(value) for output, value in results.outputs.items()}
            assert found[name] == marks, f"outputs of {name}, which are to be {results.outputs}"[:300]
            text = self.sandbox.seen.text(name)
            assert text == results.log, f"output of {name}: {text!r} and not {results.log!r}"
            shelf = self.sandbox.root / ".expops" / "artifacts" / name
            files = {path.name: path.read_text() for path in shelf.iterdir()} if shelf.is_dir() else {}
            assert files == results.files, f"files of {name}: {files} and not {results.files}"

    # What is edited

    def helper(self, draw: Draw) -> Helper:
        """Mostly one that is used: other edits change nothing."""
        used = [name for name in self.project.helpers if name in self.used]
        return self.project.helpers[pick([*used * 3, *self.project.helpers], draw(PICK))]

    def process(self, draw: Draw) -> Process:
        return pick(list(self.project.processes.values()), draw(PICK))

    @rule(data=st.data())
    def edit(self, data: st.DataObject) -> None:
        """One rule for all kinds of edits: Hypothesis leaves many of a machine's rules out of each example."""
        kind = data.draw(st.sampled_from([kind for kind, often in OFTEN.items() for _ in range(often)]))
        getattr(self, kind)(data.draw)

    # Edits of code

    def constant(self, draw: Draw) -> None:
        helper = self.helper(draw)
        helper.constant = draw(NUMBERS)
        self.edited(f"constant of {helper.name}: {helper.constant}")

    def holder(self, draw: Draw) -> None:
        self.project.holder = draw(NUMBERS)
        self.edited(f"the holder adds {self.project.holder}")

    def kind(self, draw: Draw) -> None:
        helper = self.helper(draw)
        helper.kind = draw(kinds())
        self.edited(f"{helper.name} is a {helper.kind}")

    def source(self, draw: Draw) -> None:
        helper = self.helper(draw)
        helper.source = draw(sources())
        self.edited(f"constant of {helper.name} from {helper.source}")

    def use(self, draw: Draw) -> None:
        """A helper uses one helper more, or one less."""
        helper = self.helper(draw)
        use = draw(uses(self.project, helper.module, helper.name))
        if helper.uses and (len(helper.uses) > 1 or not use.ref):
            del helper.uses[0]
        elif use.ref:
            helper.uses.append(use)
        self.edited(f"{helper.name} uses {helper.uses}")

    def expression(self, draw: Draw) -> None:
        """A helper calls another one in another expression, or imports it in another form."""
        helper = self.helper(draw)
        if helper.uses:
            helper.uses[0] = replace(helper.uses[0], **{draw(st.sampled_from(["how", "imported"])): draw(PICK)})
            self.edited(f"{helper.name} uses {helper.uses}")

    def statement(self, draw: Draw) -> None:
        """A step or process says something else in one place."""
        owner = pick([*self.project.steps.values(), *self.project.processes.values()], draw(PICK))
        at = draw(PICK) % len(owner.body)
        what = draw(st.sampled_from(["replace", "insert", "remove", "swap"]))
        if what == "replace":
            owner.body[at] = draw(statement_for(self.project, owner.name))
        elif what == "insert" and len(owner.body) < 6:
            owner.body.insert(at, draw(statement_for(self.project, owner.name)))
        elif what == "remove" and len(owner.body) > 1:
            del owner.body[at]
        elif what == "swap":
            owner.body.append(owner.body.pop(at))
        self.edited(f"{owner.name}: {owner.body}")

    def add_helper(self, draw: Draw) -> None:
        if len(self.project.helpers) < 12:
            self.project.made += 1
            name = f"c{50 + self.project.made}"
            self.project.helpers[name] = draw(helpers(self.project, name))
            self.edited(f"new: {self.project.helpers[name]}")

    def add_process(self, draw: Draw) -> None:
        if len(self.project.processes) < 6:
            self.project.made += 1
            add_process(draw, self.project, f"p{50 + self.project.made}")
            self.edited("another process")

    # Edits of inputs

    def what_is_read(self, draw: Draw) -> None:
        """A file has another content, appears in a folder or is gone; a variable or the seed is another."""
        project = self.project
        kind, _, name = pick([*sorted(self.used.intersection(INPUTS)) * 3, *INPUTS], draw(PICK)).partition(" ")
        value = draw(st.none() | NUMBERS)
        if kind == "seed":
            project.seed = 40 + (value or 0)
        elif kind == "folder":
            project.folders[name] ^= {(value or 0) % 5}
        elif kind == "env":
            project.variables[name] = value
        else:
            project.files[name] = 0 if value is None and name.endswith(".npy") else value
        self.edited(f"{kind} {name}: {value}")

    def parameter(self, draw: Draw) -> None:
        process, what = self.process(draw), draw(st.sampled_from(["given", "default", "shared"]))
        value = draw(st.none() | NUMBERS)
        if what == "given":
            process.given = value
        elif what == "default":
            process.default = value or 0
        else:
            self.project.shared = value or 0
        self.edited(f"{what} parameter of {process.name}: {value}")

    def wire(self, draw: Draw) -> None:
        """A process takes another output, or none, or comes below another process without taking anything of it."""
        names, process = list(self.project.processes), self.process(draw)
        at = names.index(process.name)
        if at:
            upstream = pick(names[:at], draw(PICK))
            process.takes.pop(upstream, None)
            process.above.discard(upstream)
            output = draw(st.sampled_from(["a", "b", "", "above"]))
            if output == "above":
                process.above.add(upstream)
            elif output:
                process.takes[upstream] = output
            self.edited(f"{process.name} takes {process.takes}, is below {process.above}")

    # What must not matter

    def noise(self, draw: Draw) -> None:
        module, noise = draw(st.sampled_from([*MODULES, "pk.__init__", "registry"])), draw(st.integers(0, 1023))
        self.project.noise[module] = noise
        self.edited(f"noise {noise:b} in {module}")

    def flip(self, draw: Draw) -> None:
        self.project.flipped = not self.project.flipped
        self.edited("processes in another order")

    def bystander(self, draw: Draw) -> None:
        self.project.bystander = self.project.unused = draw(NUMBERS)
        self.edited(f"a file, a variable and a parameter that nobody asks for: {self.project.unused}")

    def touch(self, draw: Draw) -> None:
        self.again = True
        self.edited("all files are written anew")

    def move(self, draw: Draw) -> None:
        moved = Path(self.folder) / f"project{len(self.told)}"
        self.sandbox.root.rename(moved)
        self.sandbox = Sandbox(moved)
        self.edited("the project is elsewhere")

    # Several edits at once, and damage

    def revert(self, draw: Draw) -> None:
        made, back = self.project.made, draw(st.integers(1, 20))
        if self.versions:
            self.project = copy.deepcopy(self.versions[-min(back, len(self.versions))])
            self.project.made = made
            self.edited(f"as it was {back} edits ago")

    def together(self, draw: Draw) -> None:
        """The next few edits are made without a run between them."""
        self.pause = draw(st.integers(1, 3))

    def damage(self, draw: Draw) -> None:
        blobs = sorted(path for path in (self.sandbox.root / ".expops" / "blobs").rglob("*") if path.is_file())
        if blobs:
            which, how = draw(PICK), draw(st.sampled_from(["gone", "cut", "other"]))
            damage(pick(blobs, which), how)
            self.expected.doubt()
            self.edited(f"blob {which} {how}")

    def clear(self, draw: Draw) -> None:
        shutil.rmtree(self.sandbox.root / ".expops", ignore_errors=True)
        self.expected.forget()
        self.edited("the cache is gone")


# Of a hundred edits or so, how many are of each kind.
OFTEN = {"constant": 9, "holder": 2, "kind": 8, "source": 6, "use": 5, "expression": 5, "statement": 12}
OFTEN |= {"add_helper": 3, "add_process": 2, "what_is_read": 20, "parameter": 5, "wire": 3}
OFTEN |= {"noise": 6, "flip": 1, "bystander": 1, "touch": 1, "move": 1, "revert": 6, "together": 4}
OFTEN |= {"damage": 2, "clear": 1}


def pick(items: list[Any], which: int) -> Any:
    return items[which % len(items)]


def damage(blob: Path, how: str) -> None:
    blob.parent.chmod(0o755)
    blob.chmod(0o644)
    data = blob.read_bytes()
    if how == "gone":
        blob.unlink()
    else:
        blob.write_bytes(data[: len(data) // 2] if how == "cut" else b"x" + data[1:])


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    yield
    folder.forget_environment()


def make_edits(edits: int) -> None:
    run_state_machine_as_test(
        Edits,
        settings=settings(max_examples=max(edits // IN_A_ROW, 1), stateful_step_count=IN_A_ROW, print_blob=True),
    )


def test_a_few_edits() -> None:
    make_edits(300)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_many_edits() -> None:
    before = Edits.made
    try:
        make_edits(IN_ALL)
    finally:
        print(f"{Edits.made - before} edits")
