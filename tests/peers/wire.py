"""PTTH's messages and fingerprints, written from the facts about the real programs alone.

MessagePack as far as the tunnel has it (serde's structs as arrays, enums as {index: nil}, bytes as
arrays of integers), and BLAKE3 for inputs of one chunk. Nothing here is shared with the C++ side.
"""

import base64
import struct

METHODS = ["GET", "HEAD", "POST", "PUT"]
STATUSES = [200, 204, 206, 304, 307, 400, 403, 404, 405, 416, 500]


# --- MessagePack -------------------------------------------------------------------------------

def _sized(count: int, fix: int, fix_limit: int, forms: list[tuple[int, int, str]]) -> bytes:
    if count < fix_limit:
        return bytes([fix | count])
    for limit, code, pack in forms:
        if count < limit:
            return bytes([code]) + struct.pack(pack, count)
    raise ValueError("too large")


def pack_text(text: str) -> bytes:
    data = text.encode()
    return _sized(len(data), 0xa0, 32, [(1 << 8, 0xd9, ">B"), (1 << 16, 0xda, ">H"), (1 << 32, 0xdb, ">I")]) + data


def pack_array_head(count: int) -> bytes:
    return _sized(count, 0x90, 16, [(1 << 16, 0xdc, ">H"), (1 << 32, 0xdd, ">I")])


def pack_map_head(count: int) -> bytes:
    return _sized(count, 0x80, 16, [(1 << 16, 0xde, ">H"), (1 << 32, 0xdf, ">I")])


def pack_bytes(data: bytes) -> bytes:
    """As an array of integers."""
    return pack_array_head(len(data)) + b"".join(bytes([b]) if b < 128 else bytes([0xcc, b]) for b in data)


def pack_headers(headers: dict[str, bytes]) -> bytes:
    return pack_map_head(len(headers)) + b"".join(pack_text(k) + pack_bytes(v) for k, v in headers.items())


def pack_variant(index: int) -> bytes:
    return bytes([0x81, index, 0xc0])


class Unpacker:
    """Reads one value after the other. ValueError: not what was expected."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError("truncated")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, pack: str) -> int:
        return struct.unpack(pack, self.take(struct.calcsize(pack)))[0]

    def value(self):
        """Anything; maps as lists of pairs."""
        code = self.take(1)[0]
        if code < 0x80:
            return code
        if code < 0x90:
            return Pairs((self.value(), self.value()) for _ in range(code & 15))
        if code < 0xa0:
            return [self.value() for _ in range(code & 15)]
        if code < 0xc0:
            return self.take(code & 31).decode()
        if code >= 0xe0:
            return code - 256
        if code in (0xc0, 0xc2, 0xc3):
            return {0xc0: None, 0xc2: False, 0xc3: True}[code]
        sizes = {0xc4: ">B", 0xc5: ">H", 0xc6: ">I", 0xd9: ">B", 0xda: ">H", 0xdb: ">I",
                 0xdc: ">H", 0xdd: ">I", 0xde: ">H", 0xdf: ">I"}
        plain = {0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q", 0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
        if code in plain:
            return self.number(plain[code])
        if code not in sizes:
            raise ValueError(f"code {code:#x}")
        count = self.number(sizes[code])
        if code <= 0xc6:
            return self.take(count)
        if code <= 0xdb:
            return self.take(count).decode()
        if code <= 0xdd:
            return [self.value() for _ in range(count)]
        return Pairs((self.value(), self.value()) for _ in range(count))


class Pairs(list):
    """A map, with its pairs in order and doubled keys kept."""


def _variant(value, count: int) -> int:
    if not isinstance(value, Pairs) or len(value) != 1 or value[0][1] is not None:
        raise ValueError(f"no variant: {value!r}")
    index = value[0][0]
    if not isinstance(index, int) or not 0 <= index < count:
        raise ValueError(f"no index: {index!r}")
    return index


def _headers(value) -> dict[str, bytes]:
    if not isinstance(value, Pairs):
        raise ValueError("headers are no map")
    headers = {}
    for name, data in value:
        if not isinstance(name, str) or not isinstance(data, list) or isinstance(data, Pairs):
            raise ValueError("a header is none")
        headers[name] = bytes(data)
    return headers


def pack_requests(requests: list[tuple[str, str, str, dict[str, bytes]]]) -> bytes:
    """(id, method, uri, headers) each."""
    return pack_array_head(len(requests)) + b"".join(
        b"\x92" + pack_text(identity) + b"\x93" + pack_variant(METHODS.index(method)) + pack_text(uri)
        + pack_headers(headers) for identity, method, uri, headers in requests)


def unpack_requests(data: bytes) -> list[tuple[str, str, str, dict[str, bytes]]]:
    requests = []
    for identity, (method, uri, headers) in Unpacker(data).value():
        requests.append((identity, METHODS[_variant(method, len(METHODS))], uri, _headers(headers)))
    return requests


def pack_head(status: int, headers: dict[str, bytes]) -> str:
    """The magic header's value."""
    return base64.b64encode(b"\x92" + pack_variant(STATUSES.index(status)) + pack_headers(headers)).decode()


def unpack_head(text: str) -> tuple[int, dict[str, bytes]]:
    data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    status, headers = Unpacker(data).value()
    return STATUSES[_variant(status, len(STATUSES))], _headers(headers)


# --- BLAKE3 of at most one chunk (1024 bytes) ----------------------------------------------------

_IV = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]
_ORDER = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
_COLUMNS = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
            (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]


def _compress(chaining: list[int], block: bytes, size: int, flags: int) -> list[int]:
    def rotate(x: int, by: int) -> int:
        return (x >> by | x << 32 - by) & 0xffffffff

    state = chaining + _IV[:4] + [0, 0, size, flags]
    words = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(_COLUMNS):
            for word, (first, second) in ((words[2 * i], (16, 12)), (words[2 * i + 1], (8, 7))):
                state[a] = (state[a] + state[b] + word) & 0xffffffff
                state[d] = rotate(state[d] ^ state[a], first)
                state[c] = (state[c] + state[d]) & 0xffffffff
                state[b] = rotate(state[b] ^ state[c], second)
        words = [words[i] for i in _ORDER]
    return [state[i] ^ state[i + 8] for i in range(8)]


def blake3(data: bytes) -> bytes:
    if len(data) > 1024:
        raise ValueError("one chunk only")
    blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
    chaining = list(_IV)
    for i, block in enumerate(blocks):
        flags = (1 if i == 0 else 0) | (2 | 8 if i == len(blocks) - 1 else 0)  # CHUNK_START, CHUNK_END | ROOT
        chaining = _compress(chaining, block, len(block), flags)
    return struct.pack("<8I", *chaining)


def tripcode(key: bytes) -> str:
    return base64.b64encode(blake3(key)).decode()


def file_etag(size: int, seconds: int, nanoseconds: int) -> bytes:
    """The ETag of ptth_server: BLAKE3 of the MessagePack of [size, [seconds, nanoseconds]], in hex."""
    def integer(value: int) -> bytes:
        for limit, code, pack in ((128, None, ">B"), (1 << 8, 0xcc, ">B"), (1 << 16, 0xcd, ">H"),
                                  (1 << 32, 0xce, ">I"), (1 << 64, 0xcf, ">Q")):
            if value < limit:
                return (b"" if code is None else bytes([code])) + struct.pack(pack, value)
        raise ValueError("too large")

    return blake3(b"\x92" + integer(size) + b"\x92" + integer(seconds) + integer(nanoseconds)).hex().encode()
