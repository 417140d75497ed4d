"""What a configuration says, as plain values.

Nothing here depends on where the project's folder lies, so that two checkouts have equal configurations.
"""

from __future__ import annotations

from typing import Final, NamedTuple

CONFIG_PATH: Final = "configs/project_config.yaml"
DEFAULT_SEED: Final = 42
PROFILES: Final = ("fast", "stable", "portable")
SHARING: Final = ("read-write", "read-only")
DATA_ONLY: Final = "data-only"
CODECS: Final = ("all", DATA_ONLY)


class ProcessConfig(NamedTuple):
    """One process of the pipeline.

    ``line`` is where it begins in the configuration; ``script`` is the project-relative path of the file that
    holds ``function``; ``environment`` is the name of one of the environments, or ``""`` where there are
    none. ``cache``, ``version`` and ``ignore`` mean what they do for ``@process``, and add to what that says.
    ``tolerance`` maps outputs, metrics and steps to how far ``expops verify`` lets them differ.
    """

    name: str
    line: int
    script: str
    function: str
    parameters: dict[str, object]
    description: str
    environment: str
    cache: bool
    version: str = ""
    ignore: tuple[str, ...] = ()
    tolerance: dict[str, float] = {}  # noqa: RUF012 (the default of a tuple's field, which nobody alters)


class StoreConfig(NamedTuple):
    """A store by its type and the options of that type.

    KV stores: ``sqlite``, ``memory``, ``redis``, ``postgresql``, ``firestore``, ``bucket``.
    Object stores: ``folder``, ``gcs``, ``s3``, ``azure``.
    """

    type: str
    options: dict[str, object]


class Signing(NamedTuple):
    """Where the keys are that sign what is shared: ``source`` is ``env`` or ``file``, ``name`` that of the variable or
    the path, never a key itself. Without a source, keys are used if ``EXPOPS_SIGNING_KEYS`` is set.

    ``line`` is where it stands in the configuration.
    """

    source: str = ""
    name: str = ""
    line: int = 0


class CacheConfig(NamedTuple):
    """Where results are kept, and the cache's other settings.

    ``libraries`` is the policy for their versions: ``exact``, ``minor`` (the first two parts count) or ``ignore``. With
    ``require_stable``, what ``expops verify`` found unstable is neither taken nor kept. ``mode`` says what is done with
    stores that others share: ``read-write``, or ``read-only``. ``codecs`` is ``all``, or ``data-only``: nothing is
    pickled or unpickled. ``signing`` says with which keys shared records are signed.
    """

    kv: StoreConfig
    objects: StoreConfig
    options: dict[str, object]
    libraries: str = "exact"
    require_stable: bool = False
    mode: str = "read-write"
    codecs: str = "all"
    signing: Signing = Signing()


class Config(NamedTuple):
    """A whole valid configuration in its canonical form.

    ``path`` is the file, relative to the project; ``scripts`` maps keys to project-relative files; ``seed``
    is ``None`` if each run is to draw one; ``edges`` are pairs of upstream and downstream process; ``jobs``
    is ``None`` if the number of cores decides.
    """

    path: str
    name: str
    description: str
    version: str
    scripts: dict[str, str]
    seed: int | None
    profile: str
    data: tuple[str, ...]
    parameters: dict[str, object]
    processes: tuple[ProcessConfig, ...]
    edges: tuple[tuple[str, str], ...]
    cache: CacheConfig
    jobs: int | None
    environment: dict[str, object]
    reporting: dict[str, object]
