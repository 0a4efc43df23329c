#!/usr/bin/env python3
"""A second implementation of docs/FORMAT.md, written from the text alone: prints golden.h.

    python3 test/format/golden.py > test/format/golden.h

CRC-32C by its bitwise definition (RFC 3720 B.4: reflected polynomial 0x82F63B78), nothing imported.
"""


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def le(value, size):
    return value.to_bytes(size, "little", signed=value < 0)


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def zigzag(value):
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def text(value):
    return varint(len(value)) + value


U0, U1 = 0x0123456789ABCDEF, 0xFEDCBA9876543210
UID = le(U0, 8) + le(U1, 8)
SALT = 0x44332211
MASK64 = (1 << 64) - 1


def segment_header():
    name = "b\u00fccher 1".encode()
    head = b"TALEASEG" + le(1, 4)
    rest = le(7, 4) + le(SALT, 4) + UID + le(1700000000123456, 8) + bytes([len(name)])
    rest += name.ljust(128, b"\0") + bytes(3) + le(16384, 4)
    rest = rest.ljust(512 - 16, b"\0")
    return head + le(crc32c(head + bytes(4) + rest), 4) + rest


def group_header(segment, offset, body_bytes, durable_upto, space_end, prev_crc, first_seq, at):
    tail = le(body_bytes, 4) + le(durable_upto, 4) + le(space_end, 4) + le(prev_crc, 4)
    tail += le(first_seq, 8) + le(at, 8)
    crc = crc32c(le(segment, 4) + le(offset, 4) + le(SALT, 4) + tail)
    return le(SALT, 4) + le(crc, 4) + tail


def frame(kind, body):
    head = bytes([kind]) + le(len(body), 3)
    return head + le(crc32c(UID + head + body), 4) + body


def unit(frames, events=None):
    out, heads = b"", b""
    for each in frames:
        out += each
        heads += each[:8]
    out += bytes(-len(out) % 8)
    mark = bytes([0x7E]) + le(len(frames) if events is None else events, 3)
    return out + mark + le(crc32c(UID + heads + mark), 4)


def transaction(key, legs, occurred_at=None, refs=None, metadata=None):
    flags = (occurred_at is not None) | (refs is not None) << 1 | (metadata is not None) << 2
    out = bytes([flags, len(key)]) + key
    if occurred_at is not None:
        out += zigzag(occurred_at)
    out += varint(len(legs))
    for account, credit, amount in legs:
        out += varint(account) + varint(amount * 2 + credit)
    return out + b"".join(text(t) for t in (refs, metadata) if t is not None)


def account(name, asset, kind, side, precision, low=None, high=None):
    out = bytes([(low is not None) | (high is not None) << 1, kind, side, precision])
    out += text(name) + text(asset)
    return out + b"".join(zigzag(v) for v in (low, high) if v is not None)


def asset(name, class_, precision, network=None, native=None, title=None):
    flags = (network is not None) | (native is not None) << 1 | (title is not None) << 2
    out = bytes([flags, class_, precision]) + text(name)
    return out + b"".join(text(t) for t in (network, native, title) if t is not None)


def txid(at, seq):
    def mix(x, k):
        z = (x ^ k) & MASK64
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK64
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK64
        return z ^ z >> 31

    left, right = seq >> 31, seq & (1 << 31) - 1
    for r in range(4):
        left, right = right, left ^ mix((right + (r << 32) + U0) & MASK64, U1) % (1 << 31)
    value = (at // 1000) << 80 | 7 << 76 | (at % 1000 * 4096 // 1000) << 64
    value |= 2 << 62 | left << 31 | right
    return value.to_bytes(16, "big")


SIMPLE = transaction(b"k-1", [(0, 0, 100), (1, 1, 100)])
FULL = transaction(b"\xc3\xbcber", [(0, 0, 5), (300, 0, 1 << 126), (70000, 1, (1 << 126) + 5)],
                   -1, b"[]", b'{"a":"b"}')
ACCOUNT = account(b"cash", b"EUR", 1, 1, 2)
LIMITED = account(b"credit line", b"EUR", 2, 2, 2, -(1 << 127), (1 << 127) - 1)
FIAT = asset(b"EUR", 1, 2)
CRYPTO = asset(b"USDC", 2, 6, b"ethereum", b"0xA0b8", b"USD Coin")

units = unit([frame(3, SIMPLE)]) + unit([frame(2, ACCOUNT), frame(1, FIAT), frame(3, FULL)])
group = group_header(7, 592, len(units), 512, 16384, 0xCAFEBABE, 41, 1700000000123457) + units
link_body = unit([frame(0x7C, le(0x1111222233334444, 8) + le(0x5555666677778888, 8) + le(123456789, 8))], 0)
link = group_header(7, 512, len(link_body), 512, 16384, 0xDEADBEEF, 41, 1700000000123450) + link_body
seal_body = unit([frame(0x7D, le(0x9999AAAABBBBCCCC, 8) + le(0xDDDDEEEEFFFF0000, 8))], 0)
seal = group_header(7, 4096, len(seal_body), 4096, 4096 + 40 + len(seal_body), 0x01020304, 44,
                    1700000000123457) + seal_body
proof = group_header(7, 1024, 0, 1024, 16384, 0x0BADF00D, 44, 1700000000123457)


def show(name, data):
    print(f"\nstatic const uint8_t {name}[{len(data)}] = {{")
    for i in range(0, len(data), 16):
        print("    " + " ".join(f"0x{b:02X}," for b in data[i:i + 16]))
    print("};")


print("""/*
 * golden.h: the bytes of each structure, by a second implementation of docs/FORMAT.md.
 *
 * Purpose:    an oracle for core/format that shares no code with it. Generated by golden.py: change that.
 * Owns:       nothing.
 * Threads:    constants.
 */
#ifndef TEST_FORMAT_GOLDEN_H
#define TEST_FORMAT_GOLDEN_H

#include <stdint.h>

/* clang-format off */""")
show("golden_segment_header", segment_header())
show("golden_simple", SIMPLE)
show("golden_full", FULL)
show("golden_account", ACCOUNT)
show("golden_limited", LIMITED)
show("golden_fiat", FIAT)
show("golden_crypto", CRYPTO)
show("golden_group", group)
show("golden_link", link)
show("golden_seal", seal)
show("golden_proof", proof)
for n, (at, seq) in enumerate([(1700000000123456, 1), (1700000000999999, 2), (0, (1 << 62) - 1),
                               (1700000000000000, 1 << 31), (253402300799999999, 12345678901)]):
    show(f"golden_txid_{n}", txid(at, seq))
print("""
/* clang-format on */

#endif""")
