# SPDX-License-Identifier: GPL-2.0
"""What the protocol tests share: AoE frames, packet sockets, configfs, net
namespaces and disks.  Python's standard library only; run as root in a guest.

Replies are never picked apart field by field.  A test builds the one frame
that is right, padding included, and all bytes must be equal; so reserved bits,
lengths, padding, the tag and both addresses are checked every time.
Silence counts only together with the drop counter that explains it.
"""
import contextlib
import ctypes
import mmap
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time
import traceback

ETHERTYPE = 0x88a2
BROADCAST = b"\xff" * 6
ALL_SHELVES, ALL_SLOTS = 0xffff, 0xff
SECTOR = 512

ATA, CONFIG, MASK, RESERVE = range(4)
READ, TEST, PREFIX, SET, FORCE = range(5)       # of CONFIG
ADD, DELETE = 1, 2                              # directives of MASK
W, ASYNC, DEV, EXT = 0x01, 0x02, 0x10, 0x40     # AFlags

CONFIGFS = "/sys/kernel/config/aoetgt/targets/"
INTERFACES = "/sys/kernel/debug/aoetgt/interfaces"
PATIENCE = 5.0          # seconds until something that must come counts as lost


class Failure(Exception):
    """A check that did not hold."""


def must(cond, *text):
    if not cond:
        raise Failure(" ".join(str(t) for t in text))


def equal(got, want, what):
    must(got == want, "%s: got %r, wanted %r" % (what, got, want))


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def mac_text(raw):
    return ":".join("%02x" % b for b in raw)


def hexdump(data, limit=96):
    rest = "" if len(data) <= limit else " ..."
    return "%d bytes: %s%s" % (len(data), data[:limit].hex(" ", -2), rest)


# ---------------------------------------------------------------- frames

class Req:
    """A request.  dst, src and tag are filled in by the Client that sends it
    unless given; everything may be overridden: Req(...).but(verfl=0x20)."""

    def __init__(self, command, arg=b"", **fields):
        self.command = command
        self.arg = arg
        self.shelf, self.slot = 7, 1
        self.verfl, self.error = 0x10, 0
        self.dst = self.src = self.tag = None
        self.cut = None                 # send only so many bytes
        self.trailer = b""              # bytes behind the request
        self.but(**fields)

    def but(self, **fields):
        for name, val in fields.items():
            must(hasattr(self, name), "no field", name)
            setattr(self, name, val)
        return self

    def bytes(self):
        raw = self.dst + self.src + struct.pack(
            ">HBBHBBI", ETHERTYPE, self.verfl, self.error, self.shelf, self.slot,
            self.command, self.tag) + self.arg + self.trailer
        return raw if self.cut is None else raw[:self.cut]


def lba_bytes(lba):
    return lba.to_bytes(6, "little")


def ata(op, lba=0, count=1, aflags=None, feature=0, data=b"", reserved=b"\0\0", **fields):
    """An ATA command; lba is a number or the six register bytes.  aflags
    default to what the opcode needs."""
    if aflags is None:
        aflags = EXT if op in (0x24, 0x25, 0x34, 0x35, 0x3d, 0x42, 0xea, 0x06) else 0
        aflags |= W if data and op in (0x30, 0x31, 0xca, 0xcb, 0x34, 0x35, 0x3d, 0x06) else 0
    if not isinstance(lba, bytes):
        lba = lba_bytes(lba)
    return Req(ATA, bytes([aflags, feature, count, op]) + lba + reserved + data, **fields)


def read(lba, count=1, **fields):
    return ata(0x24, lba, count, **fields)


