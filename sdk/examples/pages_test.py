"""What the pages below show of C++ stands in some example, word for word but for white space.

  pages_test.py PAGES EXAMPLES
"""

import pathlib
import re
import sys

PAGES = ["nested-calls.md", "retries.md", "slots.md", "tutorial.md"]


def flat(text):
    return re.sub(r"\s+", " ", text).strip()


def blocks(page):
    return re.findall(r"```cpp\n(.*?)```", page, re.S)


def main(pages, examples):
    sources = [path for path in pathlib.Path(examples).iterdir() if path.suffix in (".cc", ".h")]
    code = [flat(path.read_text(encoding="utf-8")) for path in sources]
    found = 0
    missing = []
    for name in PAGES:
        for block in blocks((pathlib.Path(pages) / name).read_text(encoding="utf-8")):
            found += 1
            if not any(flat(block) in text for text in code):
                missing.append(f"docs/sdk/{name}: not in any example:\n{block}")
    print("\n".join(missing) or f"{found} pieces of code")
    return 1 if missing or found < 10 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
