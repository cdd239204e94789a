"""Damage: to bytes, to members of archives, to values of JSON, to events of MIDI."""

from __future__ import annotations

import copy
import io
import json
import random
import zipfile

import numpy as np

EDGES = [0, 1, 2, 7, 16, 17, 127, 128, 129, 255]
LARGE = [2**power + more for power in (15, 16, 31, 32, 62, 63) for more in (-1, 0, 1)]


def damaged(rng: random.Random, data: bytes, first: int = 0) -> bytes:
    """Bits turned, lengths exaggerated, pieces lost, repeated, made up."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if len(out) <= first + 4:
            break
        at = rng.randrange(first, len(out))
        size = rng.choice((1, 2, 4, 8, 64))
        kind = rng.randrange(6)
        if kind == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at] = rng.choice(EDGES)
        elif kind == 2:
            number = rng.choice([*LARGE, len(out), len(out) - at]) % 256 ** min(size, 8)
            out[at : at + size] = number.to_bytes(size, rng.choice(("big", "little")))
        elif kind == 3:
            del out[at : at + rng.choice((size, len(out)))]
        elif kind == 4:
            out[at:at] = out[at : at + size]
        else:
            out[at:at] = rng.randbytes(size)
    return bytes(out)


def midi(rng: random.Random, data: bytes) -> bytes:
    """Events put into a track whose length stays right, or damage anywhere."""
    at = data.rfind(b"MTrk")
    if rng.random() < 0.4 or at < 0:
        return damaged(rng, data)
    body = bytearray(data[at + 8 :])
    for _ in range(rng.choice((1, 2, 5))):
        delta = rng.choice((b"\0", b"\x60", b"\x81\0", b"\xff\x7f", b"\xff\xff\x7f", b"\xff" * 4))
        event = rng.choice(
            (
                b"\xff\x51\3" + rng.choice((b"\0\0\0", b"\0\0\1", b"\xff\xff\xff")),
                b"\xff\x58\4" + rng.randbytes(4),
                b"\xff\x59\2" + rng.randbytes(2),
                b"\xff\3\x7f" + rng.randbytes(8),
                b"\xff\x2f\0",
                b"\xf0\x09\x41\x10\x42\x12\x40" + rng.randbytes(5),
                bytes((rng.randrange(128, 256), rng.randrange(256), rng.randrange(256))),
            )
        )
        place = rng.randrange(len(body) + 1)
        body[place:place] = delta + event
    return data[: at + 4] + len(body).to_bytes(4, "big") + bytes(body)


def members_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(members: dict[str, bytes], method: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return content.getvalue()


def archive(rng: random.Random, data: bytes) -> bytes:
    """An npz: the file, a member's bytes, its values, its shape, or its type."""
    if rng.random() < 0.2:
        return damaged(rng, data)
    members = members_of(data)
    name = rng.choice(list(members))
    if rng.random() < 0.3 or not name.endswith(".npy"):
        members[name] = damaged(rng, members[name])
    elif rng.random() < 0.1:
        del members[name]
    else:
        members[name] = _array(rng, members[name])
    return packed(members, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _array(rng: random.Random, data: bytes) -> bytes:
    kind = rng.randrange(3)
    length = int.from_bytes(data[8:10], "little")
    header, body = data[10 : 10 + length].decode("latin-1"), data[10 + length :]
    if kind == 0:
        size = rng.choice((0, 1, 2, -1, 2**31, 2**40, 2**62, 10**30))
        header = header.replace("'shape': (", f"'shape': ({size}, ", 1)
    elif kind == 1:
        types = ("<i8", "<u8", "|u1", ">i4", "<f8", "|b1", "|O", "<U5", "<c16", "|V8", "<i16")
        at = header.index("'descr': '") + 10
        header = header[:at] + rng.choice(types) + header[header.index("'", at) :]
    else:
        array = np.load(io.BytesIO(data), allow_pickle=True)  # a seed of ours
        if array.dtype.kind not in "iuf" or not array.size:
            return damaged(rng, data)
        flat = array.reshape(-1).copy()
        for _ in range(rng.choice((1, 3, 20))):
            value = rng.choice([*EDGES, *LARGE, -1, -128, 500])
            raw = np.array(value % 2**64, np.uint64)
            flat[rng.randrange(min(flat.size, 4000))] = raw.astype(flat.dtype)
        body = flat.tobytes()
    encoded = header.encode("latin-1")
    return data[:8] + len(encoded).to_bytes(2, "little") + encoded + body


def stored(rng: random.Random, data: bytes) -> bytes:
    """A checkpoint: the file, its pickle, or a weight."""
    if rng.random() < 0.3:
        return damaged(rng, data)
    members = members_of(data)
    pickled = [name for name in members if name.endswith("data.pkl")]
    name = rng.choice([*pickled * 9, *members])
    members[name] = damaged(rng, members[name])
    return packed(members, zipfile.ZIP_STORED)


def json_text(rng: random.Random, data: bytes) -> bytes:
    """Values that are none, of other kinds, or of no video; or damage anywhere."""
    if rng.random() < 0.3:
        return rng.choice((damaged(rng, data), b"[" * 100_000, b'{"a":' * 99_999, b"1" * 5000))
    tree = json.loads(data)
    values = (None, "", [], {}, True, -1, 0, 1e-320, 1e308, float("nan"), 10**400, 2**63, [[]])
    for _ in range(rng.choice((1, 1, 2))):
        key = rng.choice(list(tree))
        holder = tree
        if isinstance(tree[key], list) and tree[key] and rng.random() < 0.7:
            holder, key = tree[key], rng.randrange(len(tree[key]))
            if isinstance(holder[key], dict) and holder[key] and rng.random() < 0.8:
                holder = holder[key]
                key = rng.choice(list(holder))
        holder[key] = copy.deepcopy(rng.choice(values))  # never within itself
    return json.dumps(tree).encode()


def riff(rng: random.Random, data: bytes) -> bytes:
    """A SoundFont: its tables, the sizes of its chunks, or its first bytes."""
    tables = data.rfind(b"pdta")
    kind = rng.randrange(4)
    if kind == 0:
        return damaged(rng, data[:400]) + data[400:]
    if kind == 1:
        return data[: rng.choice((0, 3, 12, 100, rng.randrange(len(data))))]
    out = bytearray(data)
    if kind == 2:
        tag = rng.choice((b"phdr", b"pbag", b"pgen", b"inst", b"ibag", b"igen", b"shdr", b"smpl"))
        at = data.find(tag) + 4
        out[at : at + 4] = (rng.choice(LARGE) % 2**32).to_bytes(4, "little")
    else:
        for _ in range(rng.choice((1, 10, 200))):
            out[rng.randrange(tables, len(out))] = rng.choice(EDGES)
    return bytes(out)


# Fields of MP4, AVI and Matroska that tell times, sizes and places.
FIELDS = (
    b"stts", b"stsz", b"stco", b"stsc", b"mdhd", b"mvhd", b"tkhd", b"ctts", b"elst", b"stsd",
    b"avcC", b"strh", b"strf", b"avih", b"idx1", b"\x2a\xd7\xb1", b"\x44\x89", b"\xe7", b"\xb0",
)  # fmt: skip


def film(rng: random.Random, data: bytes) -> bytes:
    """A video: what its container tells, or damage anywhere."""
    at = data.find(rng.choice(FIELDS))
    if rng.random() < 0.4 or at < 0:
        return damaged(rng, data)
    out = bytearray(data)
    for _ in range(rng.choice((1, 2))):
        size = rng.choice((1, 2, 4, 8))
        place = min(at + 3 + rng.randrange(48), len(out) - size)
        number = rng.choice([*LARGE, *EDGES]) % 256**size
        out[place : place + size] = number.to_bytes(size, rng.choice(("big", "little")))
    return bytes(out)