def write(lba, data, **fields):
    return ata(0x34, lba, fields.pop("count", len(data) // SECTOR), data=data, **fields)


def flush(**fields):
    return ata(0xea, **fields)


def identify(**fields):
    return ata(0xec, lba=b"\0\0\0\xa0\0\0", **fields)


def trim(entries, blocks=1, feature=1, **fields):
    """TRIM of [(first, sectors), ...]."""
    data = b"".join(struct.pack("<Q", n << 48 | first) for first, n in entries)
    fields.setdefault("count", blocks)
    return ata(0x06, feature=feature, data=data.ljust(blocks * SECTOR, b"\0"), **fields)


def config(ccmd=READ, string=b"", length=None, **fields):
    length = len(string) if length is None else length
    return Req(CONFIG, struct.pack(">HHBBH", 0, 0, 0, ccmd, length) + string, **fields)


def mask(mcmd=0, dirs=(), count=None, **fields):
    """A mask command of [(directive, mac), ...]."""
    count = len(dirs) if count is None else count
    return Req(MASK, bytes([0, mcmd, 0, count]) +
               b"".join(bytes([0, d]) + m for d, m in dirs), **fields)


def reserve(rcmd=0, macs=(), count=None, **fields):
    count = len(macs) if count is None else count
    return Req(RESERVE, bytes([rcmd, count]) + b"".join(macs), **fields)


class Want:
    """The right reply to a request: its Arg, and an AoE error if any."""

    def __init__(self, arg, error=0):
        self.arg, self.error = arg, error

    def bytes(self, req, dst, src, shelf, slot):
        raw = dst + src + struct.pack(
            ">HBBHBBI", ETHERTYPE, 0x1c if self.error else 0x18, self.error,
            shelf, slot, req.command, req.tag) + self.arg
        return raw.ljust(60, b"\0")


def error(code):
    """Errors 1 and 5 are the bare header."""
    return Want(b"", code)


def registers(req, err, count, status, lba=None):
    """ATA registers of a reply: flags and address are the request's."""
    lba = req.arg[4:10] if lba is None else lba
    return bytes([req.arg[0] & 0x53, err, count, status]) + lba + b"\0\0"


def ata_ok(req, data=b"", count=0):
    return Want(registers(req, 0, count, 0x40) + data)


def ata_error(req, err, status=0x41, lba=None, count=None):
    return Want(registers(req, err, req.arg[2] if count is None else count, status, lba))


def abrt(req):
    return ata_error(req, 0x04)


def idnf(req, lba=None):
    """lba: the first sector that is not there; the request's by default."""
    if lba is not None:
        lba = lba_bytes(lba)
        if not req.arg[0] & EXT:
            lba = lba[:3] + bytes([req.arg[7] & 0xf0 | lba[3]]) + req.arg[8:10]
    return ata_error(req, 0x10, lba=lba)


def config_is(req, string=b"", buffers=128, sectors=2, error=0):
    return Want(struct.pack(">HHBBH", buffers, FIRMWARE, sectors, 0x10 | req.arg[5] & 0x0f,
                            len(string)) + string, error)


def mask_is(req, macs=(), merror=0, count=None, error=0):
    count = len(macs) if count is None else count
    return Want(bytes([0, req.arg[1], merror, count]) +
                b"".join(b"\0\0" + m for m in macs), error)


def reserve_is(req, macs=(), error=0):
    return Want(bytes([req.arg[0], len(macs)]) + b"".join(macs), error)


# Free choice of the target, but the same every time; 0.1.0 is 0x0100.
FIRMWARE = 0x0100


# ---------------------------------------------------------------- net

def run(*command, check=True):
    """Run a command, return its output; a list of words, no shell."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, universal_newlines=True)
    if check and done.returncode:
        raise Failure("%s: status %d: %s" % (" ".join(command), done.returncode,
                                             done.stdout.strip()))
    return done.stdout


def ip(words, netns=None):
    prefix = ["ip", "-n", netns] if netns else ["ip"]
    return run(*prefix, *words.split())


LIBC = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(netns):
    """Be in a net namespace, as nsenter --net: the mounts stay, configfs with
    them."""
    if netns is None:
        yield
        return
    with open("/proc/self/ns/net") as here, open("/run/netns/" + netns) as there:
        must(LIBC.setns(there.fileno(), 0x40000000) == 0, "setns", netns)
        try:
            yield
        finally:
            must(LIBC.setns(here.fileno(), 0x40000000) == 0, "setns back")


def netns_inum(netns=None):
    with inside(netns):
        return int(re.search(r"\d+", os.readlink("/proc/self/ns/net")).group())


def interface_mac(ifname, netns=None):
    """From a socket: /sys shows the namespace it was mounted in."""
    with inside(netns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
        s.bind((ifname, 0))
        return s.getsockname()[4]


class Pcap:
    """A capture file; without a path, none."""

    def __init__(self, path):
        self.out = open(path, "wb") if path else None
        if self.out:
            self.out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))

    def add(self, frame):
        if not self.out:
            return
        now = time.time_ns()
        self.out.write(struct.pack("<IIII", now // 10**9, now // 1000 % 10**6,
                                   len(frame), len(frame)) + frame)
        self.out.flush()


# What clients sent, and the replies that they got.
SENT = Pcap(os.environ.get("AOETGT_PCAP_SENT"))
GOT = Pcap(os.environ.get("AOETGT_PCAP_GOT"))
SOL_PACKET = 263


class Port:
    """Something that frames leave from and come in at."""

    next_tag = 0x80000000       # of user-space tools; one for all ports

    def __init__(self):
        self.mac = self.peer = None
        self.inbox = []

    def transmit(self, raw):
        raise NotImplementedError

    def receive(self):
        """One frame, or None if there is none now."""
        raise NotImplementedError

    def fill(self, req):
        """Complete what the test left open; a tag is used once."""
        if req.tag is None:
            Port.next_tag += 1
            req.tag = Port.next_tag
        req.src = self.mac if req.src is None else req.src
        req.dst = self.peer if req.dst is None else req.dst
        return req

    def send(self, req):
        raw = self.fill(req).bytes()
        SENT.add(raw)
        self.transmit(raw)
        return req

    def poll(self, seconds):
        """Take in what is there, waiting for the first frame."""
        select.select([self], [], [], seconds)
        while True:
            raw = self.receive()
            if raw is None:
                return
            if raw[12:14] == b"\x88\xa2" and len(raw) >= 24 and raw[14] & 0x08:
                GOT.add(raw)
                self.inbox.append(raw)

    def take(self, match, seconds=PATIENCE, what="a reply"):
        """The first frame that matches, out of the inbox; it must come."""
        end = time.monotonic() + seconds
        while True:
            for i, raw in enumerate(self.inbox):
                if match(raw):
                    return self.inbox.pop(i)
            left = end - time.monotonic()
            if left <= 0:
                raise Failure("%s has not come" % what)
            self.poll(left)

    def reply(self, req, seconds=PATIENCE, address=None):
        """The reply to a request, by tag and (if several answer) address."""
        tag = struct.pack(">I", req.tag)
        where = address and struct.pack(">HB", *address)
        return self.take(lambda raw: raw[20:24] == tag and where in (None, raw[16:19]),
                         seconds, "reply of e%d.%d to command %d, %s" % (
                             req.shelf, req.slot, req.command, hexdump(req.arg, 12)))

    def check(self, req, want, raw, address=None, src=None):
        shelf, slot = address or (req.shelf, req.slot)
        right = want.bytes(req, self.mac if req.src is None else req.src,
                           self.peer if src is None else src, shelf, slot)
        must(raw == right, "reply is", hexdump(raw), "\nwanted  ", hexdump(right))

    def expect(self, req, want, address=None, src=None):
        """Wait for the reply to a request that was sent; it must be this."""
        self.check(req, want, self.reply(req, address=address), address, src)

    def ask(self, req, want):
        """want: a Want, or a function of the request that makes one."""
        self.send(req)
        self.expect(req, want(req) if callable(want) else want)
        return req

    def ask_all(self, req, wants):
        """{(shelf, slot): Want}: each of them answers, nobody else does."""
        self.send(req)
        for address, want in wants.items():
            self.expect(req, want(req) if callable(want) else want, address)

    def has_reply(self, req):
        self.poll(0)
        tag = struct.pack(">I", req.tag)
        return any(raw[20:24] == tag for raw in self.inbox)

    def advertisements(self):
        """Those that have come, taken out of the inbox: tag 0."""
        self.poll(0)
        got = [raw for raw in self.inbox if raw[20:24] == bytes(4)]
        self.inbox = [raw for raw in self.inbox if raw[20:24] != bytes(4)]
        return got


class Client(Port):
    """A packet socket on an interface."""

    def __init__(self, ifname, netns=None, peer=None):
        super().__init__()
        with inside(netns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
            self.sock.bind((ifname, ETHERTYPE))
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)    # SO_RCVBUFFORCE
        self.sock.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)    # SO_SNDBUFFORCE
        self.sock.setblocking(False)
        self.ifname = ifname
        self.mac = self.sock.getsockname()[4]
        self.peer = peer

    def fileno(self):
        return self.sock.fileno()

    def transmit(self, raw):
        self.sock.send(raw)

    def receive(self):
        while True:
            try:
                raw, addr = self.sock.recvfrom(1 << 17)
            except (BlockingIOError, OSError):
                return None     # nothing there, or the interface went down
            # a socket hears the frames of VLANs on its interface, too
            if addr[2] != socket.PACKET_OUTGOING and addr[0] == self.ifname:
                return raw

    def close(self):
        self.sock.close()


class PagedClient(Client):
    """Sends frames of more than a page with 14 bytes in the head of the
    buffer and the rest in page fragments (virtio header, hdr_len)."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.sock.setsockopt(SOL_PACKET, 15, 1)     # PACKET_VNET_HDR

    def transmit(self, raw):
        self.sock.send(struct.pack("<BBHHHH", 0, 0, 14, 0, 0, 0) + raw)

    def receive(self):
        raw = super().receive()
        return raw and raw[10:]


class RingClient(Client):
    """Sends through a mapped ring: only the Ethernet header is in the head of
    the buffer, the rest in the pages of the ring."""

    SLOTS, SIZE = 16, 16384

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.sock.setsockopt(SOL_PACKET, 13, struct.pack(    # PACKET_TX_RING
            "IIII", self.SIZE, self.SLOTS, self.SIZE, self.SLOTS))
        self.ring = mmap.mmap(self.sock.fileno(), self.SIZE * self.SLOTS)
        self.slot = 0

    def transmit(self, raw):
        at = self.slot * self.SIZE
        self.slot = (self.slot + 1) % self.SLOTS
        # struct tpacket_hdr, then the frame at its aligned end
        self.ring[at + 32:at + 32 + len(raw)] = raw
        self.ring[at:at + 16] = struct.pack("LII", 1, len(raw), len(raw))
        self.sock.send(b"")


class TapClient(Port):
    """The wire end of a tap device; cuts frames into fragments at will."""

    def __init__(self, ifname, own="02:00:00:00:99:01"):
        super().__init__()
        import fcntl
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        # IFF_TAP, IFF_NO_PI, IFF_NAPI, IFF_NAPI_FRAGS
        fcntl.ioctl(self.fd, 0x400454ca, struct.pack("16sH22x", ifname.encode(), 0x1032))
        ip("link set %s up" % ifname)
        self.mac = mac(own)
        self.peer = interface_mac(ifname)
        self.head, self.piece = 14, 1

    def fileno(self):
        return self.fd

    def transmit(self, raw):
        """head bytes, then fragments of piece bytes; the rest in a few that
        are as large as the kernel takes them."""
        parts, rest = [raw[:self.head]], raw[self.head:]
        while rest:
            size = self.piece if len(parts) < 12 else 4096
            parts.append(rest[:size])
            rest = rest[size:]
        os.writev(self.fd, parts)

    def receive(self):
        try:
            return os.read(self.fd, 1 << 17)
        except BlockingIOError:
            return None

    def close(self):
        os.close(self.fd)


def veth(client="c0", server="s0", netns="tgt", mtu=1500):
    """A wire: the server's end goes into the namespace."""
    if not os.path.exists("/run/netns/" + netns):
        ip("netns add " + netns)
        ip("link set lo up", netns)
    ip("link add %s mtu %d type veth peer name %s mtu %d" % (client, mtu, server, mtu))
    ip("link set %s netns %s" % (server, netns))
    # IPv6 and friends would only add noise; there are none in these kernels.
    ip("link set %s up" % server, netns)
    ip("link set %s up" % client)
    wait(lambda: "LOWER_UP" in ip("link show dev " + client), "carrier of " + client)


def interface_stats(ifname, netns=None):
    """Counters of an interface, from debugfs."""
    inum = netns_inum(netns)
    with open(INTERFACES) as table:
        names = table.readline().split()
        equal(names[:2], ["interface", "netns"], "first columns")
        for line in table:
            words = line.split()
            if words[0] == ifname and int(words[1]) == inum:
                return dict(zip(names[2:], map(int, words[2:])))
    raise Failure("no interface %s in %s" % (ifname, INTERFACES))


def wait(cond, what, seconds=PATIENCE, step=0.002):
    """Poll until it is so; returns what the condition returned."""
    end = time.monotonic() + seconds
    while True:
        got = cond()
        if got:
            return got
        must(time.monotonic() < end, what, "has not happened")
        time.sleep(step)


# ---------------------------------------------------------------- configfs

def put(path, text):
    data = text if isinstance(text, bytes) else str(text).encode()
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def get(path):
    with open(path) as f:
        return f.read().rstrip("\n")


class Target:
    """A target directory: t["read_only"] = 1 writes an attribute."""

    all = []

    def __init__(self, device, shelf=7, slot=1, bind=(("s0", "tgt"),), enable=True, **attributes):
        self.shelf, self.slot = self.address = shelf, slot
        self.dir = CONFIGFS + "e%d.%d/" % (shelf, slot)
        os.mkdir(self.dir)
        Target.all.append(self)
        self.bound = []
        self["device"] = device
        for name, val in attributes.items():
            self[name] = val
        for ifname, netns in bind:
            self.bind(ifname, netns)
        if enable:
            self["enable"] = 1

    def __setitem__(self, name, val):
        put(self.dir + name, val)

    def __getitem__(self, name):
        return get(self.dir + name)

    def bind(self, ifname, netns="tgt"):
        with inside(netns):
            os.mkdir(self.dir + "interfaces/" + ifname)
        self.bound.append(ifname)

    def unbind(self, ifname):
        os.rmdir(self.dir + "interfaces/" + ifname)
        self.bound.remove(ifname)

    def stats(self):
        names = os.listdir(self.dir + "stats")
        return {n: int(self["stats/" + n]) for n in names if n != "latency"}

    def count(self, name):
        """One counter; much quicker than all of them."""
        return int(self["stats/" + name])

    def balance(self):
        """At rest each accepted frame has been answered or dropped, once."""
        wait(lambda: self.count("in_flight") == 0, "in_flight of e%d.%d: 0" % self.address)
        s = self.stats()
        drops = sum(n for name, n in s.items() if name.startswith("drop_"))
        equal(s["dropped"], drops, "dropped of e%d.%d" % self.address)
        equal(s["accepted"], s["replied"] + s["dropped"],
              "accepted of e%d.%d, against replied + dropped" % self.address)
        return s

    def remove(self):
        if self["enable"] == "1":
            self["enable"] = 0
        for ifname in list(self.bound):
            self.unbind(ifname)
        self.balance()
        os.rmdir(self.dir)
        Target.all.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0] is None:
            self.remove()
            return
        # The first failure is the one to tell.
        with contextlib.suppress(Exception):
            self.remove()


@contextlib.contextmanager
def counted(count, name, by=1):
    """What happens inside raises a counter by this much, and in the end by no
    more.  count: a function that returns the value of the named one."""
    before = count(name)
    yield
    with contextlib.suppress(Failure):
        wait(lambda: count(name) >= before + by, name)
    equal(count(name) - before, by, name)


# ---------------------------------------------------------------- disks

def sector_pattern(lba):
    """512 bytes that no other sector has."""
    return struct.pack("<QQ", lba, ~lba & (1 << 64) - 1) * 32


def pattern(lba, count=1):
    return b"".join(sector_pattern(n) for n in range(lba, lba + count))


class Disk:
    """Direct I/O on a block device, behind the target's back."""

    def __init__(self, path):
        self.path = path

    def size(self):
        with open(self.path, "rb") as f:
            return f.seek(0, 2) // SECTOR

    def _io(self, flags, lba, buf, op):
        fd = os.open(self.path, flags | os.O_DIRECT)
        try:
            equal(op(fd, [buf], lba * SECTOR), len(buf), "direct I/O on " + self.path)
        finally:
            os.close(fd)

    def read(self, lba, count=1):
        buf = mmap.mmap(-1, count * SECTOR)
        self._io(os.O_RDONLY, lba, buf, os.preadv)
        return bytes(buf)

    def write(self, lba, data):
        buf = mmap.mmap(-1, len(data))
        buf[:] = data
        self._io(os.O_WRONLY, lba, buf, os.pwritev)

    def fill(self, count=None):
        """Each sector gets its pattern."""
        count = self.size() if count is None else count
        self.write(0, pattern(0, count))


def ram_disks(number, kib):
    run("modprobe", "brd", "rd_nr=%d" % number, "rd_size=%d" % kib)


class Loop:
    """A loop device on a file in memory."""

    def __init__(self, path, sectors, *options):
        self.file = path
        self.truncate(sectors)
        self.path = run("losetup", "-f", "--show", *options, path).strip()

    def truncate(self, sectors):
        with open(self.file, "ab") as f:
            f.truncate(sectors * SECTOR)

    def resize(self, sectors):
        self.truncate(sectors)
        run("losetup", "-c", self.path)

    def remove(self):
        run("losetup", "-d", self.path)
        os.unlink(self.file)


class Mapper:
    """A device-mapper device that can be suspended, to hold requests up."""

    def __init__(self, name, table):
        self.name = name
        # Nobody runs udev here, so there is no name in /dev/mapper.
        run("dmsetup", "create", "--noudevsync", name, "--table", table)
        minor = run("dmsetup", "info", "-c", "--noheadings", "-o", "minor", name).strip()
        self.path = "/dev/dm-" + minor

    def suspend(self):
        run("dmsetup", "suspend", "--noflush", "--nolockfs", "--noudevsync", self.name)

    def resume(self):
        run("dmsetup", "resume", "--noudevsync", self.name)

    def reload(self, table):
        run("dmsetup", "reload", self.name, "--table", table)
        self.suspend()
        self.resume()

    def remove(self):
        run("dmsetup", "resume", "--noudevsync", self.name, check=False)
        run("dmsetup", "remove", "--retry", "--noudevsync", self.name)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


class NullBlk:
    """A disk that can be taken away at any time."""

    base = "/sys/kernel/config/nullb/"

    def __init__(self, name="nullb_t", mib=16, **attributes):
        if not os.path.isdir(self.base):
            run("modprobe", "null_blk", "nr_devices=0")
        self.dir = self.base + name + "/"
        os.mkdir(self.dir)
        for attr, val in {"size": mib, "memory_backed": 1, "blocksize": 512, **attributes}.items():
            put(self.dir + attr, val)
        self.power(1)
        # newer kernels name the disk like the directory
        names = ("/dev/" + name, "/dev/nullb" + get(self.dir + "index"))
        self.path = wait(lambda: [n for n in names if os.path.exists(n)], "null_blk node")[0]

    def power(self, on):
        put(self.dir + "power", on)

    def remove(self):
        os.rmdir(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


class Trace:
    """What a disk was asked and when it was done, from tracepoints that see
    disks without a request queue, too."""

    base = "/sys/kernel/tracing/"
    events = ("queue", "complete")      # block_bio_*

    def __init__(self, path):
        node = os.stat(path).st_rdev
        self.device = "%d,%d" % (os.major(node), os.minor(node))

    def __enter__(self):
        # The clocks of two CPUs need not agree; a thread may change its CPU.
        put(self.base + "trace_clock", "counter")
        self.forget()
        self.enable(1)
        return self

    def __exit__(self, *exc):
        self.enable(0)

    def enable(self, on):
        for event in self.events:
            put(self.base + "events/block/block_bio_%s/enable" % event, on)

    def forget(self):
        with open(self.base + "trace", "w"):
            pass

    def history(self):
        """[(event, flags, sector, sectors)] so far, in their order."""
        found = re.findall(r"block_bio_(\w+): %s (\S+) (\d+) \+ (\d+)" % self.device,
                           get(self.base + "trace"))
        return [(event, flags, int(sector), int(n)) for event, flags, sector, n in found]

    def bios(self):
        """[(flags, sector, sectors)] asked since the last call."""
        got = [entry[1:] for entry in self.history() if entry[0] == "queue"]
        self.forget()
        return got


# ---------------------------------------------------------------- results

class Results:
    """One line a test; a failure tells what it saw, and the others go on."""

    def __init__(self):
        self.failed = 0
        self.slow = bool(os.environ.get("AOETGT_TIMES"))

    def run(self, description, function, *args):
        start = time.monotonic()
        try:
            function(*args)
        except Exception as problem:
            self.failed += 1
            text = str(problem) if isinstance(problem, Failure) else traceback.format_exc()
            for line in text.splitlines():
                print("#", line)
            if isinstance(problem, Failure):
                at = traceback.extract_tb(problem.__traceback__)
                print("# at", ", ".join("%s:%d" % (f.name, f.lineno) for f in at[1:]))
            print("not ok -", description, flush=True)
        else:
            print("ok -", description, flush=True)
        if self.slow:
            print("# %.2f s" % (time.monotonic() - start), flush=True)

    def finish(self):
        sys.exit(1 if self.failed else 0)


def load():
    """The module, and a message if it is not there."""
    if not os.path.isdir(CONFIGFS):
        run("modprobe", "aoetgt")
