"""Each earlier spelling means what the canonical one means, and both at once are an error that names both lines."""

from __future__ import annotations

import pytest

from expops.pipeline.config import StoreConfig

HEAD = "scripts: {main: src/main.py, other: src/other.py}\n"
PIPELINE = "{process_adjlist: 'a b', processes: [{name: a}, {name: b}]}"
CANONICAL = HEAD + f"experiment:\n  pipeline: {PIPELINE}\n"


def process(keys: str) -> str:
    return HEAD + f"experiment:\n  pipeline:\n    processes:\n      - {{name: a, {keys}}}\n"


def cache(value: str) -> str:
    return f"{CANONICAL}  cache: {value}\n"


GCS = cache("{object_store: {type: gcs, bucket: b}}")
FIRESTORE = cache("{backend: {type: firestore, gcp_project: p, credentials_json: k.json}}")
ROWS = [
    # sections
    (CANONICAL, HEAD + f"experiment: {{parameters: {{pipeline: {PIPELINE}}}}}"),
    (CANONICAL, HEAD + f"model: {{parameters: {{pipeline: {PIPELINE}}}}}"),
    (CANONICAL, HEAD + f"model: {{pipeline: {PIPELINE}}}"),
    (CANONICAL + "  parameters: {lr: 1}", HEAD + f"model: {{parameters: {{lr: 1, pipeline: {PIPELINE}}}}}"),
    (
        CANONICAL + "  parameters: {lr: 1, n: 2}",
        CANONICAL + "  parameters: {lr: 1}\nmodel: {parameters: {n: 2}}",
    ),
    (GCS, CANONICAL + "  parameters: {cache: {object_store: {type: gcs, bucket: b}}}"),
    (GCS, CANONICAL + "model: {parameters: {cache: {object_store: {type: gcs, bucket: b}}}}"),
    # seeds
    (CANONICAL + "reproducibility: {random_seed: 7}", CANONICAL + "reproducibility: {seed: 7}"),
    # data
    (CANONICAL + "data: {paths: [data/train.csv]}", CANONICAL + "data: {path: data/train.csv}"),
    (CANONICAL + "data: {paths: [data/train.csv]}", CANONICAL + "data: {path: [data/train.csv]}"),
    (CANONICAL + "data: {paths: [data/train.csv]}", CANONICAL + "data: {path: demo/data/train.csv}"),
    (CANONICAL + "data: {paths: [data/train.csv]}", CANONICAL + "data: ./data/train.csv"),
    (CANONICAL + "data: {paths: [data/train.csv, data]}", CANONICAL + "data: [data/train.csv, data/]"),
    (CANONICAL, CANONICAL.replace("src/main.py", "demo/src/main.py")),
    # environments
    (
        CANONICAL + "environment: {default: {type: venv, python_version: '3.9'}}",
        CANONICAL + "environment: {type: venv, python_version: '3.9'}",
    ),
    # adjacency
    (CANONICAL, CANONICAL.replace("'a b'", "[[a, b]]")),
    (CANONICAL, CANONICAL.replace("'a b'", '"# x\\na  b # y\\n\\na b\\nb"')),
    # processes
    (process("code: main.f"), process("code_function: f")),
    (process("code: main.f"), process("code: f")),
    (process("code: main.a"), process("description: ''")),
    (process("code: other.f"), process("script: other, code_function: f")),
    (process("code: other.a"), process("script: other")),
    (process("parameters: {x: 1}"), process("hyperparameters: {x: 1}")),
    (process("cache: false"), process("cache: no")),
    # stores
    (cache("{backend: {type: sqlite}, object_store: {type: folder}}"), CANONICAL),
    (cache("{backend: {type: local}, object_store: {type: local}}"), CANONICAL),
    (cache("{backend: local}"), CANONICAL),
    (cache("local"), CANONICAL),
    (cache("{backend: {type: memory}}"), cache("{kv_backend: memory}")),
    (cache("{backend: {type: memory}}"), cache("{backend: local, kv_backend: memory}")),
    (cache("{backend: {type: redis}}"), cache("{kv_backend: redis}")),
    (cache("{backend: {type: redis, url: 'redis://h:1/0'}}"), cache("{backend: 'redis://h:1/0'}")),
    (cache("{backend: {type: redis, url: 'rediss://h'}}"), cache("{kv_backend: 'rediss://h'}")),
    (cache("{backend: {type: postgresql, url: 'postgresql://h/d'}}"), cache("{backend: 'postgresql://h/d'}")),
    (FIRESTORE, cache("{backend: {type: gcp, gcp_project: p, credentials_json: k.json}}")),
    (FIRESTORE, cache("{backend: {type: firestore, project: p, credentials_json: k.json}}")),
    (
        cache("{backend: {type: firestore, db: d, prefix: c}}"),
        cache("{backend: {type: gcp, database: d, collection: c}}"),
    ),
    (FIRESTORE, cache("{kv_backend: firestore, gcp_project: p, credentials_json: k.json}")),
    (FIRESTORE, cache("{kv_backend: gcp, gcp_project: p, credentials_json: k.json}")),
    (GCS, cache("gs://b")),
    (GCS, cache("gs://b/")),
    (GCS, cache("{backend: gcs, bucket: b}")),
    (GCS, cache("{backend: 'gs://b'}")),
    (GCS, cache("{object_store: 'gs://b'}")),
    (GCS, cache("{backend: {type: bucket}, object_store: {type: gs, bucket: b}}")),
    (cache("{object_store: {type: gcs, bucket: b, prefix: p/q}}"), cache("gs://b/p/q/")),
    (cache("{object_store: {type: s3, bucket: b, prefix: p}}"), cache("s3://b/p")),
    (cache("{object_store: {type: azure, container: b, prefix: p}}"), cache("az://b/p")),
    (cache("{object_store: {type: azure, container: b}}"), cache("{backend: azure, bucket: b}")),
    (cache("{object_store: {type: azure, container: b}}"), cache("{object_store: {type: az, bucket: b}}")),
    (cache("{object_store: {type: folder, path: /mnt/c}}"), cache("{object_store: 'file:///mnt/c'}")),
    (cache("{backend: bucket, object_store: {type: folder, path: /mnt/c}}"), cache("file:///mnt/c")),
    (cache("{backend: bucket, object_store: {type: folder, path: /mnt/c}}"), cache("{url: 'file:///mnt/c'}")),
    (cache("{backend: local, object_store: {type: folder, path: /mnt/c}}"), cache("{backend: local, url: 'file:///mnt/c'}")),
    (cache("{object_store: {type: s3, bucket: b}, mode: read-only}"), cache("{url: 's3://b', mode: read-only}")),
    (
        cache("{object_store: {type: s3, bucket: b, prefix: p, endpoint: 'http://h:1'}}"),
        cache("{url: 's3://b/p', endpoint: 'http://h:1'}"),
    ),
    (
        cache("{backend: {type: firestore}, object_store: {type: gcs, bucket: b, prefix: p}}"),
        cache("{backend: gcs, bucket: b, prefix: p, kv_backend: firestore}"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("canonical", "earlier"), ROWS)
def test_the_earlier_spelling_means_the_same(workshop, canonical: str, earlier: str) -> None:
    assert _lineless(workshop.load(earlier)) == _lineless(workshop.load(canonical))


def _lineless(config):
    return config._replace(processes=tuple(process._replace(line=0) for process in config.processes))


def test_the_rows_are_not_all_the_default(workshop) -> None:
    """Guards the table: what each spelling sets does arrive."""
    stores = workshop.load(cache("{backend: gcs, bucket: b, kv_backend: firestore, gcp_project: p}")).cache
    assert stores.objects == StoreConfig("gcs", {"bucket": "b", "gcp_project": "p"})
    assert stores.kv == StoreConfig("firestore", {"gcp_project": "p"})
    assert workshop.load(cache("gs://b/p")).cache.kv == StoreConfig("bucket", {})
    config = workshop.load(process("script: other, hyperparameters: {x: 1}, cache: no"))
    assert config.processes[0][2:5] == ("src/other.py", "a", {"x": 1})
    assert config.processes[0].cache is False
    assert workshop.load(CANONICAL).edges == (("a", "b"),)
    assert workshop.load(CANONICAL + "reproducibility: {seed: null}").seed is None
    assert workshop.load(CANONICAL).seed == 42


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            "reproducibility:\n  random_seed: 1\n  seed: 1\n",
            "6: reproducibility.seed: line 5 says the same thing as 'reproducibility.random_seed'; keep one of the two",
        ),
        (
            f"model:\n  parameters:\n    pipeline: {PIPELINE}\n",
            "6: model.parameters.pipeline: line 3 says the same thing as 'experiment.pipeline'; keep one of the two",
        ),
        (
            "  parameters:\n    lr: 1\nmodel:\n  parameters:\n    lr: 1\n",
            "8: model.parameters.lr: line 5 says the same thing as 'experiment.parameters.lr'; keep one of the two",
        ),
        (
            "  cache: {}\n  parameters:\n    cache: {}\n",
            "6: experiment.parameters.cache: line 4 says the same thing as 'experiment.cache'; keep one of the two",
        ),
        (
            "data:\n  path: data\n  paths: [data]\n",
            "6: data.paths: line 5 says the same thing as 'data.path'; keep one of the two",
        ),
        (
            "  cache:\n    backend: memory\n    kv_backend: redis\n",
            "6: experiment.cache.kv_backend: line 5 says the same thing as 'experiment.cache.backend'; keep one of the "
            "two",
        ),
        (
            "  cache:\n    backend: gcs\n    object_store: gs://b\n",
            "6: experiment.cache.object_store: line 5 says the same thing as 'experiment.cache.backend'; keep one of "
            "the two",
        ),
        (
            "  cache:\n    bucket: b\n    object_store: gs://b\n",
            "6: experiment.cache.object_store: line 5 says the same thing as 'experiment.cache.bucket'; keep one of "
            "the two",
        ),
    ],
)
def test_both_spellings_at_once(workshop, lines: str, problem: str) -> None:
    assert workshop.problems(CANONICAL + lines) == [problem]


