"""A server of Google Cloud Storage's XML API, in memory: generations, preconditions, ranges, pages, multipart uploads.

Written after https://cloud.google.com/storage/docs/xml-api/reference-uris; no emulator that can be installed honours
preconditions. Faults can be asked for: see :class:`Faults`.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class Blob(NamedTuple):
    data: bytes
    generation: int

    @property
    def written(self) -> float:
        """Seconds since the epoch; as in the real one, generations are times in microseconds."""
        return self.generation / 1e6

    @property
    def headers(self) -> dict[str, str]:
        return {
            "ETag": '"' + hashlib.md5(self.data).hexdigest() + '"',
            "Last-Modified": formatdate(self.written, usegmt=True),
            "x-goog-generation": str(self.generation),
        }


class Buckets:
    """What the server holds, what it was asked, and how it misbehaves."""

    def __init__(self, *names: str) -> None:
        self.objects: dict[str, dict[str, Blob]] = {name: {} for name in names}
        self.lock = threading.Lock()
        self.requests: list[tuple[str, str]] = []
        self.refuse: Callable[[str, str], int] = lambda method, path: 0
        """The status with which a request is refused; 0 for none."""
        self.forget_reply: Callable[[str, str], bool] = lambda method, path: False
        """Whether the connection is cut after a request took effect."""
        self.delay = 0.0
        self.uploads: dict[str, dict[int, bytes]] = {}
        self._generation = int(time.time() * 1e6)

    def counted(self) -> Counter[str]:
        return Counter(method for method, _ in self.requests)

    def generation(self) -> int:
        self._generation = max(self._generation + 1, int(time.time() * 1e6))
        return self._generation


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    held: ClassVar[Buckets]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        bucket, _, name = unquote(parts.path).lstrip("/").partition("/")
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        held = self.held
        held.requests.append((self.command, name))
        time.sleep(held.delay)
        refused = held.refuse(self.command, name)
        if refused:
            self._reply(refused, b"<Error><Code>Refused</Code></Error>")
            return
        if self.command == "PUT" and not name:
            held.objects.setdefault(bucket, {})
        if bucket not in held.objects:
            self._reply(404, b"<Error><Code>NoSuchBucket</Code></Error>")
            return
        with held.lock:
            status, headers, answer = self._answer(held.objects[bucket], name, query, body)
        if held.forget_reply(self.command, name):
            self.close_connection = True
            self.connection.close()
            return
        self._reply(status, answer, headers)

    def _answer(
        self, objects: dict[str, Blob], name: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if not name:
            return 200, {"Content-Type": "application/xml"}, _listing(objects, query)
        if "uploads" in query or "uploadId" in query:
            return self._multipart(objects, name, query, body)
        if self.command == "PUT":
            return self._put(objects, name, body)
        blob = objects.get(name)
        if blob is None:
            return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
        if self.command == "DELETE":
            del objects[name]
            return 204, {}, b""
        return self._get(blob)

    def _get(self, blob: Blob) -> tuple[int, dict[str, str], bytes]:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found is None:
            return 200, blob.headers, blob.data
        start, end = int(found[1]), int(found[2]) + 1 if found[2] else len(blob.data)
        if start >= len(blob.data):
            return 416, {}, b""
        data = blob.data[start:end]
        told = f"bytes {start}-{start + len(data) - 1}/{len(blob.data)}"
        return 206, {**blob.headers, "Content-Range": told}, data

    def _put(self, objects: dict[str, Blob], name: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        wanted = self.headers.get("x-goog-if-generation-match")
        there = objects[name].generation if name in objects else 0
        if wanted is not None and int(wanted) != there:
            return 412, {}, b"<Error><Code>PreconditionFailed</Code></Error>"
        source = self.headers.get("x-goog-copy-source")
        if source is not None:
            found = objects.get(unquote(source).lstrip("/").partition("/")[2])
            if found is None:
                return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
            body = found.data
        objects[name] = Blob(body, self.held.generation())
        return 200, objects[name].headers, b"<CopyObjectResult/>" if source is not None else b""

    def _multipart(
        self, objects: dict[str, Blob], name: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        uploads = self.held.uploads
        if self.command == "POST" and "uploads" in query:
            number = f"upload{len(uploads)}"
            uploads[number] = {}
            answer = f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>"
            return 200, {}, answer.encode()
        number = query["uploadId"]
        if self.command == "PUT":
            uploads[number][int(query["partNumber"])] = body
            return 200, {"ETag": '"' + hashlib.md5(body).hexdigest() + '"'}, b""
        parts = uploads.pop(number, {})
        if self.command == "DELETE":
            return 204, {}, b""
        blob = objects[name] = Blob(b"".join(parts[part] for part in sorted(parts)), self.held.generation())
        tag = escape(blob.headers["ETag"])
        answer = f"<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
        return 200, {"x-goog-generation": str(blob.generation)}, answer.encode()

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()
        except OSError:
            self.close_connection = True  # whoever asked has gone away


def _listing(objects: dict[str, Blob], query: dict[str, str]) -> bytes:
    size = int(query.get("max-keys", "1000"))
    after = query.get("continuation-token", query.get("start-after", ""))
    prefix = query.get("prefix", "")
    names = sorted((name for name in objects if name.startswith(prefix)), key=lambda name: name.encode())
    names = [name for name in names if name.encode() > after.encode()]
    shown, more = names[:size], len(names) > size
    told = "".join(
        f"<Contents><Key>{escape(name)}</Key><Size>{len(objects[name].data)}</Size>"
        f"<LastModified>{datetime.fromtimestamp(objects[name].written, UTC).isoformat()}</LastModified>"
        f"<ETag>{escape(objects[name].headers['ETag'])}</ETag></Contents>"
        for name in shown
    )
    rest = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
    flag = "true" if more else "false"
    return f"<ListBucketResult>{told}{rest}<IsTruncated>{flag}</IsTruncated></ListBucketResult>".encode()


@contextmanager
def gcs_server(*buckets: str) -> Iterator[tuple[str, Buckets]]:
    """The server's URL, and what it holds, until the block ends."""
    held = Buckets(*buckets)
    handler = type("Handler", (Handler,), {"held": held})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", held
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
