"""Every piece of C++ in docs/sdk/from-tokio.md must stand in from_tokio.cc, but for white space.

  from_tokio_test.py PAGE SOURCE
"""

import re
import sys


def flat(text):
    return re.sub(r"\s+", " ", text).strip()


def pieces(page):
    """The code of the C++ columns and blocks."""
    column = False
    for line in page.splitlines():
        if line.startswith("| Rust | C++ |"):
            column = True
        elif not line.startswith("|"):
            column = False
        elif column and not line.startswith("|--"):
            cell = re.split(r"(?<!\\)\|", line)[2]
            yield from re.findall(r"`([^`]+)`", cell)
    yield from re.findall(r"```cpp\n(.*?)\n(?:int main|```)", page, re.S)


def main():
    with open(sys.argv[1], encoding="utf-8") as page, open(sys.argv[2], encoding="utf-8") as source:
        found, code = list(pieces(page.read())), flat(source.read())
    missing = [piece for piece in found if flat(piece) not in code]
    print("\n".join("not in from_tokio.cc: " + piece for piece in missing) or "%d pieces of code" % len(found))
    return 1 if missing or len(found) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
