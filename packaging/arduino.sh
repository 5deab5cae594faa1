#!/bin/sh
# SPDX-License-Identifier: MIT
# sh packaging/arduino.sh DIR: make DIR/libipsec, for Arduino's libraries/.
# The Arduino IDE compiles all that is in a library's src/ and looks for headers
# there alone, so the public ones are copied beside the code. Ports are sources
# for the sketch, in extras/, which it leaves alone.
set -eu
here=$(dirname "$0")/..
to=${1:?"usage: arduino.sh DIR"}/libipsec
mkdir -p "$to/src/ipsec" "$to/extras"
cp "$here"/src/*.[ch] "$to/src"
cp "$here"/include/ipsec/*.h "$to/src/ipsec"
cp -R "$here/ports" "$to/extras"
cp "$here/library.properties" "$here/LICENSE" "$here/README.md" "$to"
