# SPDX-License-Identifier: MIT
# What PlatformIO builds of this library: the core, and the ports that the
# project's platformio.ini names: "custom_ipsec_ports = mbedtls lwip". What it
# leaves out is said there as well: "build_flags = -DIPSEC_NO_AH".
# library.json runs this in SCons, which provides Import().
Import("env")

ports = env.GetProjectOption("custom_ipsec_ports", "").split()
env.Replace(SRC_FILTER=["-<*>", "+<src/*.c>"]
            + ["+<ports/%s/*.c>" % port for port in ports])
env.Append(CPPPATH=[env.Dir("ports/%s" % port).srcnode() for port in ports])
