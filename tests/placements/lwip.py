# SPDX-License-Identifier: MIT
"""The lwIP half of make placements: native lwIP, and a bump in the stack below
it, as a host and as a gateway, against a Linux kernel in QEMU.

    lwip.py --build build/interop --cache build/deps/linux [--filter WORDS]

A line for each case, e.g. "  ok      bits-lwip host tunnel 6 ping (0.1 s)";
exits 0 if all passed, 77 if none was run. `make placements-lwip` builds both
devices. What a case checks besides its own answer: tests/interop/README.md.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'interop'))

import image                                             # noqa: E402
import interop                                           # noqa: E402
import run                                               # noqa: E402
from cases import NEVER, WAIT, Failed, whole             # noqa: E402
from device import Process                               # noqa: E402
from link import BEHIND, GUEST, Link                     # noqa: E402
from relay import OUT                                    # noqa: E402
from session import Session                              # noqa: E402

PLACEMENTS = {'native-lwip': 'native', 'bits-lwip': 'bump'}
SUITE = 'gcm128'
MTU = 1500
# Behind the gateway: its own address there, the host's, and their network.
INSIDE = {4: '10.76.1.1', 6: 'fd76:1::1'}
HOST = {4: '10.76.1.2', 6: 'fd76:1::2'}
ROUTES = ('ip route add 10.76.1.0/24 via 10.9.0.1 dev eth0 && '
          'ip route add fd76:1::/64 via fd09::1 dev eth0')
HOST_MAC = '02:00:00:00:00:12'
LONG = 60000                   # ms, for 10 MB under emulation
TCP_BYTES = 10 << 20
RESERVE = 88 + 52              # IPSEC_HEADROOM + IPSEC_TAILROOM


class Place(Link):
    """A placement, in a role."""

    def __init__(self, placement, role, mode, version, reserve=0):
        Link.__init__(self, SUITE, mode, version)
        self.placement, self.role, self.reserve = placement, role, reserve
        self.name = '%s-%s-%s-%d%s' % (placement, role, mode, version,
                                       '-reserve' if reserve else '')
        if role == 'gateway':
            self.device = HOST[version]

    def device_args(self):
        args = ['gw4=' + GUEST[4], 'gw6=' + GUEST[6],
                'reserve=%d' % self.reserve]
        if self.role == 'gateway':
            args += ['source=' + self.device, 'in-ip4=' + INSIDE[4],
                     'in-ip6=' + INSIDE[6]]
        return Link.device_args(self) + args

    def words(self):
        return '%s %s %s %d' % (self.placement, self.role, self.mode,
                                self.inner)

    # What fits: ESP with AES-GCM has 8 bytes of header, 8 of IV, 2 of trailer
    # and 16 of ICV, and pads to 4.

    def sealed(self, size):
        """Length behind the (outer) IP header of the packet that carries a UDP
        datagram of `size` bytes whole."""
        size += 8 + (0 if self.mode == 'transport' else self.header())
        return 16 + (size + 2 + 3) // 4 * 4 + 16

    def header(self):
        return 20 if self.inner == 4 else 40

    def most(self, fragments):
        """Bytes behind IP headers that so many packets carry."""
        if fragments == 1:
            return MTU - self.header()
        cut = MTU - self.header() - (0 if self.inner == 4 else 8)
        return (fragments - 1) * (cut & ~7) + cut

    def edge(self, fragments):
        """The longest UDP datagram that needs no more, protected whole."""
        size = 1
        while self.sealed(size + 1) <= self.most(fragments):
            size += 1
        return size

    def clear_edge(self, fragments):
        """... and in clear, where its sender knows of no IPsec."""
        return self.most(fragments) - 8


class Gateway(Process):
    """Two processes: the gateway, with what counts, and the host behind it, in
    which traffic begins and ends."""

    def __init__(self, program, directory, link, log):
        self.host = None
        self.directory, self.host = directory, None
        Process.__init__(self, program, directory, link, log)
        self.make_host = lambda: Behind(program, directory, link,
                                        log + '.host')

    def start(self, args, log):
        Process.start(self, args + ['in-wire=%s/i' % self.directory,
                                    'in-peer=%s/h' % self.directory], log)

    def wait_ready(self):
        Process.wait_ready(self)
        self.host = self.make_host()   # not to send to nobody
        self.host.wait_ready()

    def traffic(self, kind, *numbers):
        return self.host.traffic(kind, *numbers)

    def stats(self):
        counters = Process.stats(self)
        counters['lost_behind'] = self.host.stats()['lost']
        return counters

    def stop(self):
        status = self.host.stop() if self.host else 0
        return Process.stop(self) or status


class Behind(Process):
    """It has no IPsec."""

    def __init__(self, program, directory, link, log):
        self.start([program, 'wire=%s/h' % directory,
                    'peer=%s/i' % directory,
                    'ip4=' + HOST[4], 'ip6=' + HOST[6],
                    'gw4=' + INSIDE[4], 'gw6=' + INSIDE[6],
                    'mac=' + HOST_MAC, 'target=' + link.target],
                   open(log, 'wb'))


# ------------------------------------------------------------------ cases

def ready(session):
    """Addresses are resolved, and the path's MTU is known where a sender that
    has no IPsec must be told: a gateway's IPv6, which it may not cut."""
    link = session.link
    if not getattr(session, 'is_ready', False):
        session.is_ready = True
        whole(session, 'ping', 1, 56, WAIT)
        if link.role == 'gateway' and link.inner == 6:
            learn(session)


