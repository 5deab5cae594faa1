# SPDX-License-Identifier: MIT
"""The package files parse, name one version, and know every option.

    files.py ROOT           check them
    files.py ROOT PORT...   what packaging/platformio.py builds: files, and
                            directories to include as -I..., a line each
"""
import glob
import json
import os
import re
import sys

root = sys.argv[1]
bad = []


def text(name):
    with open(os.path.join(root, name), encoding="utf-8") as file:
        return file.read()


def version():
    found = dict(re.findall(r"#define IPSEC_VERSION_(\w+) +(\d+)",
                            text("include/ipsec/ipsec.h")))
    return ".".join(found[part] for part in ("MAJOR", "MINOR", "PATCH"))


def same(what, got, want):
    if got != want:
        bad.append("%s: %r, expected %r" % (what, got, want))


def yaml_of(name):
    """A dictionary; without PyYAML, of its top level only."""
    try:
        import yaml
    except ImportError:
        return dict(re.findall(r'^(\w+): *"?([^"\n]*)"?$', text(name),
                               re.M))
    return yaml.safe_load(text(name))


def properties(name):
    lines = [line for line in text(name).splitlines() if line]
    return dict(line.split("=", 1) for line in lines)


def there(*names):
    for name in names:
        same(name + " is there", os.path.exists(os.path.join(root, name)),
             True)


def versions():
    idf, pio = yaml_of("idf_component.yml"), json.loads(text("library.json"))
    arduino, zephyr = properties("library.properties"), text("zephyr/module.yml")
    same("idf_component.yml", idf["version"], version())
    same("library.json", pio["version"], version())
    same("library.properties", arduino["version"], version())
    same("CHANGELOG.md", re.findall(r"^## (\S+)", text("CHANGELOG.md"),
                                    re.M)[0], version())
    for field in ("name", "version", "author", "maintainer", "sentence",
                  "paragraph", "category", "architectures"):
        same("library.properties: " + field, bool(arduino.get(field)), True)
    there(os.path.join("include", arduino["includes"]),
          os.path.join("include", pio["headers"]),
          pio["build"]["extraScript"], pio["build"]["includeDir"])
    same("zephyr/module.yml", yaml_of("zephyr/module.yml")["name"],
         "libipsec")
    there(re.search(r"cmake: (\S+)", zephyr).group(1) + "/CMakeLists.txt",
          re.search(r"kconfig: (\S+)", zephyr).group(1))


def kconfig(name):
    """Symbols, and those of files that it names; its blocks are closed."""
    symbols, depth = [], []
    for line in text(name).splitlines():
        word = line.split(" ", 1)
        if word[0] in ("config", "menuconfig"):
            symbols.append(word[1])
        elif word[0] in ("menu", "if"):
            depth.append(word[0])
        elif word[0] in ("endmenu", "endif"):
            same(name + ": " + word[0], depth.pop() if depth else None,
                 word[0][3:])
        elif word[0] == "rsource":
            symbols += kconfig(os.path.normpath(os.path.join(
                os.path.dirname(name), word[1].strip('"'))))
        elif line and line[0] not in "\t#":
            bad.append(name + ": " + line)
    same(name + " ends", depth, [])
    return symbols


def parsed(name):
    """The symbols as Kconfiglib has them, if it is there."""
    try:
        import kconfiglib
    except ImportError:
        return None
    os.environ["srctree"] = root
    kconf = kconfiglib.Kconfig(name, warn_to_stderr=False)
    bad.extend(kconf.warnings)
    return [symbol.name for symbol in kconf.unique_defined_syms
            if symbol.name != "MBEDTLS"]


def options():
    macros = re.findall(r"^ \*     IPSEC_NO_(\w+) ",
                        text("include/ipsec/options.h"), re.M)
    macros = [m for m in macros if m not in ("ADDITIONS", "TRANSFORMS")]
    same("macros of options.h", len(macros) > 20, True)
    wanted = ["LIBIPSEC_" + macro for macro in macros]
    for name in ("Kconfig", "zephyr/Kconfig"):
        symbols = kconfig(name)
        same(name, [s for s in symbols if "PORT" not in s and
                    s != "LIBIPSEC"], wanted)
        same(name + " by Kconfiglib", parsed(name) or symbols, symbols)


class Node(str):
    def srcnode(self):
        return self


class Env:
    """As much of PlatformIO's as packaging/platformio.py asks for."""

    def __init__(self, ports):
        self.ports, self.says = " ".join(ports), {}

    def GetProjectOption(self, name, default):
        assert name == "custom_ipsec_ports"
        return self.ports or default

    def Dir(self, name):
        return Node(name)

    def Replace(self, **says):
        self.says.update(says)

    Append = Replace


def platformio(ports):
    manifest = json.loads(text("library.json"))["build"]
    env = Env(ports)
    exec(compile(text(manifest["extraScript"]), "platformio.py", "exec"),
         {"Import": lambda name: None, "env": env})
    source = os.path.join(root, manifest["srcDir"])
    files = set()
    for sign, pattern in re.findall(r"([+-])<(.*?)>",
                                    " ".join(env.says["SRC_FILTER"])):
        found = set(glob.glob(os.path.join(source, pattern), recursive=True))
        files = files | found if sign == "+" else files - found
    print("\n".join(sorted(os.path.abspath(name) for name in files)))
    for name in [manifest["includeDir"]] + env.says["CPPPATH"]:
        print("-I" + os.path.abspath(os.path.join(root, name)))


if len(sys.argv) > 2:
    platformio([port for port in sys.argv[2:] if port != "-"])
    sys.exit(0)
versions()
options()
print("\n".join(bad))
sys.exit(len(bad) > 0)
