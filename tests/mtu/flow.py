# SPDX-License-Identifier: MIT
"""Who sends and who answers, in the stations' namespaces: flow.py serve, or
flow.py send. Commands and answers are lines of JSON.

    serve:  {"end": 1}  ->  what the flow since the last one looked like
    send:   {"kind": "tcp" or "udp", "to": ..., "df": ..., "size": ...}
            ->  {"go": 1} once it flows, {"shrunk": 1} is told to it, and in
            the end what it looked like

A gap is the time in which a receiver got nothing, measured between its reads,
up to the end of the flow.
"""
import collections
import json
import os
import select
import socket
import struct
import sys
import threading
import time

PORT = 7
IP_MTU_DISCOVER, IP_MTU, IPV6_MTU_DISCOVER, IPV6_MTU = 10, 14, 23, 24
DONT, WANT, DO = 0, 1, 2
CHUNK, PAUSE = 32768, 0.012    # of TCP: 2 MB take 0.8 s
EVERY = 0.04                   # of UDP: a message
BEFORE, AFTER = 8, 12          # messages that must come, then in a row
LIMIT = 30                     # seconds, then it is given up
HEAD = struct.Struct('!IHH')   # message, part, parts


class Gap:
    def __init__(self):
        self.last, self.longest = time.monotonic(), 0.0

    def note(self):
        now = time.monotonic()
        self.longest = max(self.longest, now - self.last)
        self.last = now


def family(to):
    return socket.AF_INET6 if ':' in to else socket.AF_INET


def set_df(sock, df):
    """Of IPv4. Without it routers may fragment what is sent."""
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                        WANT if df else DONT)


