"""``python -m expops`` and the ``expops`` command."""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """Run the command line; gives the exit code."""
    # Planning makes many small objects and no cycles: the collector would only look at them again and again.
    gc.set_threshold(100_000, 20, 20)
    from .cli.main import run_command_line

    return run_command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
