# SPDX-License-Identifier: MIT
"""libipsec against other implementations, part of make interop:
../interop/README.md says what it does. Prints a line for each case, and ends
with "N passed, N failed, N skipped".
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'interop'))

import report                  # noqa: E402
import run                     # noqa: E402
from with_kernel import Kernel       # noqa: E402
from with_scapy import Scapy         # noqa: E402
from with_tshark import Tshark       # noqa: E402

GROUPS = Kernel, Scapy, Tshark


def main():
    args = report.arguments(__doc__)
    if args.filter == '--list':
        print('\n'.join(report.names(GROUPS)))
        return 0
    run.end_by_signals('peers')
    return report.Report(args, GROUPS).all()


if __name__ == '__main__':
    sys.exit(main())
