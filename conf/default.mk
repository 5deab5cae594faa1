# SPDX-License-Identifier: MIT
# The machine this runs on, with the compiler that is called cc here.
CFLAGS ?= -O2 -g
