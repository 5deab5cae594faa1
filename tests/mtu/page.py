# SPDX-License-Identifier: MIT
"""docs/MTU.md: is each figure of its table what the program calculates?"""
import os
import re

import cases
from ends import key
from path import A, B

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, '..', '..', 'docs', 'MTU.md')
# name on the page: bytes of the keys of -E and -A
SUITES = {'aes-gcm-16': (20, 0), 'chacha20-poly1305': (36, 0),
          'aes-gcm-8': (20, 0), 'aes-cbc, hmac-sha2-256': (16, 32),
          'aes-cbc, hmac-sha1': (16, 20), 'aes-cbc, hmac-sha2-512': (16, 64),
          'null, hmac-sha2-256': (0, 32), 'ah, hmac-sha2-256': (0, 32)}
COLUMNS = [('tunnel', 4, False), ('tunnel', 6, False), ('tunnel', 4, True),
           ('transport', 4, False), ('transport', 6, False),
           ('transport', 4, True)]
PATHS = 1500, 1300


def algorithms(suite, seed):
    names, sizes = suite.split(', '), SUITES[suite]
    if names[0] == 'ah':
        names[0] = ''
    options = ''
    for option, name, size in zip('EA', names, sizes):
        if name:
            options += ' -%s %s' % (option, name)
            options += ' 0x' + key(seed + option, size) if size else ''
    return options


def config(suite, mode, version, natt):
    """For the calculator: one tunnel has the outer version's inside."""
    a, b = A[version], B[version]
    word = 'ah' if suite.startswith('ah') else 'esp'
    inside = {4: ('10.1.0.0/16', '10.2.0.0/16'),
              6: ('fd01::/16', 'fd02::/16')}[version] \
        if mode == 'tunnel' else (a, b)
    return ('add %s %s %s 0x1000 -m %s%s;\n'
            'spdadd %s %s any -P out ipsec %s/%s/%s/require;\nmtu;\n'
            % (a, b, word + ('-udp' if natt else ''), mode,
               algorithms(suite, 'page'), *inside, word, mode,
               '%s-%s' % (a, b) if mode == 'tunnel' else ''))


def calculate(site, ns, suite, column, path):
    file = site.path('page.conf')
    with open(file, 'w', encoding='utf-8') as f:
        f.write(config(suite, *column))
    os.chmod(file, 0o600)
    a = A[column[1]]
    out = ns.must(site.program, '-n', '-l', a, '-M', str(path), '-f', file)
    return int(out.split('\n')[1].split()[-2])


def rows(site, ns):
    for path in PATHS:
        for suite in SUITES:
            figures = [calculate(site, ns, suite, c, path) if not (
                c[2] and suite.startswith('ah')) else '-' for c in COLUMNS]
            yield '| %d | %s | %s |' % (
                path, suite, ' | '.join(str(n) for n in figures))


def check(args):
    """What is wrong with the page, or nothing."""
    args.build = args.cache = None
    site = cases.Site(args)
    try:
        ns = site.station('a')
        with open(PAGE, encoding='utf-8') as f:
            on_page = re.findall(r'^\| 1[35]00 \| .*\|$', f.read(), re.M)
        due = list(rows(site, ns))
        return '' if on_page == due else 'docs/MTU.md has to say:\n' + \
            '\n'.join(due)
    finally:
        site.close()
