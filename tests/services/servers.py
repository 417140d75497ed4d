"""Real servers for tests: started on a free port in a folder of their own, stopped by their pid."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest

STARTUP_SECONDS = 60.0


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: Sequence[str], ready: Callable[[], object], log: Path) -> Iterator[None]:
    """Run a server until the block ends; it has started when ``ready`` no longer raises."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        _wait(process, ready, log)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            ready()
            return
        except Exception as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{process.args} did not start: {log.read_text(errors='replace')}") from error
        time.sleep(0.02)


@contextmanager
def redis_server() -> Iterator[str]:
    """A Redis of the test's own: its URL."""
    import redis

    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (apt-get install redis-server)")
    folder, port = Path(mkdtemp(prefix="expops-redis-")), free_port()
    url = f"redis://127.0.0.1:{port}/0"
    command = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
    ]
    try:
        with serving(command, lambda: redis.Redis.from_url(url).ping(), folder / "log"):
            yield url
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL of the test's own, without durability: its URL."""
    import psycopg

    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    program = os.fspath(found[-1]) if found else shutil.which("initdb")
    if program is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    folder, port = Path(mkdtemp(prefix="expops-postgresql-")), free_port()
    # The server refuses to run as root.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    data, url = os.fspath(folder / "data"), f"postgresql://postgres@127.0.0.1:{port}/postgres"
    initialise = [*as_user, program, "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "-D", data]
    subprocess.run(initialise, check=True, capture_output=True, cwd="/")
    server = os.path.join(os.path.dirname(program), "postgres")
    command = [
        *as_user,
        server,
        "-D",
        data,
        "-p",
        str(port),
        "-c",
        "fsync=off",
        "-c",
        f"unix_socket_directories={folder}",
    ]
    command += ["-c", "listen_addresses=127.0.0.1"]
    try:
        with serving(command, lambda: psycopg.connect(url).close(), folder / "log"):
            yield url
    finally:
        shutil.rmtree(folder)


@contextmanager
def s3_server() -> Iterator[str]:
    """moto's S3: its URL. Credentials may be anything."""
    import sys
    import urllib.request

    program = os.path.join(os.path.dirname(sys.executable), "moto_server")
    if not os.path.exists(program):
        pytest.skip("moto is not installed (pip install 'moto[server,s3]')")
    folder, port = Path(mkdtemp(prefix="expops-s3-")), free_port()
    url = f"http://127.0.0.1:{port}"
    try:
        with serving(
            [program, "-H", "127.0.0.1", "-p", str(port)],
            lambda: urllib.request.urlopen(url + "/moto-api/", timeout=5).close(),
            folder / "log",
        ):
            yield url
    finally:
        shutil.rmtree(folder)


AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def azure_server() -> Iterator[str]:
    """Azurite: the URL of its account. ``AZURITE`` may name its program; CI installs it with npm."""
    program = os.environ.get("AZURITE") or shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite is not installed (npm install --global azurite, or AZURITE=.../azurite-blob)")
    folder, port = Path(mkdtemp(prefix="expops-azure-")), free_port()
    options = ["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence"]
    command = [program, *options, "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    try:
        with serving(command, lambda: socket.create_connection(("127.0.0.1", port), 5).close(), folder / "log"):
            yield f"http://127.0.0.1:{port}/devstoreaccount1"
    finally:
        shutil.rmtree(folder)


@contextmanager
def firestore_server() -> Iterator[str]:
    """The Firestore emulator of the Google Cloud CLI: its address, for ``FIRESTORE_EMULATOR_HOST``.

    ``FIRESTORE_EMULATOR`` may name its program, a JAR.
    """
    import urllib.request

    java, program = shutil.which("java"), firestore_emulator()
    if java is None or program is None:
        wanted = "Java (apt-get install openjdk-17-jre-headless)" if java is None else "the Firestore emulator"
        pytest.skip(f"{wanted} is not installed (gcloud components install cloud-firestore-emulator)")
    folder, port = Path(mkdtemp(prefix="expops-firestore-")), free_port()
    main = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
    command = [java, "-Xmx512m", "-Duser.language=en", "-cp", program, main, "start", "--host=127.0.0.1"]
    try:
        with serving(
            [*command, f"--port={port}"],
            lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close(),
            folder / "log",
        ):
            yield f"127.0.0.1:{port}"
    finally:
        shutil.rmtree(folder)


def firestore_emulator() -> str | None:
    """The emulator's JAR, or none."""
    given = os.environ.get("FIRESTORE_EMULATOR")
    if given:
        return given
    tools = shutil.which("gcloud")
    roots = [Path(tools).resolve().parents[1]] if tools else []
    for root in (*roots, Path("/usr/lib/google-cloud-sdk"), Path("/usr/share/google-cloud-sdk")):
        for found in root.glob("platform/cloud-firestore-emulator/cloud-firestore-emulator*.jar"):
            return str(found)
    return None
