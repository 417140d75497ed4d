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
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edits import folder
from edits.expected import Expected
from edits.making import NUMBERS, add_process, helpers, kinds, projects, sources, statement_for, uses
from edits.model import FILES, FOLDERS, MODULES, VARIABLES, Helper, Process, Project, Step
from edits.oracle import Oracle, Results
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from expops.hashing.values import fingerprint
from sandbox import Sandbox, outcomes, outputs, reasons

IN_ALL = int(os.environ.get("EXPOPS_EDITS", "1500"))
IN_A_ROW = 25
PICK = st.integers(0, 20)
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

    # Helpers for the rules

    def helper(self, which: int) -> Helper:
        """Mostly one that is used: other edits change nothing."""
        return self.project.helpers[pick(self.mostly_used("", list(self.project.helpers)), which)]

    def mostly_used(self, kind: str, names: Sequence[str]) -> list[str]:
        used = [name for name in names if f"{kind} {name}".strip() in self.used]
        return [*(used * 3), *names]

    def owner(self, which: int) -> Step | Process:
        return pick([*self.project.steps.values(), *self.project.processes.values()], which)

    # Edits of code

    @rule(which=PICK, constant=NUMBERS)
    def constant(self, which: int, constant: int) -> None:
        helper = self.helper(which)
        helper.constant = constant
        self.edited(f"constant of {helper.name}: {constant}")

    @rule(which=PICK, kind=kinds())
    def kind(self, which: int, kind: str) -> None:
        helper = self.helper(which)
        if helper.kind != kind:
            helper.kind = kind
            self.edited(f"{helper.name} is a {kind}")

    @rule(which=PICK, source=sources())
    def source(self, which: int, source: Any) -> None:
        helper = self.helper(which)
        helper.source = source
        self.edited(f"constant of {helper.name} from {source}")

    @rule(which=PICK, data=st.data())
    def use(self, which: int, data: st.DataObject) -> None:
        """A helper uses one helper more, or one less."""
        helper = self.helper(which)
        use = data.draw(uses(self.project, helper.module, helper.name))
        if helper.uses and (len(helper.uses) > 1 or not use.ref):
            del helper.uses[0]
        elif use.ref:
            helper.uses.append(use)
        self.edited(f"{helper.name} uses {helper.uses}")

    @rule(which=PICK, how=PICK)
    def expression(self, which: int, how: int) -> None:
        """A helper calls another one in another expression, or imports it in another form."""
        helper = self.helper(which)
        if helper.uses:
            helper.uses[0] = replace(helper.uses[0], **{"how" if how % 2 else "imported": how // 2})
            self.edited(f"{helper.name} uses {helper.uses}")

    @rule(data=st.data())
    @precondition(lambda self: len(self.project.helpers) < 12)
    def add_helper(self, data: st.DataObject) -> None:
        self.project.made += 1
        name = f"c{50 + self.project.made}"
        self.project.helpers[name] = data.draw(helpers(self.project, name))
        self.edited(f"new: {self.project.helpers[name]}")

    @rule(constant=NUMBERS)
    def holder(self, constant: int) -> None:
        self.project.holder = constant
        self.edited(f"the holder adds {constant}")

    @rule(which=PICK, at=PICK, data=st.data())
    def statement(self, which: int, at: int, data: st.DataObject) -> None:
        """A step or process says something else in one place."""
        owner = self.owner(which)
        owner.body[at % len(owner.body)] = data.draw(statement_for(self.project, owner.name))
        self.edited(f"{owner.name}: {owner.body}")

    @rule(which=PICK, at=PICK, data=st.data())
    def insert(self, which: int, at: int, data: st.DataObject) -> None:
        owner = self.owner(which)
        if len(owner.body) < 6:
            owner.body.insert(at % (len(owner.body) + 1), data.draw(statement_for(self.project, owner.name)))
            self.edited(f"{owner.name}: {owner.body}")

    @rule(which=PICK, at=PICK)
    def remove(self, which: int, at: int) -> None:
        owner = self.owner(which)
        if len(owner.body) > 1:
            del owner.body[at % len(owner.body)]
            self.edited(f"{owner.name}: {owner.body}")

    @rule(which=PICK, at=PICK)
    def swap(self, which: int, at: int) -> None:
        owner = self.owner(which)
        at %= len(owner.body)
        owner.body.append(owner.body.pop(at))
        self.edited(f"{owner.name}: {owner.body}")

    # Edits of inputs

    @rule(which=PICK, value=st.none() | NUMBERS)
    def file(self, which: int, value: int | None) -> None:
        name = pick(self.mostly_used("file", FILES), which)
        if value is not None or not name.endswith(".npy"):
            self.project.files[name] = value
            self.edited(f"{name}: {value}")

    @rule(which=PICK, number=st.integers(0, 4))
    def listed(self, which: int, number: int) -> None:
        """A file appears in a folder or is gone."""
        name = pick(self.mostly_used("folder", FOLDERS), which)
        self.project.folders[name] ^= {number}
        self.edited(f"{name} has {self.project.folders[name]}")

    @rule(which=PICK, value=st.none() | NUMBERS)
    def variable(self, which: int, value: int | None) -> None:
        name = pick(self.mostly_used("env", VARIABLES), which)
        self.project.variables[name] = value
        self.edited(f"{name}={value}")

    @rule(seed=st.integers(40, 44))
    def seed(self, seed: int) -> None:
        self.project.seed = seed
        self.edited(f"seed {seed}")

    @rule(which=PICK, value=st.none() | NUMBERS)
    def given(self, which: int, value: int | None) -> None:
        process = pick(list(self.project.processes.values()), which)
        process.given = value
        self.edited(f"{process.name}.q={value}")

    @rule(which=PICK, value=NUMBERS)
    def default(self, which: int, value: int) -> None:
        process = pick(list(self.project.processes.values()), which)
        process.default = value
        self.edited(f"{process.name} has q={value}")

    @rule(value=NUMBERS)
    def shared(self, value: int) -> None:
        self.project.shared = value
        self.edited(f"g={value}")

    @rule(which=PICK, source=PICK, output=st.sampled_from(["a", "b", "", "above"]))
    def wire(self, which: int, source: int, output: str) -> None:
        """A process takes another output, or none, or comes below another process without taking anything of it."""
        names = list(self.project.processes)
        at = which % len(names)
        if at:
            process, upstream = self.project.processes[names[at]], names[source % at]
            process.takes.pop(upstream, None)
            process.above.discard(upstream)
            if output == "above":
                process.above.add(upstream)
            elif output:
                process.takes[upstream] = output
            self.edited(f"{process.name} takes {process.takes}, is below {process.above}")

    @rule(data=st.data())
    @precondition(lambda self: len(self.project.processes) < 6)
    def add_process(self, data: st.DataObject) -> None:
        self.project.made += 1
        add_process(data.draw, self.project, f"p{50 + self.project.made}")
        self.edited("another process")

    # What must not matter

    @rule(module=st.sampled_from([*MODULES, "pk.__init__", "registry"]), noise=st.integers(0, 1023))
    def noise(self, module: str, noise: int) -> None:
        self.project.noise[module] = noise
        self.edited(f"noise {noise:b} in {module}")

    @rule()
    def flip(self) -> None:
        self.project.flipped = not self.project.flipped
        self.edited("processes in another order")

    @rule(value=NUMBERS)
    def bystander(self, value: int) -> None:
        self.project.bystander = value
        self.project.unused = value
        self.edited(f"a file, a variable and a parameter that nobody asks for: {value}")

    @rule()
    def touch(self) -> None:
        self.again = True
        self.edited("all files are written anew")

    @rule()
    def move(self) -> None:
        moved = Path(self.folder) / f"project{len(self.told)}"
        self.sandbox.root.rename(moved)
        self.sandbox = Sandbox(moved)
        self.edited("the project is elsewhere")

    @rule(back=st.integers(1, 20))
    def revert(self, back: int) -> None:
        made = self.project.made
        if self.versions:
            self.project = copy.deepcopy(self.versions[-min(back, len(self.versions))])
            self.project.made = made
            self.edited(f"as it was {back} edits ago")

    @rule(edits=st.integers(1, 3))
    def together(self, edits: int) -> None:
        """The next few edits are made without a run between them."""
        self.pause = edits

    # Damage

    @rule(which=PICK, how=st.sampled_from(["gone", "cut", "other"]))
    def damage_blob(self, which: int, how: str) -> None:
        blobs = sorted(path for path in (self.sandbox.root / ".expops" / "blobs").rglob("*") if path.is_file())
        if blobs:
            damage(pick(blobs, which), how)
            self.expected.doubt()
            self.edited(f"blob {which} {how}")

    @rule(chance=st.integers(0, 4))
    def clear(self, chance: int) -> None:
        if chance == 4:
            shutil.rmtree(self.sandbox.root / ".expops", ignore_errors=True)
            self.expected.forget()
            self.edited("the cache is gone")


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