def learn(session):
    """The first packet that is too long comes back as "packet too big": from
    IPsec, or from lwIP where the bump has told it."""
    if not session.link.reserve:
        session.expect_device({'out_drop.TOO_BIG': 1, 'port.too_big': 1})
    size = session.link.clear_edge(1)
    if session.device.traffic('udp', 1, size, NEVER)[0]:
        raise Failed('%d bytes were not too big' % size)


def frames(session, do):
    """(packets, frames) with ESP that went out meanwhile."""
    before = dict(session.relay.count[OUT])
    do()
    after = session.relay.count[OUT]
    return tuple(after[k] - before.get(k, 0) for k in ('packet', 'esp'))


def ping(session):
    n = sum(whole(session, 'ping', 3, size, WAIT)
            for size in (8, 56, 1400, 3000))
    session.carried(3000)
    return '%d replies' % n


def udp(size):
    def case(session):
        whole(session, 'udp', 2, size, 2 * WAIT)
        session.carried(2 * size)
        return 'back'
    return case


def udp_edges(session):
    """All sizes near those at which one packet more is needed, protected or in
    clear. Each goes in as many frames as it has to: where it is protected
    whole, that can be told."""
    link = session.link
    for size in sorted({edge + d for n in (1, 2) for d in range(-3, 4)
                        for edge in (link.edge(n), link.clear_edge(n))}):
        got = frames(session, lambda: whole(session, 'udp', 1, size, WAIT))
        if link.role == 'host' or (link.inner == 4 and
                                   size <= link.clear_edge(1)):
            want = 1, next(n for n in (1, 2, 3)
                           if link.sealed(size) <= link.most(n))
            if got != want:
                raise Failed('%d bytes: %d packets in %d frames, not %d in %d'
                             % ((size,) + got + want))
        elif size <= link.edge(1) and got != (1, 1):
            raise Failed('%d bytes: %d packets in %d frames'
                         % ((size,) + got))
    session.carried(link.clear_edge(2))
    return 'back'


def tcp(total, whole_only):
    def case(session):
        got = frames(session,
                     lambda: whole(session, 'tcp', total, LONG))
        session.carried(total)
        if whole_only and got[0] != got[1]:
            raise Failed('%d packets in %d frames' % got)
        return '%d packets in %d frames' % got
    return case


def refused(session):
    """RFC 4301 section 4.1: transport mode is for whose packets they are."""
    session.expect_device({'out_drop.MODE': 1, 'sa_out.drop_other': 1})
    if session.device.traffic('ping', 1, 56, NEVER)[0]:
        raise Failed('it was answered')
    if session.packets(OUT):
        raise Failed('a protected packet went out')
    session.is_silent = True
    return 'refused'


