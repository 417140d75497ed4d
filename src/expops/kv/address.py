"""Addresses of servers, and what clients say of them, as they may be shown: without what may be a secret."""

from __future__ import annotations


def without_credentials(url: str) -> str:
    """The address without user, password and options; ``""`` for one in another form, of which nothing is known."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.partition("?")[0].rpartition("@")[2] if separator else ""


def told_of(url: str, fault: Exception) -> str:
    """What a client says, which may quote the address as it was given."""
    text = str(fault).replace(url, without_credentials(url))
    _, _, rest = url.partition("://")
    for part in (rest.rpartition("@")[0], rest.rpartition("@")[0].partition(":")[2], rest.partition("?")[2]):
        if part:
            text = text.replace(part, "…")
    return text
