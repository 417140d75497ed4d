"""How a bucket of S3, or of a store that speaks its protocol, is reached, and with which credentials.

obstore knows the variables of the environment, containers, web identities and instances. What it does not know are the
files of the ``aws`` command, which are read here.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from typing import Any, Final

from ..errors import StoreUnavailable
from .place import Place

_KEYS: Final = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
}
_ELSEWHERE: Final = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_SKIP_SIGNATURE",
)
# What a profile says that only Amazon's own library can act on.
_NEEDS_BOTO3: Final = ("role_arn", "sso_session", "sso_start_url", "credential_process")


def arguments(place: Place, environment: Mapping[str, str]) -> dict[str, Any]:
    """What ``S3Store`` is called with."""
    found: dict[str, Any] = {"bucket": place.bucket}
    profile = _profile(environment)
    endpoint = place.endpoint or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    if endpoint:
        # Beside aws_endpoint_url_s3, obstore does not look at the endpoint.
        found["endpoint"] = found["aws_endpoint_url_s3"] = endpoint
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or profile.get("region")
    found["region"] = place.region or region or "us-east-1"
    keys = {name: environment[variable] for name, variable in _KEYS.items() if environment.get(variable)}
    if keys or any(environment.get(name) for name in _ELSEWHERE):
        return {**found, **keys}
    return {**found, **_credentials(profile, environment)}


def _credentials(profile: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, Any]:
    if "aws_access_key_id" in profile and "aws_secret_access_key" in profile:
        token = profile.get("aws_session_token")
        keys = {
            "access_key_id": profile["aws_access_key_id"],
            "secret_access_key": profile["aws_secret_access_key"],
        }
        return {**keys, "session_token": token} if token else keys
    if not any(name in profile for name in _NEEDS_BOTO3):
        return {}
    name = environment.get("AWS_PROFILE", "default")
    try:
        # Heavy, and only for profiles that need it.
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as fault:
        raise StoreUnavailable(
            f"the AWS profile '{name}' signs in or takes on a role, for which boto3 is needed; pip install boto3"
        ) from fault
    return {"credential_provider": Boto3CredentialProvider()}


def _profile(environment: Mapping[str, str]) -> dict[str, str]:
    """What the files of the ``aws`` command say of the profile in use."""
    name = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default"
    home = os.path.join(os.path.expanduser("~"), ".aws")
    places = (
        (environment.get("AWS_CONFIG_FILE") or os.path.join(home, "config"), f"profile {name}"),
        (environment.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.join(home, "credentials"), name),
    )
    found: dict[str, str] = {}
    for path, section in places:
        parser = configparser.ConfigParser(interpolation=None, default_section="\0")
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError) as fault:
            # The parser quotes the line that it can't read, which may be a key.
            raise StoreUnavailable(f"{path} can't be read ({type(fault).__name__}); mend it") from None
        for one in (name, section):
            if parser.has_section(one):
                found |= dict(parser.items(one))
    return found