def all_cases(link):
    # the native port sees to it that TCP needs no fragments
    native = link.placement == 'native-lwip'
    cases = {'ping': ping}
    for size in 1, 8, 512, 8192, 65000:
        cases['udp-%d' % size] = udp(size)
    cases['udp-edges'] = udp_edges
    cases['tcp-10M'] = tcp(TCP_BYTES, native)
    return cases


def plan():
    """(link, {case: run})"""
    for placement in PLACEMENTS:
        for role, mode in (('host', 'transport'), ('host', 'tunnel'),
                           ('gateway', 'tunnel')):
            for version in 4, 6:
                link = Place(placement, role, mode, version)
                yield link, all_cases(link)
                if placement == 'bits-lwip':
                    yield (Place(placement, role, mode, version, RESERVE),
                           {'tcp-1M-reserve': tcp(1 << 20, True)})
        for version in 4, 6:
            yield (Place(placement, 'gateway', 'transport', version),
                   {'refused': refused})


# -------------------------------------------------------------------- run

class PlaceSession(Session):
    is_silent = False          # nothing is to cross

    def complaints(self):
        bad = Session.complaints(self)
        if self.is_silent:
            bad = [b for b in bad if not b.startswith('no protected packet')]
        return bad


class Placements(interop.Interop):
    name = 'placements'

    def __init__(self, args):
        interop.Interop.__init__(self, args)
        self.skipped = 0
        self.cases = {}        # what is printed, by name

    def boot(self):
        interop.Interop.boot(self)
        self.guest.must(ROUTES.replace('ip ', '/sbin/ip '))

    def session(self, link, log):
        return PlaceSession(link, self.guest, self.relay,
                            program(self.args.devices, link.placement), log,
                            Gateway if link.role == 'gateway' else Process)

    def case(self, session, name, test):
        def prepared(session):
            if test is not refused:
                ready(session)
            return test(session)

        return interop.Interop.case(self, session, name, prepared)

    def line(self, name, text, session, seconds, verdict):
        words = self.cases.get(name, name)
        if verdict == 'ok':
            print('  ok      %s (%.1f s)' % (words, seconds), flush=True)
        else:
            print('  FAILED  %s: %s' % (words, text.splitlines()[-1]),
                  flush=True)

    def links(self):
        for link, tests in plan():
            runs = {}
            for case, test in tests.items():
                name = '%s-%s' % (link.words().replace(' ', '-'), case)
                self.cases[name] = '%s %s' % (link.words(), case)
                if interop.wanted(name, self.filters):
                    runs[name] = test
            if runs:
                yield link, runs

    def skip(self, why):
        for _, runs in self.links():
            for name in runs:
                print('  skipped %s: %s' % (self.cases[name], why))
                self.skipped += 1

    def summary(self):
        return '%d passed, %d failed, %d skipped' % (
            self.passed, self.failed, self.skipped)


def program(devices, placement):
    return '%s/%s/device' % (devices, PLACEMENTS[placement])


def lacking(args):
    """What is not there, in a line; or None."""
    try:
        image.check_programs()
    except image.Missing as e:
        return str(e)
    for placement in PLACEMENTS:
        if not os.path.exists(program(args.devices, placement)):
            return 'no device: make placements-lwip'
    return None


def main():
    p = run.argparse.ArgumentParser(description=__doc__)
    p.add_argument('--build', required=True, help='for the RAM disk')
    p.add_argument('--cache', required=True, help='for the kernel package')
    p.add_argument('--filter', default='', help='parts of names')
    args = p.parse_args()
    args.interop = args.build
    args.devices = os.path.dirname(os.path.abspath(args.build)) + '/placements'
    args.build = args.devices + '/lwip'
    it = Placements(args)
    why = lacking(args)
    if why is None and any(it.links()):
        return it.main()
    it.clean_up()
    if why is not None:
        print('placements: ' + why, file=sys.stderr)
        it.skip(' '.join(why.split()))
    print(it.summary())
    return 77


if __name__ == '__main__':
    sys.exit(main())