def test_both_spellings_in_a_process(workshop) -> None:
    text = (
        HEAD + "experiment:\n  pipeline:\n    processes:\n      - name: a\n        code: f\n        code_function: f\n"
    )
    at = "experiment.pipeline.processes.a"
    assert workshop.problems(text + "        parameters: {}\n        hyperparameters: {}\n") == [
        f"7: {at}.code_function: line 6 says the same thing as '{at}.code'; keep one of the two",
        f"9: {at}.hyperparameters: line 8 says the same thing as '{at}.parameters'; keep one of the two",
    ]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{backend: gsc}", "backend: no type of store is called 'gsc'; did you mean 'gcs'?"),
        (
            "{object_store: {type: xyzzy}}",
            "object_store.type: no type of store is called 'xyzzy'; there are: folder, gcs, s3, azure",
        ),
        (
            "{backend: {type: gcs, bucket: b}}",
            "backend.type: 'gcs' is not a type of store here; write it under experiment.cache.object_store",
        ),
        (
            "{object_store: {type: redis}}",
            "object_store.type: 'redis' is not a type of store here; write it under experiment.cache.backend",
        ),
        ("{object_store: {type: gcs}}", "object_store: a store of type gcs needs a bucket; add 'bucket: NAME'"),
        ("{object_store: {bucket: b}}", "object_store: has no type; add one of: folder, gcs, s3, azure"),
        (
            "{object_store: {type: gcs, bucket: b, buckets: c}}",
            "object_store.buckets: unknown key; did you mean 'bucket'?",
        ),
        (
            "{object_store: {type: gcs, bucket: 3}}",
            "object_store.bucket: expected the name of a bucket (letters, digits, '.', '_', '-'), found the number 3; "
            "quote it: '3'",
        ),
        (
            "{backend: {type: redis, port: 99999}}",
            "backend.port: expected a whole number from 1 to 65535, found the number 99999",
        ),
        ("{backend: [redis]}", "backend: expected a mapping with a type, found a list"),
        (
            "{object_store: 'ftp://x'}",
            "object_store: no store has addresses that begin with ftp://; known here: gs://, s3://, az://, file://",
        ),
        ("{bucket: b}", "bucket: no store here takes 'bucket'; write object_store: {type: gcs, bucket: NAME}"),
        ("{backedn: local}", "backedn: unknown key; did you mean 'backend'?"),
    ],
)
def test_stores_are_checked(workshop, value: str, problem: str) -> None:
    assert workshop.problems(cache(value)) == [f"4: experiment.cache.{problem}"]


@pytest.mark.parametrize("address", ["redis://user:secret@host", "s3://key:secret@bucket", "gs://b?token=secret"])
def test_a_password_in_an_address_is_not_shown(workshop, address: str) -> None:
    problems = workshop.problems(cache(f"{{object_store: '{address}'}}"))
    assert problems
    for problem in problems:
        assert "secret" not in problem


@pytest.mark.parametrize("value", ["{mode: read-only}", "{backend: 'redis://h', mode: read-only}"])
def test_only_buckets_can_be_read_only(workshop, value: str) -> None:
    (problem,) = workshop.problems(cache(value))
    assert "experiment.cache.mode: only a cache in a bucket" in problem


def test_records_in_a_bucket_need_a_bucket(workshop) -> None:
    (problem,) = workshop.problems(cache("{backend: bucket}"))
    assert "add that: object_store" in problem
