# SPDX-License-Identifier: MIT
"""libipsec and strongSwan's ESP, part of make interop:
../interop/README.md says what it does. In namespaces of an ordinary user
(unshare -Urn), made for the purpose. Ends with "N passed, N failed, N skipped".
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for d in 'interop', 'gateway':
    sys.path.insert(0, os.path.join(HERE, '..', d))

import net                     # noqa: E402
import report                  # noqa: E402
import run                     # noqa: E402
from charon import check_programs    # noqa: E402
from group import Skipped      # noqa: E402
from with_charon import Charon       # noqa: E402

GROUPS = (Charon,)


def main():
    args = report.arguments(__doc__)
    if args.filter == '--list':
        print('\n'.join(report.names(GROUPS)))
        return 0
    run.end_by_signals('charons')
    r = report.Report(args, GROUPS)
    if r.wanted():
        try:
            check_programs()
            net.enter_namespace()
        except (Skipped, net.Skip) as e:
            r.skip(r.wanted(), e)
            return r.last_line()
    return r.all()


if __name__ == '__main__':
    sys.exit(main())
