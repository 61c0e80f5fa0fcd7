# SPDX-License-Identifier: GPL-2.0
"""Mutated frames on the wire, 20000 of each kind (1000 with TEST_SHORT), while
the kernel watches itself: every answer is right to the last byte, the counters
agree, the target still serves, and nothing outside the export has changed.
Where the module counts what it executes, frames that got somewhere new are
mutated further.

AOETGT_SEED chooses other frames than the usual ones, AOETGT_FRAMES how many."""
import os
import pathlib
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../proto"))

import aoe                                          # noqa: E402
from aoe import Client, Disk, Target, ata_ok, equal, must, pattern, read, write     # noqa: E402

FUZZ = os.path.join(HERE, "../../build/tools/aoe-fuzz")
OFFSET, LENGTH = 1000, 8192         # the export, inside a larger disk
SECTORS = 16384
SEED = os.environ.get("AOETGT_SEED", "1")
FRAMES = os.environ.get("AOETGT_FRAMES") or \
    ("1000" if os.environ.get("TEST_SHORT") or os.environ.get("AOETGT_SHORT") else "20000")
GCOV = pathlib.Path("/sys/kernel/debug/gcov")


def outside_untouched(disk):
    equal(disk.read(0, OFFSET) == pattern(0, OFFSET), True, "sectors before the export")
    end = OFFSET + LENGTH
    equal(disk.read(end, SECTORS - end) == pattern(end, SECTORS - end), True,
          "sectors behind the export")


def fuzz(client, target, families, *options):
    command = [FUZZ, "-i", "c0", "-t", "e7.1", "-d", aoe.mac_text(client.peer),
               "-a", target.dir, "-c", str(LENGTH), "-o", str(OFFSET), "-m", "17",
               "-n", FRAMES, "-s", SEED]
    counts = [path.parent for path in GCOV.rglob("aoetgt/rx.gcda")]
    must(counts or not GCOV.exists(), "the module counts nothing")
    command += ["-g", counts[0]] if counts else []
    with subprocess.Popen(command + list(options) + families, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True) as fuzzer:
        for line in fuzzer.stdout:
            print("#", line, end="", flush=True)
    must(fuzzer.returncode == 0, "aoe-fuzz: status", fuzzer.returncode)


def serves(client, target):
    """The target is as well as it was."""
    target.balance()
    client.poll(0)
    client.inbox.clear()
    client.ask(write(100, b"after" + bytes(507)), ata_ok)
    client.ask(read(100), lambda r: ata_ok(r, b"after" + bytes(507)))
    equal(Disk(target["device"]).read(OFFSET + 100), b"after" + bytes(507), "sector 100")


def one_disk(null, discard, families):
    disk = Disk(null.path)
    disk.fill()
    client = Client("c0", peer=aoe.interface_mac("s0", "tgt"))
    with Target(null.path, offset=OFFSET, length=LENGTH, discard=discard, write_cache="back",
                mac_mask_remote=1) as target:
        fuzz(client, target, families, *(["-T"] if discard else []))
        serves(client, target)
        outside_untouched(disk)
        stats = target.stats()
        must(stats["accepted"] > int(FRAMES) * len(families) // 2, "only", stats["accepted"],
             "frames were accepted")
        print("# accepted %(accepted)d replied %(replied)d dropped %(dropped)d" % stats)
    client.close()


def main(families, trim=False):
    """trim: on a disk that can discard, so that sectors may become empty."""
    must(os.path.exists(FUZZ), FUZZ, "is not built: make -C tests/tools")
    aoe.load()
    aoe.veth(mtu=9000)
    attributes = {"discard": 1} if trim else {"cache_size": 1, "fua": 1}

    def test():
        with aoe.NullBlk("fuzzed", SECTORS // 2048, **attributes) as null:
            one_disk(null, int(trim), families)
    results = aoe.Results()
    results.run("fuzz: %s frames each of %s" % (FRAMES, ", ".join(families)), test)
    results.finish()
