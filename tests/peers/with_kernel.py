# SPDX-License-Identifier: MIT
"""Cases with a Linux kernel: what it can do with ESP and AH, it can do with
us, both ways. We send echo requests, its answers have to come back protected;
the kernel's counters must say what ours do."""
import argparse
import collections
import time

import guest
import image
import link
import matrix
import run
from device import Broken
from endpoint import AH_ALIGN8
from group import Failed, Group, Skipped
from matrix import ESN_LAST, SPI_IN, SPI_OUT
from packets import ECHO, ICMP, REPLY, Packet, echo, ip, write_pcap
from session import READ, SETTLE_S, parse_stat, parse_state
from suites import material
from wire import MAC, Wire

WAIT_S = 10                    # for what must come
BAD_ICV = {'XfrmInStateProtoError': 1, 'in.failed': 1}
NEIGHBOUR = 'neigh replace %s lladdr %s dev eth0 nud permanent\n'
ROUTE = 'route replace %s/%d dev eth0 src %s\n'


class Machine(run.Run):
    """The guest, with us for a neighbour that it need not look for."""
    name = 'peers'

    def wire(self):
        return Wire(self.directory)

    def boot(self):
        run.Run.boot(self)
        mac = ':'.join('%02x' % b for b in MAC)
        text = ''
        for v in 4, 6:
            for a in link.DEVICE[v], matrix.HERE[v]:
                text += NEIGHBOUR % (a, mac)
            text += ROUTE % (matrix.HERE[v], matrix.BITS[v], link.BEHIND[v])
        self.guest.must("/sbin/ip -batch - <<'END'\n%sEND" % text)


