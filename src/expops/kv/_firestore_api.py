"""Calls of Firestore's REST interface, and their faults in words (docs/decisions/0017)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as NoAnswer

from ..errors import StoreUnavailable
from .address import without_credentials

_GOOGLE: Final = "https://firestore.googleapis.com"
_CONNECT_SECONDS: Final = 3.0
_SECONDS: Final = 10.0  # without a byte of the reply
_TRIES: Final = 4
_PAUSE: Final = 0.1  # seconds, and twice as many before each further try
_CONNECTIONS: Final = 16
_ABORTED: Final = "ABORTED"  # by another's write; nothing was done
_REFUSALS: Final = ("ALREADY_EXISTS", "FAILED_PRECONDITION", "NOT_FOUND")
_BUSY: Final = (429, 500, 502, 503, 504)
_MENDS: Final = {
    401: "the credentials are refused; run `gcloud auth application-default login`, or set credentials_json",
    403: "give the account the role 'Cloud Datastore User' in that project, and enable its Firestore API",
    404: "make the database (`gcloud firestore databases create`), or name another one by 'db'",
    429: "the quota is used up; wait, or raise it",
}


class Refused(Exception):
    """A write's condition does not hold."""


class Target(NamedTuple):
    """A database. ``project`` may be empty, for that of the credentials, which a file may hold."""

    project: str
    database: str
    endpoint: str = ""
    credentials: str = ""

    def address(self, environment: Mapping[str, str]) -> str:
        """The server's."""
        host = environment.get("FIRESTORE_EMULATOR_HOST", "")
        return (self.endpoint or (f"http://{host}" if host else _GOOGLE)).rstrip("/")


class _Session(NamedTuple):
    """What one process has of a server."""

    pool: urllib3.PoolManager
    address: str
    project: str
    sign: Callable[[dict[str, str]], None]

    def send(self, path: str, data: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        self.sign(headers)
        reply = self.pool.urlopen("POST", f"{self.address}/v1/{path}", body=data, headers=headers)
        return reply.status, reply.data


class API:
    """A database, by calls; safe to use from several threads, and on both sides of a fork."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._made: tuple[int, _Session] | None = None

    def documents(self) -> str:
        """What the names of all documents begin with."""
        return f"projects/{self._session().project}/databases/{self._target.database}/documents"

    def call(self, method: str, body: object, *, again: bool = True, conditional: bool = False) -> Any:
        """The reply to ``method``. With ``again``, it is sent again if it is not known whether it was carried out.

        Raises :class:`Refused` for what is ``conditional``, and :class:`~expops.errors.StoreUnavailable` for all else.
        """
        data = json.dumps(body, separators=(",", ":")).encode()
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                status, reply = self._session().send(f"{self.documents()}:{method}", data)
            except HTTPError as fault:
                if last or not again or isinstance(fault, NoAnswer):
                    raise self._unavailable(_told(fault)) from fault
            else:
                if status == 200:
                    return json.loads(reply)
                name, message = _error(reply)
                if conditional and name in _REFUSALS:
                    raise Refused(message)
                if last or not (name == _ABORTED or (again and status in _BUSY)):
                    raise self._fault(status, name, message)
            time.sleep(_PAUSE * 2**attempt)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Let the connections go; another call makes new ones."""
        made, self._made = self._made, None
        if made is not None and made[0] == os.getpid():
            made[1].pool.clear()

    def _fault(self, status: int, name: str, message: str) -> StoreUnavailable:
        told = ": ".join(part for part in (f"{status} {name}".strip(), message) if part)
        mend = _MENDS.get(status)
        return self._unavailable(f"{told}; {mend}" if mend else told)

    def _unavailable(self, told: str) -> StoreUnavailable:
        address = self._target.address(os.environ)
        where = "" if address == _GOOGLE else f" at {without_credentials(address)}"
        return StoreUnavailable(f"Firestore{where} can't be used: {told}")

    def _session(self) -> _Session:
        """That of this process: a child of a fork must not talk on its parent's connections."""
        if self._made is None or self._made[0] != os.getpid():
            self._made = (os.getpid(), self._connected())
        return self._made[1]

    def _connected(self) -> _Session:
        target, address = self._target, self._target.address(os.environ)
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_SECONDS)
        pool = urllib3.PoolManager(maxsize=_CONNECTIONS, retries=False, timeout=timeout)
        project = target.project or os.environ.get("GOOGLE_CLOUD_PROJECT", "")
        if address.startswith("http://"):
            # No server of Google's but an emulator, which knows no accounts; nor are credentials sent in the clear.
            return _Session(pool, address, project or "emulator", _as_owner)
        from ._google_account import account

        found = account(pool, address, target.credentials)
        if not (project or found.project):
            raise self._unavailable("the credentials name no project; add 'gcp_project: NAME'")
        return _Session(pool, address, project or found.project, found.sign)


def _as_owner(headers: dict[str, str]) -> None:
    headers["Authorization"] = "Bearer owner"


def _told(fault: HTTPError) -> str:
    if isinstance(fault, NoAnswer):
        return "no answer; check the network and the address"
    return f"the connection broke ({type(fault).__name__}); try again"


def _error(reply: bytes) -> tuple[str, str]:
    """Name and words of a refusal; empty where somebody between says it in another form."""
    try:
        told = json.loads(reply)
        error = (told[0] if isinstance(told, list) else told)["error"]
        return str(error["status"]), str(error["message"])
    except (ValueError, LookupError, TypeError):
        return "", ""
