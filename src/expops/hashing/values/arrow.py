"""Rules for Arrow. Imported only once an Arrow value has been met.

Chunks, offsets of slices, and what lies in the slots of nulls do not count.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
from pyarrow import compute
from pyarrow import types as kinds

from ..digest import digest_bytes
from .node import Context, Node, Rule, node


def _type(value: Any, context: Context) -> Node:
    extra = value.__arrow_ext_serialize__() if isinstance(value, pa.ExtensionType) else None
    return node("arrow type", [str(value), extra])


def _field(value: Any, context: Context) -> Node:
    return node("arrow field", [value.name, value.type, value.nullable, _metadata(value)])


def _metadata(value: Any) -> object:
    return sorted(value.metadata.items()) if value.metadata else None


def _schema(value: Any, context: Context) -> Node:
    return node("arrow schema", [list(value), _metadata(value)])


def _table(value: Any, context: Context) -> Node:
    names = [f"[{name!r}]" for name in value.schema.names]
    return node("arrow table", [type(value), value.schema, value.num_rows, *value.columns], ["", "", "", *names])


def _chunked(value: Any, context: Context) -> Node:
    if kinds.is_dictionary(value.type):
        value = value.unify_dictionaries()
    array = value.chunk(0) if value.num_chunks == 1 else value.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        # More than fits the offsets of one array: as many values, one by one.
        return node("arrow chunked", [value.type, value.to_pylist()], ["", ""])
    return node("arrow chunked", [array], [""])


def _array(value: Any, context: Context) -> Node:
    """An array: type, length, which elements are valid, and the valid ones; element by element for rare types."""
    if not any(is_kind(value.type) for is_kind in _COMPACT):
        return node("arrow values", [value.type, value.to_pylist()], ["", ""])
    if value.null_count == 0:
        return node("arrow array", [value.type, len(value), None, _content(value, context)], ["", "", "", ""])
    valid = digest_bytes(_bits(value.is_valid()))
    return node("arrow array", [value.type, len(value), valid, _content(value.drop_null(), context)], [""] * 4)


def _bits(value: Any) -> memoryview | bytes:
    """The elements of a boolean array without nulls, a byte each."""
    return _fixed(value.cast(pa.uint8()), 1)


def _fixed(value: Any, width: int) -> memoryview | bytes:
    """The memory of elements of ``width`` bytes each, without nulls."""
    buffer = value.buffers()[1]
    if buffer is None or not len(value):
        return b""
    return memoryview(buffer)[value.offset * width : (value.offset + len(value)) * width]


def _is_extension(kind: Any) -> bool:
    return isinstance(kind, pa.ExtensionType)


# Types whose nulls can be left out, and whose elements lie in a row in memory.
_COMPACT: Final = (
    kinds.is_primitive,
    kinds.is_string,
    kinds.is_binary,
    kinds.is_large_string,
    kinds.is_large_binary,
    kinds.is_fixed_size_binary,
    kinds.is_decimal,
    kinds.is_list,
    kinds.is_large_list,
    kinds.is_struct,
    kinds.is_dictionary,
    _is_extension,
)


def _content(value: Any, context: Context) -> object:
    """What stands for the elements of an array without nulls."""
    kind = value.type
    if _is_extension(kind):
        return value.storage
    if kinds.is_boolean(kind):
        return digest_bytes(_bits(value))
    if kinds.is_primitive(kind) or kinds.is_decimal(kind) or kinds.is_fixed_size_binary(kind):
        return context.digests.of(memoryview(_fixed(value, kind.bit_width // 8)))
    if kinds.is_string(kind) or kinds.is_binary(kind):
        return _variable(value, pa.int32(), context)
    if kinds.is_large_string(kind) or kinds.is_large_binary(kind):
        return _variable(value, pa.int64(), context)
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        return node("arrow lists", [value.value_lengths(), value.flatten()])
    if kinds.is_struct(kind):
        return node("arrow structs", list(value.flatten()))
    return node("arrow dictionary", [value.indices, value.dictionary])


def _variable(value: Any, kind: Any, context: Context) -> Node | None:
    """Strings or bytes without nulls: where each starts, counted from the first, and all bytes in a row."""
    size = len(value)
    if not size:
        return None
    _, offsets, data = value.buffers()
    marks = pa.Array.from_buffers(kind, size + 1, [None, offsets], 0, value.offset)
    first, last = marks[0].as_py(), marks[-1].as_py()
    if first:
        marks = compute.subtract(marks, pa.scalar(first, kind))
    text = memoryview(b"" if data is None else data)[first:last]
    starts = memoryview(_fixed(marks, kind.bit_width // 8))
    return node("arrow strings", [context.digests.of(starts), context.digests.of(text)])


def _scalar(value: Any, context: Context) -> Node:
    return node("arrow scalar", [value.type, value.as_py()])


RULES: Final[dict[type, Rule]] = {
    pa.DataType: _type,
    pa.Field: _field,
    pa.Schema: _schema,
    pa.Table: _table,
    pa.RecordBatch: _table,
    pa.ChunkedArray: _chunked,
    pa.Array: _array,
    pa.Scalar: _scalar,
}
