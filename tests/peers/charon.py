# SPDX-License-Identifier: MIT
"""Two charons of strongSwan with its ESP of user space (kernel-libipsec), each
in a network namespace, and what they agree on: a CHILD_SA, which is tunnel
mode in UDP, for each suite and versions of IP."""
import os
import re
import shutil
import subprocess

import net
from group import Skipped, install

CHARON = '/usr/lib/ipsec/charon'
PLUGIN = '/usr/lib/ipsec/plugins/libstrongswan-%s.so'
PACKAGES = ('strongswan-charon strongswan-swanctl libcharon-extra-plugins '
            'libstrongswan-standard-plugins libstrongswan-extra-plugins')
PLUGINS = ('random drbg nonce openssl aes sha1 sha2 hmac kdf gcm ccm ctr '
           'chapoly cmac xcbc curve25519 kernel-libipsec kernel-netlink '
           'socket-default vici')
OUTER = {4: ('192.0.2.129/25', '192.0.2.130/25'), 6: ('fd60::1/64',
                                                      'fd60::2/64')}
START_S = 20

SETTINGS = '''charon {
  load_modular = no
  load = %s
  install_virtual_ip = no
  filelog { log { path = %s/log
      default = 1
      chd = 4
      flush_line = yes } }
  plugins { vici { socket = unix://%s/vici } }
}
'''
CONNECTION = '''t%d {
  version = 2
  local_addrs = %s
  remote_addrs = %s
  proposals = aes128gcm16-prfsha256-x25519
  mobike = no
  encap = yes
  rekey_time = 0
  local { auth = psk
    id = %s }
  remote { auth = psk
    id = %s }
  children {
%s  } }
'''
CHILD = '''    %s {
      local_ts = %s
      remote_ts = %s
      esp_proposals = %s
      rekey_time = 0
      mode = tunnel }
'''
SECRET = '''secrets { ike-x { secret = "interop-psk-0123456789"
 } }
'''


def check_programs():
    lack = [p for p in [CHARON] + [PLUGIN % n for n in PLUGINS.split()]
            if not os.path.exists(p)]
    if not net.path('swanctl'):
        lack.append('swanctl')
    if lack:
        raise Skipped('%s not found. As root, this installs strongSwan:\n%s'
                      % (lack[0], install(PACKAGES)))


class Child:
    """A CHILD_SA to be: `number` is of its networks."""

    def __init__(self, suite, outer, inner, number):
        self.suite, self.outer, self.inner = suite, outer, inner
        self.name = '%s-%din%d' % (suite, inner, outer)
        self.here, self.there = [
            form % number for form in (
                ('10.61.%d.1', '10.62.%d.1') if inner == 4 else
                ('fd61:%d::1', 'fd62:%d::1'))]

    def networks(self):
        bits = '/32' if self.inner == 4 else '/128'
        return self.here + bits, self.there + bits


class Daemon:
    """A charon in a namespace. `end`: 0, who begins, or 1."""

    def __init__(self, directory, ns, end, children):
        self.ns, self.end = ns, end
        self.directory = '%s/%d' % (directory, end)
        os.makedirs(self.directory + '/run')
        self.write('strongswan.conf', SETTINGS % (
            PLUGINS, self.directory, self.directory))
        self.write('swanctl.conf', self.connections(children) + SECRET)
        # A copy: profiles of AppArmor, which would forbid these paths, are
        # for the program where it is installed.
        self.program = shutil.copy(CHARON, self.directory + '/charon')
        self.swanctl = shutil.copy(net.path('swanctl'),
                                   self.directory + '/swanctl')
        self.env = dict(os.environ, SWANCTL_DIR=self.directory,
                        STRONGSWAN_CONF=self.directory + '/strongswan.conf')
        self.proc = None

    def write(self, name, text):
        with open('%s/%s' % (self.directory, name), 'w') as f:
            f.write(text)

    def connections(self, children):
        text = ''
        for v, addresses in OUTER.items():
            a = [x.split('/')[0] for x in addresses]
            part = ''
            for c in children:
                if c.outer == v:
                    ts = c.networks()
                    part += CHILD % (c.name, ts[self.end],
                                     ts[1 - self.end], c.suite)
            text += CONNECTION % (v, a[self.end], a[1 - self.end],
                                  'end%d' % self.end,
                                  'end%d' % (1 - self.end), part)
        return 'connections {\n%s}\n' % text

    def start(self):
        """Its /run, where charon has its PID, is its own."""
        with open(self.directory + '/output', 'wb') as out:
            self.proc = self.ns.start(
                net.path('unshare'), '-m', '/bin/sh', '-c',
                'mount --bind "$1" /run && exec "$2"', 'sh',
                self.directory + '/run', self.program, env=self.env,
                stdout=out, stderr=out)
        if not net.wait_for(lambda: os.path.exists(self.directory + '/vici')
                            or self.proc.poll() is not None, START_S) or \
                self.proc.poll() is not None:
            raise RuntimeError('charon does not start: see %s/output'
                               % self.directory)
        self.ask('--load-all', '--file', self.directory + '/swanctl.conf')

    def ask(self, *args):
        done = subprocess.run(
            [self.swanctl] + list(args) +
            ['--uri', 'unix://%s/vici' % self.directory], env=self.env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            check=False)
        out = done.stdout.decode(errors='replace')
        if done.returncode:
            raise RuntimeError('swanctl %s: %s' % (' '.join(args),
                                                   out[-800:]))
        return out

    def log(self):
        with open(self.directory + '/log', errors='replace') as f:
            return f.read()

    def counted(self):
        """Packets by SPI, as charon has counted them."""
        text = self.ask('--list-sas')
        return {int(spi, 16): int(n) for spi, n in re.findall(
            r'^ +(?:in|out) +([0-9a-f]{8}).*?, +\d+ bytes, +(\d+) packets',
            text, re.M)}

    def vanish(self):
        """Without a word to the other end."""
        if self.proc:
            self.proc.kill()
            self.proc.wait()
            self.proc = None


HEX = re.compile(r'^.*?\[CHD\].*? +\d+: ((?:[0-9A-F]{2} )+)', re.M)
KEY = re.compile(r'\[CHD\].*?(encryption|integrity) (initiator|responder) '
                 r'key => (\d+) bytes')
DONE = re.compile(r'CHILD_SA (\S+)\{\d+\} established with SPIs '
                  r'([0-9a-f]+)_i ([0-9a-f]+)_o')


def keys(log):
    """Of each CHILD_SA in the log of who began, by name: SPIs in and out, and
    keys by what they are called."""
    found, now, wanted = {}, {}, None
    for line in log.splitlines():
        m = KEY.search(line)
        if m:
            wanted = m.groups()[:2]
            left = int(m.group(3))
            now[wanted] = b''
            continue
        m = HEX.match(line)
        if m and wanted:
            some = bytes.fromhex(m.group(1))[:left]
            now[wanted] += some
            left -= len(some)
            continue
        wanted = None
        m = DONE.search(line)
        if m:
            found[m.group(1)] = int(m.group(2), 16), int(m.group(3), 16), now
            now = {}
    return found