class Exchange:
    """A case while it runs, and its books."""

    def __init__(self, case, machine, endpoint, log):
        self.case, self.endpoint, self.log = case, endpoint, log
        if machine:
            self.guest, self.wire = machine.guest, machine.relay
        self.sealed = self.opened = self.lost = self.damaged = 0
        self.number = 0

    def set_up(self, flags):
        self.endpoint.reset()
        for sa in self.case.sas(flags):
            self.endpoint.sa(**sa)
        self.endpoint.policy(**self.case.policy())
        self.wire.reset()
        self.before = parse_stat(self.guest.must(
            "/sbin/ip -batch - <<'END' || exit 1\n%sEND\n%s" % (
                self.case.batch(), READ)))
        self.expected = collections.Counter()
        self.sealed = self.opened = self.lost = self.damaged = 0

    def request(self):
        """The next echo request: (plain, its data)."""
        c = self.case
        self.number += 1
        data = material(c.name, 20 + 7 * self.number)
        return ip(c.src, c.dst, ICMP[c.v],
                  echo(ECHO, c.src, c.dst, self.number, data),
                  c.options, c.headers), data

    def seal(self):
        plain, data = self.request()
        sealed = self.endpoint.seal(plain)
        self.sealed += 1
        if data in sealed and self.case.encrypts:
            raise Failed('what we send has the payload in clear')
        return sealed, data

    def answer(self):
        reply = self.wire.receive(WAIT_S)
        if reply is None:
            raise Failed('no answer to packet %d' % self.number)
        return reply.data

    def round_trip(self):
        sealed, data = self.seal()
        self.wire.send(sealed)
        plain = self.endpoint.opened(self.answer())
        self.opened += 1
        if not Packet(plain).is_echo(REPLY, self.case.dst, self.case.src,
                                     self.number, data):
            raise Failed('the answer is another: ' + plain.hex())

    def damaged_out(self):
        """The kernel drops it, and says why."""
        sealed, _ = self.seal()
        self.wire.send(sealed[:-1] + bytes([sealed[-1] ^ 1]))
        self.lost += 1
        self.expected.update(BAD_ICV)

    def damaged_in(self):
        """The same of the kernel's answer: we do."""
        self.wire.send(self.seal()[0])
        reply = self.answer()
        verdict, _ = self.endpoint.packet(
            'in', reply[:-1] + bytes([reply[-1] ^ 1]))
        self.damaged += 1
        if verdict != 'AUTH':
            raise Failed('a damaged packet: ' + verdict)

    # ---- the books

    def kernel(self):
        text = self.guest.must(READ)
        counters = parse_stat(text)
        counters.subtract(self.before)
        counters.update(parse_state(text))
        return counters

    def pairs(self):
        """(what, what it is, what it should be)"""
        k, b = self.kernel(), self.endpoint.books()
        yield 'kernel packets in', k['in.packets'], self.sealed - self.lost
        yield 'kernel packets out', k['out.packets'], \
            self.opened + self.damaged
        yield 'our packets out', b['%x.packets' % SPI_OUT], self.sealed
        yield 'our packets in', b['%x.packets' % SPI_IN], self.opened
        yield 'protected out', b['out_protect'], self.sealed
        yield 'protected in', b['in_protect'], self.opened
        yield 'bypassed', b['out_bypass'] + b['in_bypass'], 0
        yield 'dropped: AUTH', b.get('in_drop.AUTH', 0), self.damaged
        for n in b:
            if '_drop.' in n and n != 'in_drop.AUTH':
                yield n, b[n], 0
        names = [n for n in k if n.startswith('Xfrm')] + \
            [io + n for io in ('in.', 'out.')
             for n in ('replay-window', 'replay', 'failed')]
        for n in sorted(set(names) | set(self.expected)):
            yield 'kernel ' + n, k[n], self.expected[n]
        if self.case.esn:
            yield 'kernel number in', k['in.seq'], ESN_LAST + self.sealed
            yield 'our number out', b['%x.seq' % SPI_OUT], \
                ESN_LAST + self.sealed
            yield 'kernel number out', k['out.seq'], ESN_LAST + self.opened
            yield 'our number in', b['%x.seq' % SPI_IN], \
                ESN_LAST + self.opened

    def settle(self):
        end = time.monotonic() + SETTLE_S
        while True:
            bad = ['%s: %d, not %d' % p for p in self.pairs()
                   if p[1] != p[2]]
            self.wire.receive(0)
            bad += ['in clear: ' + p.hex() for p in self.wire.clear[:3]]
            if not bad:
                return
            if time.monotonic() > end:
                raise Failed('\n'.join(bad))
            time.sleep(0.05)

    # ---- a case

    def refused(self):
        """What RFC 8221 says not to use."""
        self.endpoint.reset()
        for sa in self.case.sas():
            said = self.endpoint.ask('sa' + ''.join(
                ' %s=%s' % (n, v.hex() if isinstance(v, bytes) else v)
                for n, v in dict(sa, reqid=1).items()))
            if said != 'error WEAK':
                raise Failed('not refused: ' + said)
        if any('.packets' in n for n in self.endpoint.books()):
            raise Failed('refused, but in the SAD')
        return 'refused: IPSEC_ERR_WEAK'

    def needs_align8(self):
        """Where padding to 8 bytes differs from RFC 4302's: without the flag
        the kernel drops what we send."""
        self.set_up(0)
        sealed, _ = self.seal()
        self.wire.send(sealed)
        self.lost += 1
        self.expected.update({'XfrmInStateProtoError': 1})
        self.settle()

    def run(self):
        c = self.case
        if c.weak:
            return self.refused()
        if c.align8 and c.keys[SPI_OUT].integ == matrix.INTEG[
                'sha2-256-128'][0]:
            self.needs_align8()
        self.set_up(AH_ALIGN8 if c.align8 else 0)
        if c.fault:
            self.damaged_out()
            self.damaged_in()
        for _ in range(c.packets):
            self.round_trip()
        self.settle()
        if c.fault:
            return 'dropped, both ways'
        return '%d there and back' % self.opened

    def explain(self):
        """Files for who has to find out why."""
        path = '%s/%s' % (self.log, self.case.name.replace('/', '-'))
        write_pcap(path + '.pcap', self.wire.log)
        with open(path + '.txt', 'w') as f:
            f.write('ours: %s\n%s\n\nguest:\n%s\n' % (
                '\n'.join(str(s) for s in self.case.sas()),
                self.endpoint.ask('books'), self.case.batch()))
            f.write(self.guest.run('/sbin/ip -s xfrm state; '
                                   'cat /proc/net/xfrm_stat')[0])
        return path + '.*'


class Kernel(Group):
    cases = {'kernel/' + c.name: c for c in matrix.cases()}
    names = tuple(cases)

    def __init__(self, args, log):
        Group.__init__(self, args, log)
        self.machine = self.exchange = None
        self.tried, self.good = collections.Counter(), collections.Counter()

    def begin(self, names):
        Group.begin(self, names)
        if all(self.cases[n].weak for n in names):
            return             # these are refused without it
        self.machine = Machine(argparse.Namespace(
            **dict(vars(self.args), build=self.args.build + '/kernel')))
        try:
            self.machine.begin()
        except image.Missing as e:
            raise Skipped(str(e)) from None

    def run(self, name):
        case = self.cases[name]
        self.tried[case.weak] += 1
        self.exchange = Exchange(case, self.machine, self.endpoint, self.log)
        text = self.exchange.run()
        self.good[case.weak] += 1
        return text

    def summary(self):
        return 'Linux kernel: %d of %d both ways; refused as weak: %d of %d' \
            % (self.good[False], self.tried[False], self.good[True],
               self.tried[True])

    def explain(self, name):
        """The guest starts again: who knows what a failure has left?"""
        if not self.exchange or not self.machine:
            return ''
        try:
            where = self.exchange.explain()
        except (guest.Dead, Broken) as e:
            where = 'nowhere: %s' % e
        self.machine.boot()
        return where

    def end(self):
        if self.machine:
            self.machine.clean_up()
        return Group.end(self)
