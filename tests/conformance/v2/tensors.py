"""Tensors of the protocol as numpy arrays, and back."""
import struct

import numpy as np

KINDS = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32,
    "UINT64": np.uint64, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32,
    "INT64": np.int64, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
    "BYTES": np.object_,
}
# The field of InferTensorContents, and whether a datatype exists in JSON at all.
TYPED_FIELDS = {
    "BOOL": "bool_contents", "UINT8": "uint_contents", "UINT16": "uint_contents",
    "UINT32": "uint_contents", "UINT64": "uint64_contents", "INT8": "int_contents",
    "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}


def to_bytes(datatype, array):
    """The raw form: little-endian, row-major; BF16 is cut off float32."""
    if datatype == "BYTES":
        elements = [e.encode() if isinstance(e, str) else e for e in array.ravel()]
        return b"".join(struct.pack("<I", len(e)) + e for e in elements)
    if datatype == "BF16":
        return (np.ascontiguousarray(array, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
    kind = np.dtype(KINDS[datatype]).newbyteorder("<")
    return np.ascontiguousarray(array, kind).tobytes()


def from_bytes(datatype, shape, raw):
    if datatype == "BYTES":
        elements, at = [], 0
        while at < len(raw):
            (size,) = struct.unpack_from("<I", raw, at)
            elements.append(raw[at + 4:at + 4 + size])
            at += 4 + size
        array = np.empty(len(elements), np.object_)
        array[:] = elements
        return array.reshape(shape)
    if datatype == "BF16":
        return (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    return np.frombuffer(raw, np.dtype(KINDS[datatype]).newbyteorder("<")).reshape(shape)


def to_json(datatype, array):
    """Flat data, as JSON takes it."""
    if datatype == "BYTES":
        return [e if isinstance(e, str) else e.decode() for e in array.ravel()]
    return array.ravel().tolist()


def from_json(datatype, shape, data):
    array = np.array(flat(data), np.object_ if datatype == "BYTES" else KINDS[datatype])
    if datatype == "BYTES":
        array = np.array([e.encode() for e in array] + [None], np.object_)[:-1]
    return array.reshape(shape)


def flat(data):
    if not isinstance(data, list):
        return [data]
    return [e for part in data for e in flat(part)]


def same(left, right):
    """Whether two arrays have the same shape and, up to the last digits, the same elements."""
    if left.shape != right.shape:
        return False
    if left.dtype == np.object_ or right.dtype == np.object_:
        texts = [[e.encode() if isinstance(e, str) else e for e in a.ravel()]
                 for a in (left, right)]
        return texts[0] == texts[1]
    return bool(np.allclose(left.astype(np.float64), right.astype(np.float64), atol=1e-5))
