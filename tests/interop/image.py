# SPDX-License-Identifier: MIT
"""The guest: Debian's own kernel and an initial RAM disk made around it.

Nothing is installed and nobody has to be root: the kernel package is
downloaded, unpacked and kept; busybox and ip are copied from this system;
our agent is compiled.
"""
import glob
import gzip
import hashlib
import lzma
import os
import re
import shutil
import stat
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
META = 'linux-image-cloud-amd64'
PACKAGES = {                   # program: the package that brings it
    'qemu-system-x86_64': 'qemu-system-x86',
    'busybox': 'busybox-static',
    'ip': 'iproute2',
    'ldd': 'libc-bin',
    'dpkg': 'dpkg',
}

# What the guest loads, with all they depend on, in this order. Accelerated
# and plain implementations: the kernel takes the best the processor has.
MODULES = '''virtio_pci virtio_net xfrm_user esp4 esp6 xfrm6_tunnel tunnel4
    ctr sha512_generic jitterentropy_rng drbg seqiv echainiv authenc authencesn
    gcm ghash-generic ghash-clmulni-intel aesni-intel sha256-ssse3
    chacha20poly1305 chacha_generic poly1305_generic chacha-x86_64
    poly1305-x86_64 ah4 ah6 ccm cmac xcbc'''.split()


class Missing(Exception):
    """What is not there; its text says which command brings it."""


def program(name):
    """Path of a program; of an ordinary user's PATH sbin is no part."""
    path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin:/usr/bin:/bin'
    return shutil.which(name, path=path)


def check_programs():
    lack = [p for p in PACKAGES if not program(p)]
    if lack:
        raise Missing('%s not found. As root, this installs them:\n'
                      '    apt-get install -y --no-install-recommends %s'
                      % (', '.join(lack),
                         ' '.join(PACKAGES[p] for p in lack)))
    busybox = program('busybox')
    if b'/ld-linux' in open(busybox, 'rb').read():
        raise Missing('%s is not static. This installs one that is:\n'
                      '    apt-get install -y busybox-static' % busybox)


def output(*cmd, **kw):
    try:
        return subprocess.run(cmd, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, **kw)
    except FileNotFoundError as e:
        return subprocess.CompletedProcess(cmd, 127, '', '%s\n' % e)


def kernel_package():
    """Name of the kernel package that the meta package stands for."""
    r = output('apt-cache', 'depends', META)
    m = re.search(r'linux-image-[0-9][^ ]*-cloud-amd64', r.stdout)
    return m.group(0) if m else META


def kernel_deb(cache):
    debs = sorted(glob.glob(cache + '/linux-image-*.deb'))
    if debs:
        return debs[-1]
    name = kernel_package()
    print('interop: downloading %s' % name, flush=True)
    r = output('apt-get', 'download', name, cwd=cache)
    debs = sorted(glob.glob(cache + '/linux-image-*.deb'))
    if r.returncode or not debs:
        raise Missing('the kernel package can\'t be downloaded (to %s):\n%s'
                      'As root, this fetches the lists it is found with; '
                      'then make interop again:\n'
                      '    apt-get update' % (cache, r.stderr))
    return debs[-1]


def unpack_kernel(cache):
    """The unpacked kernel package: (vmlinuz, module directory)."""
    tree = cache + '/kernel'
    if not os.path.isdir(tree):
        part = tree + '.part'
        shutil.rmtree(part, ignore_errors=True)
        deb = kernel_deb(cache)
        r = output('dpkg', '-x', deb, part)
        if r.returncode:
            os.unlink(deb)
            raise Missing('%s is broken, and deleted: run this again\n%s'
                          % (deb, r.stderr))
        os.rename(part, tree)
    kernels = glob.glob(tree + '/boot/vmlinuz-*')
    modules = glob.glob(tree + '/lib/modules/*/kernel') \
        + glob.glob(tree + '/usr/lib/modules/*/kernel')
    if not kernels or not modules:
        raise Missing('no kernel in the package. This fetches it again:\n'
                      '    rm -r %s' % tree)
    return kernels[0], modules[0]


def module_text(path):
    data = open(path, 'rb').read()
    return lzma.decompress(data) if path.endswith('.xz') else data


