# SPDX-License-Identifier: MIT
"""The wire between the device and the guest, and the attacker on it.

Each side sends its Ethernet frames, one per datagram, to a socket of ours
and gets those of the other side. On the way they are counted by kind, so
that cleartext can't cross unseen, and ESP packets meet the fault that is
set for their direction. Directions: OUT is from the device to the guest.
"""
import collections
import os
import select
import socket
import struct
import threading
import time
import traceback

OUT, IN = 'out', 'in'
ND = range(133, 138)           # RFC 4861: the ICMPv6 types of its messages
IPSEC = {50: 0, 51: 4}         # ESP, AH: how far into them the SPI is
NATT = 4500                    # ESP in UDP, and IKE (RFC 3948)
IP4_SUM = 24                   # where the IPv4 header has its checksum
EAGER = 64                     # frames taken from one side in a row


def words(data):
    data += bytes(len(data) % 2)
    return struct.unpack('!%dH' % (len(data) // 2), data)


def folded(n):
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return n ^ 0xffff


def checksum(data):
    return folded(sum(words(data)))


def adjusted(total, old, new):
    """A checksum after `old` has become `new` (RFC 1624)."""
    return folded((total ^ 0xffff) + sum(words(new))
                  + sum(w ^ 0xffff for w in words(old)))


class Frame:
    """What the relay must know of an Ethernet frame.

    kind  'arp', 'nd', 'esp' (AH, too), 'ike', 'keepalive' or 'clear'
    esp   where the SPI is; None in later fragments
    udp   where the header of UDP is that ESP or IKE is in; or None
    end   where the IP packet ends

    With `natt`, later fragments of UDP are taken for ESP in it: the first
    one shows what they are.
    """

    def __init__(self, data, natt=False):
        self.data, self.natt = data, natt
        self.kind, self.esp, self.end = 'clear', None, len(data)
        self.version, self.whole, self.udp = 0, True, None
        ethertype = data[12:14]
        if ethertype == b'\x08\x06':
            self.kind = 'arp'
        elif ethertype == b'\x08\x00' and len(data) >= 34:
            self.ipv4()
        elif ethertype == b'\x86\xdd' and len(data) >= 54:
            self.ipv6()

    def ipv4(self):
        d = self.data
        self.version = 4
        self.end = 14 + struct.unpack('!H', d[16:18])[0]
        fragment = struct.unpack('!H', d[20:22])[0] & 0x3fff
        self.whole = fragment == 0
        if d[23] in IPSEC:
            self.kind = 'esp'
            if not fragment & 0x1fff:
                self.esp = 14 + (d[14] & 15) * 4 + IPSEC[d[23]]
        elif d[23] == 17:
            self.in_udp(14 + (d[14] & 15) * 4, fragment & 0x1fff)

    def ipv6(self):
        d = self.data
        self.version = 6
        self.end = 54 + struct.unpack('!H', d[18:20])[0]
        header, at, offset = d[20], 54, 0
        if header == 44:
            header, at = d[54], 62
            field = struct.unpack('!H', d[56:58])[0]
            offset, self.whole = field >> 3, not field & 0xfff9
        if header in IPSEC:
            self.kind = 'esp'
            self.esp = at + IPSEC[header] if offset == 0 else None
        elif header == 17:
            self.in_udp(at, offset)
        elif header == 58 and d[at] in ND:
            self.kind = 'nd'

    def in_udp(self, at, offset):
        d = self.data
        if offset:
            self.kind = 'esp' if self.natt else 'clear'
        elif NATT in struct.unpack('!HH', d[at:at + 4]):
            self.udp = at
            if d[at + 4:at + 6] == b'\0\x09' and d[at + 8] == 0xff:
                self.kind = 'keepalive'
            elif d[at + 8:at + 12] == bytes(4):
                self.kind = 'ike'
            else:
                self.kind, self.esp = 'esp', at + 8

    def seq(self):
        return struct.unpack('!I', self.data[self.esp + 4:self.esp + 8])[0]

    # Each fault gives the frame's bytes with one thing changed.

    def flipped(self, at, bit=1):
        d = bytearray(self.data)
        d[at] ^= bit
        return bytes(d)

    def replaced(self, at, new, *sums):
        """With other bytes at `at`, and right checksums at `sums`. That of
        UDP may be 0: there is none."""
        d = bytearray(self.data)
        old = bytes(d[at:at + len(new)])
        d[at:at + len(new)] = new
        for s in sums:
            if s and (s == IP4_SUM or any(d[s:s + 2])):
                total = adjusted(*struct.unpack('!H', d[s:s + 2]), old, new)
                d[s:s + 2] = struct.pack('!H', total or 0xffff)
        return Frame(bytes(d), self.natt)

    def readdressed(self, at4, at6, address, at_port, port):
        udp = self.udp and self.udp + 6
        if self.version == 6:
            f = self.replaced(at6, socket.inet_pton(socket.AF_INET6,
                                                    address), udp)
        else:
            f = self.replaced(at4, socket.inet_aton(address), IP4_SUM, udp)
        if port and self.udp:
            f = f.replaced(self.udp + at_port, struct.pack('!H', port), udp)
        return f.data

    def source(self, address, port=None):
        return self.readdressed(26, 22, address, 0, port)

    def destination(self, address, port=None):
        return self.readdressed(30, 38, address, 2, port)

    def destination_port(self):
        return struct.unpack('!H', self.data[self.udp + 2:self.udp + 4])[0]


class Fault:
    """What happens to the next `count` whole ESP packets of a direction.

    change(frame) gives the list of frames that go on in its place.
    """

    def __init__(self, change, count=1):
        self.change, self.left, self.done = change, count, 0

    def apply(self, frame):
        self.left -= 1
        self.done += 1
        return self.change(frame)

    def flush(self):
        return []


class Reorder(Fault):
    """Collect `count` packets and let them go in reverse order."""

    def __init__(self, count):
        Fault.__init__(self, None, count)
        self.held = []

    def apply(self, frame):
        self.left -= 1
        self.done += 1
        self.held.append(frame.data)
        return [] if self.left else self.flush()

    def flush(self):
        out, self.held = self.held[::-1], []
        return out


class Late(Fault):
    """Hold one packet back until the fault ends."""

    def __init__(self):
        Fault.__init__(self, None)
        self.held = []

    def apply(self, frame):
        self.left -= 1
        self.done += 1
        self.held = [frame.data]
        return []

    def flush(self):
        out, self.held = self.held, []
        return out


class Nat:
    """A NAT before the guest: what it sends comes from (address, port), and
    what is sent there goes to it. `plan` says after how many of its packets
    that changes, and to what. With `keep`, former ones still lead there.
    """

    def __init__(self, guest, plan=(), keep=False):
        self.guest = self.mapping = guest, NATT
        self.plan, self.keep = dict(plan), keep
        self.former = {NATT}
        self.seen = self.lost = 0
        self.last = None       # port of the latest packet to the guest

    def change(self, mapping):
        self.mapping = mapping
        self.former.add(mapping[1])

    def translate(self, direction, f):
        """The frame as it goes on, or None."""
        if f.udp is None:
            return f
        if direction == IN:
            self.seen += 1
            if self.seen in self.plan:
                self.change(self.plan[self.seen])
            return Frame(f.source(*self.mapping))
        self.last = f.destination_port()
        if self.last != self.mapping[1] and not (
                self.keep and self.last in self.former):
            self.lost += 1
            return None
        return Frame(f.destination(*self.guest))


def swapped(at):
    """A fault: one bit of the byte at at(frame) is another."""
    return lambda f: [f.flipped(at(f))]


CORRUPT = {
    'icv': swapped(lambda f: f.end - 1),
    'payload': swapped(lambda f: f.esp + 20),
    'iv': swapped(lambda f: f.esp + 8),
    'seq': lambda f: [f.flipped(f.esp + 5)],   # 65536 ahead
    'spi': swapped(lambda f: f.esp + 3),
}


class Count(collections.Counter):
    """Of one direction: frames by kind; 'packet': ESP datagrams."""


class Side:
    """A socket of ours, and the one at the other end."""

    def __init__(self, here, there):
        self.there = there
        self.queue = collections.deque()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(here)

    def flush(self):
        """Queues of unix sockets are short: what does not fit waits."""
        while self.queue:
            try:
                self.sock.sendto(self.queue[0], self.there)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:    # nobody is there: as on a real wire
                pass
            self.queue.popleft()


class Relay(threading.Thread):
    def __init__(self, directory):
        threading.Thread.__init__(self, daemon=True)
        self.directory = directory
        self.device = Side(directory + '/rd', directory + '/d')
        self.guest = Side(directory + '/rg', directory + '/g')
        self.lock = threading.Lock()
        self.running = True
        self.error = None
        self.pcap = None
        self.fault = {}
        self.reset()

    def reset(self, natt=False):
        with self.lock:
            self.natt, self.nat, self.router = natt, None, None
            self.sizes = {OUT: [], IN: []}   # of IP packets with ESP
            self.recent = {}                 # the latest that was no fragment
            self.count = {OUT: Count(), IN: Count()}
            self.order = {OUT: [], IN: []}   # ESP sequence numbers sent on
            self.clear = []
            self.fault = {}
            self.last = time.monotonic()

    def set_nat(self, nat):
        with self.lock:
            self.nat = nat

    def set_router(self, router):
        with self.lock:
            self.router = router

    def set_fault(self, direction, fault):
        with self.lock:
            self.fault[direction] = fault

    def end_fault(self, direction):
        """What it still holds goes on its way."""
        with self.lock:
            fault = self.fault.pop(direction, None)
            if fault:
                self.send(direction, fault.flush())

    def inject(self, direction, data):
        """A frame that the attacker made: not counted as crossing."""
        with self.lock:
            self.write_pcap(data)
            side = self.guest if direction == OUT else self.device
            side.queue.append(data)

    def capture(self, path):
        """Write frames as they go on to a file; None ends it."""
        with self.lock:
            if self.pcap:
                self.pcap.close()
            self.pcap = path and open(path, 'wb')
            if self.pcap:
                self.pcap.write(struct.pack('=IHHIIII', 0xa1b2c3d4, 2, 4,
                                            0, 0, 65535, 1))

    def write_pcap(self, data):
        if self.pcap:
            now = time.time()
            self.pcap.write(struct.pack('=IIII', int(now),
                                        int(now % 1 * 1e6),
                                        len(data), len(data)) + data)

    def send(self, direction, frames):
        side = self.guest if direction == OUT else self.device
        for data in frames:
            self.write_pcap(data)
            f = Frame(data, self.natt)
            if f.kind == 'esp':
                self.sizes[direction].append(f.end - 14)
            if f.kind == 'esp' and f.esp is not None:
                self.order[direction].append(f.seq())
                self.recent[direction] = f
            side.queue.append(data)
        side.flush()

    def pass_on(self, direction, data):
        f = Frame(data, self.natt)
        count = self.count[direction]
        count[f.kind] += 1
        if f.kind == 'clear':
            self.clear.append((direction, data))
        if f.kind == 'esp' and f.esp is not None:
            count['packet'] += 1
        sent = f.data
        if self.nat:
            f = self.nat.translate(direction, f)
        frames = [f.data] if f else []
        if f and self.router:
            frames, error = self.router.take(direction, f, sent)
            if error:
                (self.guest if direction == IN else self.device).queue.append(
                    error)
        if f and f.kind == 'esp' and f.esp is not None:
            fault = self.fault.get(direction)
            if fault and fault.left and f.whole:
                frames = fault.apply(f)
        self.last = time.monotonic()
        self.send(direction, frames)

    def take(self, side, direction):
        for _ in range(EAGER):
            try:
                data = side.sock.recv(65536)
            except (BlockingIOError, InterruptedError):
                return
            with self.lock:
                self.pass_on(direction, data)

    def run(self):
        try:
            self.loop()
        except Exception:      # the cases see it, and fail
            self.error = traceback.format_exc()

    def loop(self):
        while self.running:
            waiting = self.device.queue or self.guest.queue
            ready, _, _ = select.select(
                [self.device.sock, self.guest.sock], [], [],
                0.001 if waiting else 0.02)
            if self.device.sock in ready:
                self.take(self.device, OUT)
            if self.guest.sock in ready:
                self.take(self.guest, IN)
            with self.lock:
                self.device.flush()
                self.guest.flush()

    def quiet_for(self):
        """Seconds since the last frame came."""
        with self.lock:
            return time.monotonic() - self.last

    def stop(self):
        self.running = False
        if self.is_alive():
            self.join()
        self.capture(None)
        for side, name in (self.device, '/rd'), (self.guest, '/rg'):
            side.sock.close()
            os.unlink(self.directory + name)
