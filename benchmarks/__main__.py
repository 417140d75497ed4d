"""Run all benchmarks, or those named: ``python -m benchmarks noop steps``."""

from __future__ import annotations

import sys

from . import code, discovery, noop, steps, transfer, values

BENCHMARKS = {
    "code": code.run,
    "discovery": discovery.run,
    "noop": noop.run,
    "steps": steps.run,
    "transfer": transfer.run,
    "values": values.run,
}


def main() -> None:
    for name in sys.argv[1:] or BENCHMARKS:
        print(BENCHMARKS[name](), flush=True)


if __name__ == "__main__":
    main()