def fill(number, size):
    """What a byte is depends on where it is."""
    word = struct.pack('!I', number * 2654435761 % 2**32)
    return (word + b'%d' % number * 8 + bytes(range(256)))[:256] * (
        size // 256 + 1)


def say(**what):
    sys.stdout.write(json.dumps(what) + '\n')
    sys.stdout.flush()


# ----------------------------------------------------------------- serving

class Server:
    """Sends back all that comes."""

    def __init__(self):
        self.lock = threading.Lock()
        self.fresh(True)
        for f in socket.AF_INET, socket.AF_INET6:
            self.listen(f, socket.SOCK_STREAM, self.accept)
            self.listen(f, socket.SOCK_DGRAM, self.datagrams)

    def fresh(self, df):
        self.gap, self.bytes, self.whole = None, 0, 0
        self.parts = collections.Counter()
        self.df = df

    def listen(self, fam, kind, loop):
        s = socket.socket(fam, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if fam == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind(('', PORT))
        threading.Thread(target=loop, args=(s,), daemon=True).start()

    def note(self):
        with self.lock:
            if self.gap is None:
                self.gap = Gap()
            self.gap.note()

    def accept(self, s):
        s.listen(4)
        while True:
            c, _ = s.accept()
            set_df(c, self.df)
            try:
                self.echo(c)
            except OSError:
                pass
            c.close()

    def echo(self, c):
        queue = collections.deque()
        more = threading.Condition()

        def send():
            try:
                while True:
                    with more:
                        while not queue:
                            more.wait()
                        data = queue.popleft()
                    if not data:
                        break
                    c.sendall(data)
                c.shutdown(socket.SHUT_WR)
            except OSError:        # the other end will miss it
                pass

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        data = b'-'
        self.note()
        while data:
            data = c.recv(65536)
            self.note()
            self.bytes += len(data)
            with more:
                queue.append(data)
                more.notify()
        sender.join()

    def datagrams(self, s):
        while True:
            try:
                data, who = s.recvfrom(65536)
                number, _, parts = HEAD.unpack_from(data)
                self.parts[number] += 1
                if self.parts[number] == parts:
                    self.note()
                    self.whole += 1
                set_df(s, self.df)
                s.sendto(data, who)
            except OSError:        # too long by now: it is sent again, shorter
                pass

    def end(self, df):
        with self.lock:
            gap = self.gap.longest if self.gap else LIMIT
            say(gap=gap, bytes=self.bytes, whole=self.whole)
            self.fresh(df)


def serve():
    server = Server()
    say(ready=1)
    for line in sys.stdin:
        server.end(json.loads(line).get('df', True))


# ----------------------------------------------------------------- sending

class Told:
    """Lines of standard input, without waiting for them."""

    def __init__(self):
        self.buf = b''

    def line(self, seconds):
        while b'\n' not in self.buf:
            if not select.select([0], [], [], seconds)[0]:
                return None
            data = os.read(0, 65536)
            if not data:
                sys.exit(0)
            self.buf += data
        line, _, self.buf = self.buf.partition(b'\n')
        return json.loads(line)


def tcp(told, ask):
    """So many bytes there and back, in a stream that goes on until the path
    has shrunk, and some time longer."""
    gap = Gap()
    s = socket.socket(family(ask['to']))
    set_df(s, ask['df'])
    s.settimeout(LIMIT)
    s.connect((ask['to'], PORT))
    size, shrunk = ask['size'], threading.Event()
    state = {'sent': 0}

    def send():
        try:
            while state['sent'] < size or not shrunk.is_set():
                data = fill(state['sent'] // CHUNK, CHUNK)[:CHUNK]
                s.sendall(data)
                state['sent'] += CHUNK
                time.sleep(PAUSE)
            s.shutdown(socket.SHUT_WR)
        except OSError as e:
            state['error'] = str(e)

    threading.Thread(target=send, daemon=True).start()
    at, got, bad, went = 0, b'', 0, False
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if went and not shrunk.is_set() and told.line(0):
            shrunk.set()
            state['at'] = at
        if not select.select([s], [], [], 0.02)[0]:
            continue
        try:
            data = s.recv(65536)
        except OSError as e:
            state['error'] = str(e)
            break
        gap.note()
        if not data:
            break
        got += data
        at += len(data)
        while len(got) >= CHUNK:
            number = at // CHUNK - len(got) // CHUNK
            bad += got[:CHUNK] != fill(number, CHUNK)[:CHUNK]
            got = got[CHUNK:]
        if not went and at > size // 4:
            went = True
            say(go=1)
    gap.note()
    s.close()
    say(gap=gap.longest, bytes=at, sent=state['sent'], bad=bad,
        error=state.get('error', ''), at=state.get('at', 0))


class Messages:
    """Of some thousand bytes: one datagram each, or, where DF is set, as many
    as the path takes, for nobody on the way may cut them."""

    def __init__(self, ask):
        self.size, self.to = ask['size'], (ask['to'], PORT)
        self.sock = socket.socket(family(ask['to']), socket.SOCK_DGRAM)
        self.six = self.sock.family == socket.AF_INET6
        self.cut = ask['df'] and not self.six
        set_df(self.sock, ask['df'])
        if self.cut:
            self.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DO)
        self.sock.connect(self.to)
        self.sock.setblocking(False)
        self.sent, self.parts, self.whole = 0, {}, set()

    def room(self):
        """For one datagram's payload."""
        if not self.cut:
            return self.size
        return self.sock.getsockopt(socket.IPPROTO_IP, IP_MTU) - 28

    def try_send(self, number):
        room = self.room() - HEAD.size
        body = fill(number, self.size)[:self.size - HEAD.size]
        parts = -(-len(body) // room)
        self.parts[number] = set(range(parts))
        for i in range(parts):
            self.sock.send(HEAD.pack(number, i, parts) +
                           body[i * room:(i + 1) * room])

    def send(self):
        for _ in range(4):     # an error may be of the datagram before
            try:
                self.try_send(self.sent)
                break
            except OSError:
                pass
        self.sent += 1

    def receive(self):
        """Which messages are whole now."""
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return
            except OSError:    # what ICMP said of one that was sent
                continue
            number, part, _ = HEAD.unpack_from(data)
            left = self.parts.get(number, set())
            left.discard(part)
            if not left:
                self.whole.add(number)

    def in_a_row(self):
        """Whole ones that were the last sent, but for those on their way."""
        n, at = 0, max(self.whole, default=-1)
        while at >= 0 and at in self.whole:
            n, at = n + 1, at - 1
        return n


def udp(told, ask):
    gap, m = Gap(), Messages(ask)
    shrunk, went, seen = None, False, 0
    end = time.monotonic() + LIMIT / 2
    next_one = time.monotonic()
    while time.monotonic() < end:
        if time.monotonic() >= next_one:
            m.send()
            next_one += EVERY
        select.select([m.sock], [], [], 0.01)
        m.receive()
        if len(m.whole) > seen:
            seen = len(m.whole)
            gap.note()
        if not went and seen >= BEFORE:
            went = True
            say(go=1)
        if went and shrunk is None and told.line(0):
            shrunk = m.sent
        if shrunk is not None and m.in_a_row() >= AFTER and \
                max(m.whole) >= shrunk + AFTER:
            break
    gap.note()
    last = max(m.whole, default=-1)
    say(gap=gap.longest, bytes=seen * m.size, sent=m.sent, bad=0,
        lost=sorted(set(range(last + 1)) - m.whole), at=shrunk or 0,
        error='' if shrunk is not None and last >= shrunk + AFTER - 1
        else 'it does not go on')


def send():
    told = Told()
    say(ready=1)
    while True:
        ask = told.line(None)
        try:
            {'tcp': tcp, 'udp': udp}[ask['kind']](told, ask)
        except OSError as e:
            say(gap=LIMIT, bytes=0, sent=0, bad=0, error=str(e), at=0)


if __name__ == '__main__':
    {'serve': serve, 'send': send}[sys.argv[1]]()