def modules_in_order(directory):
    """(name, contents) of each module, those it depends on before it."""
    paths = {}
    for top, _, names in os.walk(directory):
        for n in names:
            if '.ko' in n:
                key = n.split('.ko')[0].replace('-', '_')
                paths[key] = os.path.join(top, n)
    seen, result = set(), []

    def visit(name):
        name = name.replace('-', '_')
        if name in seen or name not in paths:
            return             # not there: built into the kernel
        seen.add(name)
        text = module_text(paths[name])
        for m in re.finditer(rb'\0depends=([^\0]*)\0', text):
            for dep in filter(None, m.group(1).decode().split(',')):
                visit(dep)
        result.append((name + '.ko', text))

    for m in MODULES:
        visit(m)
    return result


class Archive:
    """A cpio archive as the kernel unpacks it ("newc")."""

    def __init__(self):
        self.data = bytearray()
        self.inode = 0
        self.made = set()

    def entry(self, path, mode, body=b'', major=0, minor=0):
        self.inode += 1
        name = path.encode() + b'\0'
        fields = (self.inode, mode, 0, 0, 1, 0, len(body), 0, 0,
                  major, minor, len(name), 0)
        self.data += b'070701' + b''.join(b'%08X' % f for f in fields)
        for part in (name, body):
            self.data += part
            self.data += bytes(-len(self.data) % 4)

    def directory(self, path):
        if path and path not in self.made:
            self.directory(os.path.dirname(path))
            self.made.add(path)
            self.entry(path, stat.S_IFDIR | 0o755)

    def file(self, path, body, mode=0o755):
        path = path.lstrip('/')
        self.directory(os.path.dirname(path))
        if path not in self.made:
            self.made.add(path)
            self.entry(path, stat.S_IFREG | mode, body)

    def finish(self):
        self.entry('TRAILER!!!', 0)
        return bytes(self.data)


def add_program(archive, path, target):
    """A program and the shared libraries it needs, at the same paths."""
    archive.file(target, open(path, 'rb').read())
    for lib in re.findall(r'/[^ \n]+', output('ldd', path).stdout):
        archive.file(lib, open(lib, 'rb').read())


def build_agent(build):
    out = build + '/agent'
    r = output(*os.environ.get('CC', 'gcc').split(), '-std=c99', '-Os',
               '-static', '-Wall', '-Wextra', '-o', out, HERE + '/agent.c')
    if r.returncode:
        raise Missing('the guest\'s agent does not compile:\n%s'
                      'What it needs comes with:\n'
                      '    apt-get install -y --no-install-recommends '
                      'gcc libc6-dev' % r.stderr)
    return out


def build_initrd(build, modules):
    a = Archive()
    for d in 'bin dev proc sys tmp'.split():
        a.directory(d)
    # the console must be there before devtmpfs is
    a.entry('dev/console', stat.S_IFCHR | 0o600, major=5, minor=1)
    a.file('init', open(HERE + '/init.sh', 'rb').read())
    a.file('bin/busybox', open(program('busybox'), 'rb').read())
    add_program(a, os.path.realpath(program('ip')), 'sbin/ip')
    a.file('sbin/agent', open(build_agent(build), 'rb').read())
    order = modules_in_order(modules)
    for name, text in order:
        a.file('modules/' + name, text)
    a.file('modules/order',
           ''.join(n + '\n' for n, _ in order).encode())
    with open(build + '/initrd.part', 'wb') as f:
        f.write(gzip.compress(a.finish(), 1))
    os.rename(build + '/initrd.part', build + '/initrd')


def fingerprint(kernel):
    """Changes with all that the RAM disk is made of."""
    h = hashlib.sha256(kernel.encode())
    for p in sorted(glob.glob(HERE + '/*')) + [program('busybox'),
                                               program('ip')]:
        if os.path.basename(p) in ('image.py', 'init.sh', 'agent.c',
                                   'busybox', 'ip'):
            h.update(open(p, 'rb').read())
    return h.hexdigest()


def image(build, cache):
    """(kernel, RAM disk), made in the one directory and downloaded to the
    other where they aren't there yet."""
    check_programs()
    os.makedirs(build, exist_ok=True)
    os.makedirs(cache, exist_ok=True)
    kernel, modules = unpack_kernel(cache)
    mark, now = build + '/initrd.of', fingerprint(kernel)
    if not os.path.exists(build + '/initrd') or \
            not os.path.exists(mark) or open(mark).read() != now:
        build_initrd(build, modules)
        with open(mark, 'w') as f:
            f.write(now)
    return kernel, build + '/initrd'
