"""What leaves a shared library, compared with the list that is kept: symbols.py LIBRARY LIST [--renew].

The list has what programs link against: functions and objects of which only the library has the code. What every program
brings along itself (instances of templates, inline functions; weak symbols) comes and goes with the compiler's options, and
is only asked for its name.
"""

import re
import subprocess
import sys

# _ZN…, _ZTIN…, _ZThn16_N…: something of kaido::, also inside a function of it.
OURS = re.compile(r"^(_Z(GV|T[ISVTHW]|T(hn|v0_n)[0-9_n]*_)?Z*N[KRO]*5kaido|kaido_)")
# What Asio keeps once for a process (deploy/libkaido.map).
ASIO = re.compile(r"^_Z(GV)?Z?N5boost4asio(6detail(10call_stack|15keyword_tss_ptr|.*service_base)|5error|9execution)")
# Shared with the daemon, and no part of what the SDK promises.
PRIVATE = re.compile(r"kaido::(base|wire|v1|daemon)::")


def exported(library):
    """[(mangled, demangled, is_strong)] of what `library` defines for others."""
    table = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    entries = [(line.split()[-1].split("@")[0], line.split()[-2]) for line in table.splitlines()]
    entries = [(name, kind) for name, kind in entries if kind != "A"]  # A: the version's own name
    names = "\n".join(name for name, _ in entries)
    readable = subprocess.run(["c++filt"], check=True, input=names, capture_output=True, text=True).stdout.splitlines()
    return [(name, text, kind in "TDBR") for (name, kind), text in zip(entries, readable, strict=True)]


def strangers(symbols):
    """Those that must not leave the library, readable."""
    return sorted(text for name, text, _ in symbols
                  if not (OURS.match(name) or ASIO.match(name)) or PRIVATE.search(text))


def promised(symbols):
    """What the list should say."""
    return sorted({text for name, text, is_strong in symbols if is_strong and not ASIO.match(name)})


def report(title, lines):
    if lines:
        print(title)
        for line in lines:
            print("  " + line)
    return bool(lines)


def main(library, path, renew):
    symbols = exported(library)
    promise = promised(symbols)
    if report("These leave the library and are not kaido's (deploy/libkaido.map, deploy/archive.bzl):", strangers(symbols)):
        return 1
    if renew:
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(promise) + "\n")
        return 0
    with open(path, encoding="utf-8") as file:
        listed = file.read().splitlines()
    is_wrong = report("No longer exported: programs that need these do not start with the new library:",
                      sorted(set(listed) - set(promise)))
    is_wrong |= report("Exported and not in the list:", sorted(set(promise) - set(listed)))
    is_wrong |= report("Listed out of order or twice:", [] if listed == sorted(set(listed)) else [path])
    if is_wrong:
        print("If that is what you want: bazel run //tests/abi:symbols_test -- --renew\n"
              "Something that is taken away or changed means a new kSoVersion, see docs/decisions/0029.")
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], "--renew" in sys.argv[3:]))
