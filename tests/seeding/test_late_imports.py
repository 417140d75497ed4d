"""Libraries that are first imported inside an action. Each case runs in an interpreter that hasn't loaded them."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import sys
from expops.seeding.session import SeededAction, active
assert "numpy" not in sys.modules and "random" not in sys.modules
NUMBERS = {"random": 11, "numpy.random": 22}
def seeds(n):
    return lambda name: n + NUMBERS[name]
finders = list(sys.meta_path)
"""
EPILOGUE = """
assert active() is None
assert [type(f).__name__ for f in sys.meta_path].count("LateImports") == 0
print("passed")
"""


def run(code: str) -> None:
    # Isolated: nothing of the environment loads a library first. Without site: neither do .pth files.
    path = f"import sys\nsys.path[:] = {sys.path!r}\n"
    program = path + PRELUDE + textwrap.dedent(code) + EPILOGUE
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("passed\n")


def test_a_library_is_seeded_as_it_loads() -> None:
    run("""
        with SeededAction(seeds(0)) as action:
            import numpy as np
            found = np.random.rand(3).tolist()
        assert "numpy.random" in action.drew
        assert found == np.random.RandomState(22).rand(3).tolist()
    """)


def test_random_is_seeded_as_it_loads_through_another_module() -> None:
    run("""
        with SeededAction(seeds(0)) as action:
            import tempfile, random
            found = random.random()
        assert action.drew == ("random",)
        assert found == random.Random(11).random()
    """)


def test_names_imported_from_it_draw_from_the_seed() -> None:
    run("""
        with SeededAction(seeds(0)):
            from random import random as draw
            from numpy.random import rand
            found = draw(), rand()
        import random, numpy as np
        assert found == (random.Random(11).random(), np.random.RandomState(22).rand())
    """)


def test_a_library_that_is_loaded_but_not_drawn_from_is_not_named() -> None:
    run("""
        with SeededAction(seeds(0)) as action:
            import random, numpy
            import numpy.random
        assert action.drew == ()
    """)


def test_without_an_enclosing_action_the_state_of_the_import_comes_back() -> None:
    run("""
        with SeededAction(seeds(0)):
            import random, numpy as np
            seeded = random.random(), np.random.rand()
            random.random()
        after = random.random(), np.random.rand()
        random.seed(11); np.random.seed(22)
        assert seeded == (random.random(), np.random.rand())
        stream = [(random.random(), np.random.rand()) for _ in range(50)]
        assert not any(a in pair for pair in stream for a in after)
    """)


@pytest.mark.parametrize("where", ["step", "process", "nested step"])
@pytest.mark.parametrize("skipped", [False, True])
def test_the_enclosing_stream_is_the_same_wherever_the_library_loads(where: str, skipped: bool) -> None:
    run(f"""
        where, skipped = {where!r}, {skipped!r}
        def load(here):
            if where == here:
                import numpy, numpy.random, random
        with SeededAction(seeds(100)) as process:
            load("process")
            if not skipped:
                with SeededAction(seeds(200)) as step:
                    load("step")
                    with SeededAction(seeds(300)) as nested:
                        load("nested step")
                        import random, numpy as np
                        assert random.random() == random.Random(311).random()
                        assert np.random.rand() == np.random.RandomState(322).rand()
                    assert nested.drew == ("random", "numpy.random")
                    assert np.random.rand() == np.random.RandomState(222).rand()
                assert step.drew == ("numpy.random",)
            import random, numpy as np
            found = random.random(), np.random.randn()
        assert process.drew == ("random", "numpy.random")
        assert found == (random.Random(111).random(), np.random.RandomState(122).randn())
    """)


def test_loading_inside_a_step_counts_for_the_step_only() -> None:
    run("""
        with SeededAction(seeds(100)) as process:
            with SeededAction(seeds(200)) as step:
                import random
                random.random()
        assert step.drew == ("random",)
        assert process.drew == ()
    """)


def test_the_module_looks_as_if_nobody_had_been_there() -> None:
    run("""
        import importlib.machinery, importlib.util
        with SeededAction(seeds(0)):
            spec = importlib.util.find_spec("random")
            assert spec.loader.get_source("random").startswith('\"\"\"Random variable')
            import random, numpy.random
        for module in (random, numpy.random):
            assert type(module.__loader__) is importlib.machinery.SourceFileLoader, module.__loader__
            assert module.__spec__.loader is module.__loader__
    """)


def test_a_spec_that_is_found_inside_and_executed_outside_does_no_harm() -> None:
    run("""
        import importlib.util
        with SeededAction(seeds(0)) as action:
            spec = importlib.util.find_spec("random")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert 0 <= module.random() < 1
        assert action.drew == ()
    """)


def test_an_import_that_fails_can_be_tried_again() -> None:
    run("""
        sys.modules["_random"] = None
        with SeededAction(seeds(0)) as action:
            try:
                import random
            except ImportError:
                del sys.modules["_random"]
            import random
            found = random.random()
        assert found == random.Random(11).random()
        assert action.drew == ("random",)
    """)


def test_user_finders_around_it_are_asked_and_do_not_loop() -> None:
    run("""
        class AsksAll:
            asked = 0
            def find_spec(self, name, path=None, target=None):
                AsksAll.asked += name == "random"
                for finder in sys.meta_path:
                    if finder is not self and hasattr(finder, "find_spec"):
                        spec = finder.find_spec(name, path, target)
                        if spec is not None:
                            return spec
        for place in (0, 1):
            with SeededAction(seeds(0)) as action:
                sys.meta_path.insert(place, AsksAll())
                import random
                found = random.random()
            assert found == random.Random(11).random()
            assert action.drew == ("random",)
            assert AsksAll.asked
            sys.modules.pop("random")
            sys.meta_path[:] = finders
            AsksAll.asked = 0
    """)


def test_a_finder_that_was_put_back_by_user_code_does_nothing_outside() -> None:
    run("""
        with SeededAction(seeds(0)):
            saved = list(sys.meta_path)
        sys.meta_path[:] = saved
        import random
        assert random.random() != random.Random(11).random()
        with SeededAction(seeds(0)):
            pass
        sys.meta_path[:] = finders
    """)


def test_a_library_that_came_past_the_hook_counts_as_drawn_from() -> None:
    run("""
        with SeededAction(seeds(100)) as process:
            with SeededAction(seeds(200)) as step:
                sys.meta_path[:] = finders
                import random
            assert random.random() == random.Random(111).random()
        assert step.drew == ("random",)
        assert process.drew == ("random",)
    """)


def test_an_action_inside_repairs_the_hook() -> None:
    run("""
        with SeededAction(seeds(100)) as process:
            sys.meta_path[:] = finders
            with SeededAction(seeds(200)) as step:
                import random
                assert random.random() == random.Random(211).random()
        assert step.drew == ("random",)
        assert process.drew == ()
    """)


def test_scikit_learn_loaded_inside_draws_from_the_seed() -> None:
    run("""
        with SeededAction(seeds(0)) as action:
            from sklearn.utils import check_random_state
            found = check_random_state(None).rand()
        import numpy as np
        assert found == np.random.RandomState(22).rand()
    """)
