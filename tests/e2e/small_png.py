"""Makes PNG files small: at most 256 colours, which a page of text and lines hardly needs more than."""

import collections
import pathlib
import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], len(SIGNATURE)
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        found.append((kind, data[at + 8:at + 8 + size]))
        at += size + 12
    return found


def pixels(data: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height, and rows of RGB. Eight bits a channel, not interlaced: what browsers write."""
    parts = chunks(data)
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
    if depth != 8 or kind not in (2, 6) or interlaced:
        raise ValueError("not such a PNG")
    step = 3 if kind == 2 else 4
    raw = zlib.decompress(b"".join(body for name, body in parts if name == b"IDAT"))
    rows, above = [], bytearray(width * step)
    for y in range(height):
        begin = y * (width * step + 1)
        above = unfiltered(raw[begin], bytearray(raw[begin + 1:begin + 1 + width * step]), above, step)
        rows.append(bytes(above) if step == 3 else bytes(byte for i, byte in enumerate(above) if i % 4 != 3))
    return width, height, rows


def unfiltered(kind: int, line: bytearray, above: bytearray, step: int) -> bytearray:
    for i, byte in enumerate(line):
        left = line[i - step] if i >= step else 0
        up, corner = above[i], above[i - step] if i >= step else 0
        if kind == 1:
            line[i] = (byte + left) & 255
        elif kind == 2:
            line[i] = (byte + up) & 255
        elif kind == 3:
            line[i] = (byte + (left + up) // 2) & 255
        elif kind == 4:
            line[i] = (byte + paeth(left, up, corner)) & 255
    return line


def paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]


def palette_of(rows: list[bytes]) -> tuple[list[bytes], dict[bytes, int]]:
    """256 colours, the most frequent ones that differ, and which of them stands for each colour there is."""
    counts: collections.Counter[bytes] = collections.Counter()
    for row in rows:
        counts.update(row[i:i + 3] for i in range(0, len(row), 3))
    palette: list[bytes] = []
    for color, _ in counts.most_common():
        if len(palette) < 256 and all(distance(color, one) > 40 for one in palette):
            palette.append(color)
    nearest = {color: min(range(len(palette)), key=lambda i: distance(color, palette[i])) for color in counts}
    return palette, nearest


def distance(a: bytes, b: bytes) -> int:
    return sum((x - y) ** 2 for x, y in zip(a, b))


def make_small(path: pathlib.Path) -> None:
    """Writes the file anew, in place."""
    width, height, rows = pixels(path.read_bytes())
    palette, nearest = palette_of(rows)
    lines = b"".join(b"\0" + bytes(nearest[row[i:i + 3]] for i in range(0, len(row), 3)) for row in rows)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)), (b"PLTE", b"".join(palette)),
             (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    path.write_bytes(SIGNATURE + b"".join(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
                                          for kind, body in parts))
