"""Buckets in the memory of the test's process, and in a folder."""

from __future__ import annotations

from pathlib import Path

from obstore.store import MemoryStore

from expops.blobs.bucket import BucketStore
from expops.buckets.bucket import Bucket
from expops.buckets.clients import Clients
from expops.buckets.place import Place
from expops.kv.bucket import BucketKV


def memory_bucket() -> Bucket:
    held = MemoryStore()
    return Bucket(Place("s3", "memory"), Clients(held, held, ()))


def folder_bucket(folder: Path) -> Bucket:
    return Bucket(Place("folder", str(folder), "team/project"))


def corrupt(store: BucketStore, digest: str) -> None:
    """Flip a bit of a blob in the bucket."""
    bucket, name = store._bucket(), f"blobs/{digest[:2]}/{digest[2:]}"
    found = bucket.get(name, 1 << 30)
    assert found is not None
    bucket.put(name, bytes([found.data[0] ^ 1]) + found.data[1:])


def kv(bucket: Bucket) -> BucketKV:
    return BucketKV(lambda: bucket)


def blobs(bucket: Bucket) -> BucketStore:
    return BucketStore(lambda: bucket)
