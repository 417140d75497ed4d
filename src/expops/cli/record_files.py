"""Documents of runs for the commands that take one: from the ledger, or from a file."""

from __future__ import annotations

import json
from typing import Any

from ..errors import CorruptData, UsageError
from ..record.document import Run, check_document, run_document
from . import opening
from .records import find_run, status_of


def stored_document(stores: opening.Stores, name: str) -> dict[str, Any]:
    """The document of a run in the ledger. Raises :class:`~expops.errors.UnknownName`."""
    run = find_run(stores.ledger, name)
    return run_document(
        Run(run, status_of(run), stores.ledger.actions(run.run_id), stores.ledger.metrics(run.run_id)), stores.cache.kv
    )


def load_document(path: str) -> dict[str, Any]:
    """The document in a file. Raises :class:`UsageError` for one that is none, or not whole."""
    try:
        with open(path, encoding="utf-8") as file:
            return check_document(json.load(file))
    except OSError as fault:
        raise UsageError(f"{path} can't be read: {fault.strerror or fault}") from fault
    except ValueError as fault:
        raise UsageError(f"{path} is no JSON: {fault}; `expops export RUN -o {path}` writes one") from fault
    except CorruptData as fault:
        raise UsageError(f"{path}: {fault}") from fault
