"""Identity of values: equal values have equal fingerprints, in every process and under every hash seed."""

from .buffers import BufferDigests
from .fingerprint import fingerprint
from .node import CodeOf

__all__ = ["BufferDigests", "CodeOf", "fingerprint"]
