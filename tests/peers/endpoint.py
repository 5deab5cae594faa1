# SPDX-License-Identifier: MIT
"""Our end of a link, as endpoint.c has it: a process, lines in, lines out."""
import subprocess

from device import SLACK_S, Broken, Device

OUT, IN = 1, 2
TRANSPORT, TUNNEL = 1, 2
ESP, AH = 50, 51
PROTECT = 2
ESN, AH_ALIGN8 = 0x0001, 0x2000    # IPSEC_SA_*
REQID = 1


class Refused(Exception):
    """The library's answer to what was asked for: the name of an error."""


class Endpoint(Device):
    def __init__(self, program, log):
        self.start([program], open(log, 'wb'))
        if self.line() != 'ok':
            raise Broken('the endpoint does not start')

    def ask(self, line):
        self.send(line)
        return self.line()

    def told(self, what, settings):
        said = self.ask(what + ''.join(
            ' %s=%s' % (k, v.hex() if isinstance(v, bytes) else v)
            for k, v in settings.items()))
        if said != 'ok':
            raise Refused(said.split()[-1])

    def reset(self):
        if self.ask('reset') != 'ok':
            raise Broken('the endpoint can\'t begin again')

    def sa(self, **settings):
        self.told('sa', dict(settings, reqid=settings.get('reqid', REQID)))

    def policy(self, **settings):
        self.told('policy', dict(settings, action=PROTECT,
                                 reqid=settings.get('reqid', REQID)))

    def packet(self, way, data):
        """What becomes of a packet: (verdict, the packet or None). The
        verdict is 'ok', 'bypass', or the reason why it was dropped."""
        word, _, rest = self.ask('%s %s' % (way, data.hex())).partition(' ')
        if word == 'drop':
            return rest, None
        return word, bytes.fromhex(rest)

    def seal(self, data):
        verdict, sealed = self.packet('out', data)
        if verdict != 'ok':
            raise Refused('our own packet: ' + verdict)
        return sealed

    def opened(self, data):
        verdict, plain = self.packet('in', data)
        if verdict != 'ok':
            raise Refused('the peer\'s packet: ' + verdict)
        return plain

    def books(self):
        return {n: int(v) for n, v in
                (w.split('=') for w in self.ask('books').split())}

    def stop(self):
        """Its exit status: not 0 when a sanitizer has something to say."""
        try:
            self.proc.stdin.close()
            self.proc.wait(SLACK_S)
        except (OSError, subprocess.TimeoutExpired):
            self.proc.kill()
            self.proc.wait()
        self.close()
        return self.proc.returncode
