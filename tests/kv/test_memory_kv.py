"""The KV store in memory keeps the contract."""

import pytest

from expops.kv.base import KVStore
from expops.kv.memory import MemoryKV
from expops.testing.kv_suite import KVStoreSuite


class TestMemoryKV(KVStoreSuite):
    @pytest.fixture
    def store(self) -> KVStore:
        return MemoryKV()
