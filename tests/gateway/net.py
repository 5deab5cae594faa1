# SPDX-License-Identifier: MIT
"""Network namespaces and programs in them, all of an ordinary user: the first
is made by `unshare -Urn`, the others within it. They end with us."""
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

PACKAGES = {'unshare': 'util-linux', 'nsenter': 'util-linux',
            'ip': 'iproute2'}
ETH_P_ALL = 3


class Skip(Exception):
    """What this machine lacks; its text says which command brings it."""


def path(program):
    where = os.environ.get('PATH', '') + ':/usr/sbin:/sbin:/usr/bin:/bin'
    return shutil.which(program, path=where)


def check_machine():
    lack = [p for p in PACKAGES if not path(p)]
    if lack:
        raise Skip('%s not found: apt-get install -y --no-install-recommends '
                   '%s' % (', '.join(lack),
                           ' '.join(sorted({PACKAGES[p] for p in lack}))))
    if not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        raise Skip('/dev/net/tun may not be opened: modprobe tun; '
                   'chmod 666 /dev/net/tun')


def enter_namespace():
    """Go on in a user and network namespace of our own."""
    if os.environ.get('GATEWAY_TEST_INSIDE'):
        return
    check_machine()
    probe = [path('unshare'), '-Urn', 'true']
    if subprocess.call(probe, stderr=subprocess.DEVNULL) != 0:
        raise Skip('unshare -Urn is not permitted: sysctl '
                   'kernel.unprivileged_userns_clone=1')
    os.environ['GATEWAY_TEST_INSIDE'] = '1'
    sys.stdout.flush()
    os.execv(path('unshare'), ['unshare', '-Urn', sys.executable] + sys.argv)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Netns:
    """A station: a network namespace."""

    def __init__(self, name):
        self.name = name
        self.holder = subprocess.Popen(
            [path('unshare'), '-n', 'cat'], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        self.holder.stdin.write(b'ready\n')
        self.holder.stdin.flush()
        self.holder.stdout.readline()
        self.prefix = [path('nsenter'), '-t', str(self.holder.pid), '-n']
        self.ip('link set lo up')

    def run(self, *cmd, **kw):
        kw.setdefault('stdout', subprocess.PIPE)
        kw.setdefault('stderr', subprocess.STDOUT)
        kw.setdefault('timeout', 60)
        done = subprocess.run(self.prefix + list(cmd), check=False, **kw)
        return done.returncode, (done.stdout or b'').decode(errors='replace')

    def must(self, *cmd, **kw):
        status, out = self.run(*cmd, **kw)
        if status:
            raise AssertionError('%s: %s: %s' % (self.name, ' '.join(cmd),
                                                 out.strip()))
        return out

    def ip(self, args):
        return self.must(path('ip'), *args.split())

    def sysctl(self, name, value):
        self.must('/bin/sh', '-c', 'echo %s > /proc/sys/%s'
                  % (value, name.replace('.', '/')))

    def start(self, *cmd, **kw):
        return subprocess.Popen(self.prefix + list(cmd),
                                preexec_fn=die_with_parent, **kw)

    def ping(self, to, size=56, count=2, source='', df=False):
        """Did all come back, unchanged?"""
        status, _ = self.run(sys.executable, '-c', PING, to, str(size),
                             str(count), source, '1' if df else '')
        return status == 0

    def tcp(self, other, to, size=1 << 20):
        """Do so many bytes come back from `other`, at its address `to`?"""
        server = other.start(sys.executable, '-c', TCP_ECHO, to,
                             stdout=subprocess.PIPE)
        server.stdout.readline()
        try:
            return self.run(sys.executable, '-c', TCP_CLIENT, to,
                            str(size))[0] == 0
        finally:
            server.kill()
            server.wait()
            server.stdout.close()

    def segments_whole(self, interface):
        """TCP's segments as they would be on a wire, as of a real station."""
        self.must(sys.executable, '-c', OFFLOADS, interface)

    def end(self):
        self.holder.kill()
        self.holder.wait()


def cable(a, name_a, b, name_b):
    """A wire of two stations."""
    subprocess.check_call(
        [path('ip'), 'link', 'add', name_a, 'netns', str(a.holder.pid),
         'type', 'veth', 'peer', 'name', name_b, 'netns', str(b.holder.pid)])
    for ns, name in ((a, name_a), (b, name_b)):
        ns.must('/bin/sh', '-c',
                'echo 0 > /proc/sys/net/ipv6/conf/%s/accept_dad' % name)
        ns.ip('link set %s up' % name)


PING = r'''
import os, socket, struct, sys, time
to, size, count, source, df = sys.argv[1:]
six = ":" in to
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW,
                  58 if six else 1)
if source:
    s.bind((source, 0))
if df:
    s.setsockopt(41 if six else 0, 23 if six else 10, 2)
def sum16(b):
    b += b"\0" * (len(b) % 2)
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    n = (n & 0xffff) + (n >> 16)
    return ~(n + (n >> 16)) & 0xffff
ident = os.getpid() & 0xffff
left = 0
for i in range(int(count)):
    data = bytes((i + k) & 255 for k in range(int(size)))
    kind = 128 if six else 8
    p = struct.pack("!BBHHH", kind, 0, 0, ident, i) + data
    p = p[:2] + struct.pack("!H", sum16(p)) + p[4:]
    for again in range(2):
        try:
            s.sendto(p, (to, 0))
            break
        except OSError:
            time.sleep(0.05)
    else:
        sys.exit(1)
    end = time.monotonic() + 1
    back = False
    while not back and time.monotonic() < end:
        s.settimeout(max(0.01, end - time.monotonic()))
        try:
            r = s.recv(70000)
        except OSError:
            continue
        r = r if six else r[(r[0] & 15) * 4:]
        back = r[0] == (129 if six else 0) and \
            r[4:8] == struct.pack("!HH", ident, i) and r[8:] == data
    if not back:
        sys.exit(1)
'''

TCP_ECHO = r'''
import socket, sys
six = ":" in sys.argv[1]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], 7))
s.listen(1)
print("ready", flush=True)
c, _ = s.accept()
while True:
    data = c.recv(65536)
    if not data:
        break
    c.sendall(data)
'''

TCP_CLIENT = r'''
import hashlib, socket, sys, threading
to, size = sys.argv[1], int(sys.argv[2])
s = socket.create_connection((to, 7), 10)
data = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(size // 32))
def send():
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
t = threading.Thread(target=send, daemon=True)
t.start()
s.settimeout(20)
back = b""
while True:
    some = s.recv(65536)
    if not some:
        break
    back += some
sys.exit(back != data)
'''

# ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO by SIOCETHTOOL
OFFLOADS = r'''
import array, fcntl, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for command in (0x1f, 0x24):
    value = array.array("B", struct.pack("II", command, 0))
    fcntl.ioctl(s, 0x8946, struct.pack("16sP16x", sys.argv[1].encode(),
                                       value.buffer_info()[0]))
'''

SNIFFER = r'''
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 0))
s.setsockopt(263, 23, 1) if sys.argv[2] == "in" else None
print("ready", flush=True)
out = open(sys.argv[3], "wb")
while True:
    try:
        frame, _ = s.recvfrom(70000)
    except OSError:
        sys.exit(0)
    out.write(struct.pack("!I", len(frame)) + frame)
    out.flush()
'''


class Sniffer:
    """Frames on an interface, both ways."""

    def __init__(self, ns, interface, file):
        self.file = file
        self.proc = ns.start(sys.executable, '-c', SNIFFER, interface, 'all',
                             file, stdout=subprocess.PIPE)
        self.proc.stdout.readline()

    def frames(self):
        """Stop, and give what came."""
        time.sleep(0.1)
        self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()
        with open(self.file, 'rb') as f:
            data = f.read()
        out = []
        while len(data) >= 4:
            n = struct.unpack('!I', data[:4])[0]
            out.append(data[4:4 + n])
            data = data[4 + n:]
        return out


def protocol(frame):
    """What a frame is: 'arp', or the number of IP's next protocol; neighbour
    discovery and reports are 'nd'."""
    kind = struct.unpack('!H', frame[12:14])[0]
    if kind == 0x0800:
        return frame[14 + 9]
    if kind != 0x86dd:
        return 'arp' if kind == 0x0806 else hex(kind)
    number, at = frame[14 + 6], 54
    if number == 0:
        number, at = frame[54], 54 + (frame[55] + 1) * 8
    if number == 58 and len(frame) > at and \
            (133 <= frame[at] <= 137 or frame[at] in (130, 131, 132, 143)):
        return 'nd'
    return number


def udp_port(frame):
    at = 14 + (20 if frame[12:14] == b'\x08\x00' else 40)
    return struct.unpack('!HH', frame[at:at + 4])


def wait_for(what, seconds=5):
    """Until `what` is true; whether it was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return False
