"""Run all benchmarks, or those named: ``python -m benchmarks noop steps values``."""

from __future__ import annotations

import sys

from . import noop, steps, values

BENCHMARKS = {"noop": noop.run, "steps": steps.run, "values": values.run}


def main() -> None:
    for name in sys.argv[1:] or BENCHMARKS:
        print(BENCHMARKS[name](), flush=True)


if __name__ == "__main__":
    main()
