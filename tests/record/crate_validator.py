"""The real roc-validator, off line: the one document that it would fetch comes from the package ``rocrate``."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

CONTEXT = "https://w3id.org/ro/crate/1.1/context"

# In a process of its own, since it configures logging, HTTP and colours for the whole process.
_SCRIPT = """
import io, json, sys
import requests
from requests.adapters import BaseAdapter
from requests_cache import CachedSession
from rocrate_validator import models, services
from urllib3 import HTTPResponse

folder, cache, context, url, profile, severity = sys.argv[1:]

class FromFile(BaseAdapter):
    def send(self, request, **options):
        found = requests.Response()
        found.status_code, found.url, found.request = 200, request.url, request
        found.headers["Content-Type"] = "application/ld+json"
        body = io.BytesIO(open(context, "rb").read())
        found.raw = HTTPResponse(body, found.headers, 200, preload_content=False, request_url=request.url)
        return found

    def close(self):
        pass

with CachedSession(cache_name=cache, backend="sqlite", expire_after=-1) as session:
    session.mount("https://", FromFile())
    session.get(url)

settings = models.ValidationSettings(
    rocrate_uri=folder, profile_identifier=profile, requirement_severity=models.Severity[severity],
    offline=True, cache_path=cache,
)
result = services.validate(settings)
issues = [f"{issue.check.identifier}: {issue.message} {issue.violatingEntity}" for issue in result.get_issues()]
print("\\n" + json.dumps({"passed": result.passed(), "issues": issues}))
"""


def validate(crate: Path, scratch: Path, profile: str, severity: str = "REQUIRED") -> dict[str, Any]:
    """Whether the crate is valid, and every issue."""
    context = scratch / "context.json"
    context.write_bytes(files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes())
    assert json.loads(context.read_bytes())["@id"] == CONTEXT
    command = [
        sys.executable,
        "-c",
        _SCRIPT,
        str(crate),
        str(scratch / "http"),
        str(context),
        CONTEXT,
        profile,
        severity,
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=scratch)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found
