"""Conformance suites, for the project and for people who write backends (docs/backends.md); they need pytest and
Hypothesis."""

from .codec_suite import CodecSuite
from .kv_suite import KVStoreSuite
from .object_store_suite import ObjectStoreSuite

__all__ = ["CodecSuite", "KVStoreSuite", "ObjectStoreSuite"]
