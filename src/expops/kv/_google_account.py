"""Who one is to Google's servers. Imported only where such a server is asked, and not for an emulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.urllib3 import Request

from ..errors import StoreUnavailable

if TYPE_CHECKING:
    import urllib3

_SCOPES: Final = ("https://www.googleapis.com/auth/datastore",)
_SECONDS: Final = 10.0
_MEND: Final = "run `gcloud auth application-default login`, or set credentials_json"


class Account(NamedTuple):
    """``sign`` adds to headers what tells the server who one is; ``project`` is that of the credentials, or empty.

    ``sign`` raises :class:`~expops.errors.StoreUnavailable`, with nothing of what the credentials are.
    """

    project: str
    sign: Callable[[dict[str, str]], None]


def account(pool: urllib3.PoolManager, address: str, file: str) -> Account:
    """The account of ``file``, or without one that which Google's own tools would find.

    Raises :class:`~expops.errors.StoreUnavailable` where there is none.
    """
    request = partial(Request(pool), timeout=_SECONDS)
    found, project = _of_file(file) if file else _default(request)

    def sign(headers: dict[str, str]) -> None:
        try:
            found.before_request(request, "POST", address, headers)
        except GoogleAuthError as fault:
            told = f"the credentials give no access ({type(fault).__name__})"
            raise StoreUnavailable(f"Firestore can't be used: {told}; {_MEND}") from fault

    return Account(project or "", sign)


def _default(request: Callable[..., Any]) -> tuple[Any, str | None]:
    try:
        found: tuple[Any, str | None] = google.auth.default(scopes=_SCOPES, request=request)
    except GoogleAuthError as fault:
        raise StoreUnavailable(f"Firestore can't be used: there are no credentials; {_MEND}") from fault
    return found


def _of_file(file: str) -> tuple[Any, str | None]:
    from google.oauth2 import credentials, service_account

    try:
        with open(file, encoding="utf-8") as opened:
            told = json.load(opened)
        kind = told.get("type") if isinstance(told, dict) else None
        if kind == "service_account":
            return service_account.Credentials.from_service_account_info(told, scopes=_SCOPES), told.get("project_id")
        if kind == "authorized_user":
            return credentials.Credentials.from_authorized_user_info(told, scopes=_SCOPES), told.get("quota_project_id")
    except OSError as fault:
        raise StoreUnavailable(f"{_no_key(file)} ({fault.strerror})") from fault
    except (ValueError, GoogleAuthError) as fault:
        raise StoreUnavailable(_no_key(file)) from fault
    raise StoreUnavailable(f"{_no_key(file)}, or name other credentials by GOOGLE_APPLICATION_CREDENTIALS")


def _no_key(file: str) -> str:
    mend = "give the JSON file of a service account's key"
    return f"Firestore can't be used: {file}, from credentials_json, holds no key of an account; {mend}"
