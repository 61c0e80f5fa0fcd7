#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Write the seeds of the parser fuzzer into a directory: one valid request of
each kind, behind the bytes that describe the export (struct setup, fuzz.c)."""
import os
import struct
import sys

SETUP = struct.pack("<6sHBBBB", (1000).to_bytes(6, "little"), 1500, 0, 4, 3, 5)
TRIM = struct.pack("<Q", 8 << 48 | 16).ljust(512, b"\0")


def frame(command, arg):
    return SETUP + struct.pack(">BBHBBI", 0x10, 0, 7, 1, command, 0x80000001) + arg


def ata(opcode, aflags=0, count=1, feature=0, data=b""):
    return frame(0, bytes([aflags, feature, count, opcode, 9, 0, 0, 0, 0, 0, 0, 0]) + data)


def config(ccmd, string):
    return frame(1, struct.pack(">HHBBH", 0, 0, 0, ccmd, len(string)) + string)


MACS = [bytes([2, 0, 0, 0, 1, n]) for n in range(3)]
SEEDS = {
    "read": ata(0x20), "read-ext": ata(0x24, 0x40, 2), "write": ata(0x30, 1, data=b"w" * 512),
    "write-fua": ata(0x3d, 0x41, 2, data=b"w" * 1024), "verify": ata(0x42, 0x40, 0),
    "flush": ata(0xea), "identify": ata(0xec), "trim": ata(6, 0x41, 1, 1, TRIM),
    "features": ata(0xef, feature=0x82), "power": ata(0xe5), "nop": ata(0),
    "config-read": config(0, b""), "config-test": config(1, b"x" * 12),
    "config-prefix": config(2, b"xx"), "config-set": config(3, b"new"),
    "config-force": config(4, b"y" * 1024),
    "mask-read": frame(2, bytes(4)),
    "mask-edit": frame(2, bytes([0, 1, 0, 3]) + b"".join(
        bytes([0, d]) + m for d, m in zip((1, 2, 0), MACS))),
    "reserve-read": frame(3, bytes(2)), "reserve-set": frame(3, bytes([1, 3]) + b"".join(MACS)),
}

for name, data in SEEDS.items():
    with open(os.path.join(sys.argv[1], name), "wb") as seed:
        seed.write(data)
