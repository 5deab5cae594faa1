# SPDX-License-Identifier: MIT
"""docs/GATEWAY.md, followed word for word: each block of commands in the
station that the words before it name."""
import os
import re
import stat
import subprocess
import sys
import time

import net

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, '..', '..', 'docs', 'GATEWAY.md')
sys.path.insert(0, os.path.join(HERE, '..', 'interop'))

BLOCK_S = 60
BOOTS = 3


def blocks(section):
    """(who, whether it is the kernel's, text) of each block, in order."""
    with open(PAGE, encoding='utf-8') as f:
        text = f.read()
    part = text.split('\n## %s\n' % section)[1].split('\n## ')[0]
    found = []
    for m in re.finditer(r'```sh\n(.*?)```', part, re.S):
        before = part[:m.start()].strip().split('\n\n')[-1]
        who = re.search(r'\bon (a|b|h|both)\b', before, re.I).group(1)
        found.append((who, 'kernel' in before, m.group(1)))
    return found


class Shell:
    """Somebody at a machine, who types what the page says."""

    def __init__(self, site, ns, name, program):
        self.folder = site.path(name)
        os.mkdir(self.folder)
        tools = os.path.join(self.folder, '.tools')
        os.mkdir(tools)
        os.symlink(program, os.path.join(tools, 'ipsecgw'))
        self.ping(tools)
        env = dict(os.environ, PATH=tools + ':' + os.environ['PATH'] +
                   ':/usr/sbin:/sbin')
        self.out = os.path.join(self.folder, '.output')
        with open(self.out, 'wb') as out:
            self.proc = subprocess.Popen(
                ns.prefix + ['/bin/sh', '-e'], stdin=subprocess.PIPE,
                stdout=out, stderr=out, cwd=self.folder, env=env,
                start_new_session=True)
        self.count = 0

    @staticmethod
    def ping(tools):
        """Ours stands in where there is none."""
        if net.path('ping'):
            return
        path = os.path.join(tools, 'ping')
        with open(path, 'w', encoding='utf-8') as f:
            f.write('#!/bin/sh\n# ping -c COUNT TO\nexec %s -c \'%s\' "$3" 56 '
                    '"$2" "" ""\n' % (sys.executable, net.PING))
        os.chmod(path, stat.S_IRWXU)

    def text(self):
        with open(self.out, encoding='utf-8', errors='replace') as f:
            return f.read()

    def type(self, block):
        self.count += 1
        mark = 'done=%d' % self.count
        self.proc.stdin.write((block + "\necho done'='%d\n"
                               % self.count).encode())
        self.proc.stdin.flush()
        net.wait_for(lambda: mark in self.text() or
                     self.proc.poll() is not None, BLOCK_S)
        if mark not in self.text():
            raise AssertionError('%s\nsaid: %s' % (block, self.text()))

    def end(self):
        try:
            os.killpg(self.proc.pid, 15)
            time.sleep(0.3)
            os.killpg(self.proc.pid, 9)
        except ProcessLookupError:
            pass
        self.proc.stdin.close()
        self.proc.wait()


BRIDGE = r'''
import fcntl, os, select, socket, struct, sys
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", b"eth0", 0x1002))
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("ready", flush=True)
while True:
    for f in select.select([tap, s], [], [])[0]:
        try:
            if f is s:
                os.write(tap, s.recv(70000))
            else:
                s.sendto(os.read(tap, 70000), sys.argv[2])
        except OSError:
            pass
'''


class Kernel:
    """A Linux in QEMU on eth0 of station `ns`."""

    def __init__(self, site, ns, build, cache):
        import guest
        import image
        try:
            kernel, initrd = image.image(build, cache)
        except image.Missing as e:
            raise net.Skip(str(e)) from None
        here, there = site.path('wire.here'), site.path('wire.guest')
        self.bridge = ns.start(sys.executable, '-c', BRIDGE, here, there,
                               stdout=subprocess.PIPE)
        self.bridge.stdout.readline()
        ns.ip('link set eth0 up')
        for _ in range(BOOTS):
            # a busy machine may miss a timer that the kernel counts on
            self.guest = guest.Guest(kernel, initrd, there, here, site.folder)
            try:
                self.guest.wait_ready()
                return
            except guest.Dead as e:
                self.guest.stop()
                os.unlink(there)
                why = e
        self.bridge.kill()
        raise RuntimeError('the kernel does not boot: %s' % why)

    def type(self, block):
        # busybox has an `ip` of its own, which knows no xfrm
        self.guest.must('set -e\n' + re.sub(r'(?m)^ip ', '/sbin/ip ', block))

    def end(self):
        self.guest.stop()
        self.bridge.kill()
        self.bridge.wait()
        self.bridge.stdout.close()


def follow(site, section, with_kernel, behind=False):
    a = site.station('a')
    people = {}
    if behind:
        h = site.station('h')
        net.cable(a, 'eth1', h, 'eth0')
    try:
        if behind:
            people['h'] = Shell(site, h, 'h', site.program)
        if with_kernel:
            people['b'] = Kernel(site, a, site.build, site.cache)
        else:
            b = site.station('b')
            net.cable(a, 'eth0', b, 'eth0')
            people['b'] = Shell(site, b, 'b', site.program)
        people['a'] = Shell(site, a, 'a', site.program)
        for who, kernel, block in blocks(section):
            if who == 'both':
                people['a'].type(block)
                if not with_kernel:
                    people['b'].type(block)
            elif who in 'ah' or kernel == with_kernel:
                people[who].type(block)
    finally:
        for one in people.values():
            one.end()


def tunnel(site):
    follow(site, 'A tunnel between two networks', False)


def tunnel_kernel(site):
    follow(site, 'A tunnel between two networks', True)


def bump_kernel(site):
    follow(site, 'A bump in the stack', True)


def wire_host_kernel(site):
    follow(site, 'A bump in the wire, for a host', True, True)


def wire_net_kernel(site):
    follow(site, 'A bump in the wire, for a network', True, True)
