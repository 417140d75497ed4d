"""What a bucket's client says went wrong, in a few words with the mend, and without what may be a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_STATUS: Final = re.compile(r"status code: (\d{3} [A-Za-z ]*[A-Za-z])")
_SHORTEST: Final = 6  # characters of a secret; what is shorter could be part of any word
_LONGEST: Final = 200
_SIGN_IN: Final = "the credentials in use don't allow it; sign in, or get permission"
_MENDS: Final = {
    "401": _SIGN_IN,
    "403": _SIGN_IN,
    "404": "there is no such bucket; make it, or mend its name",
    "429": "it is asked too much; try again later",
    "507": "it is full; free some space or raise the quota",
}
_DOWN: Final = "it is down or busy; try again later"
_NETWORK: Final = "check the network and the address"


def describe(fault: Exception, secrets: Iterable[str]) -> str:
    """One line. The same for all requests that fail in the same way: without names, times and numbers of tries."""
    text = str(fault)
    status = _STATUS.search(text)
    if status is not None:
        return f"{status[1]}: {_MENDS.get(status[1][:3], _DOWN if status[1] >= '5' else _NETWORK)}"
    if "HTTP error" in text or "Error performing" in text:
        return f"no answer; {_NETWORK}"
    return f"{_without(text, secrets)}; {_NETWORK}"


def _without(text: str, secrets: Iterable[str]) -> str:
    line = next((line for line in text.splitlines() if line), "it failed")
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            line = line.replace(secret, "…")
    line = re.sub(r"(://)[^/@\s]*@", r"\1", line)
    return re.sub(r"(://[^\s?]*)\?[^\s)\"'<]*", r"\1", line)[:_LONGEST]
