"""Runs every rule of tidy.py over this checkout, and shows of each rule that it catches a planted violation.

Not a unittest program on purpose: one case per rule and plant goes into the XML file Bazel asks for.
"""

import os
import sys
import xml.sax.saxutils as sax

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import tidy  # noqa: E402

# rule → ([files that break it], [files that keep it])
LONG = "int f() {\n" + "  g();\n" * 70 + "}\n"
PLANTS = {
    "core_is_pure": (
        [{"daemon/core/a.cc": "#include <boost/asio.hpp>\n"},
         {"daemon/core/a.cc": "#include <mutex>\n"},
         {"daemon/core/a.h": "auto t = std::chrono::steady_clock::now();\n"},
         {"daemon/core/x/a.cc": 'auto* p = getenv("HOME");\n'},
         {"daemon/core/a.cc": '#include "daemon/net/connection.h"\n'},
         {"daemon/core/a.cc": "#include <sys/socket.h>\n"},
         {"daemon/core/a.cc": "#include <iostream>\n"}],
        [{"daemon/core/a.cc": '// No steady_clock here.\n#include "daemon/core/view/view.h"\nauto s = "getenv";\n'},
         {"daemon/net/a.cc": "#include <boost/asio.hpp>\n"}]),
    "nothing_is_detached": (
        [{"sdk/a.cc": "co_spawn(e, f(), asio::detached);\n"}, {"sdk/a.cc": "std::thread(f).detach();\n"},
         {"sdk/runtime/blocking_pool.cc": "thread.join();\n"}],
        [{"sdk/a.cc": "// never detached\nint x;\n"}, {"sdk/runtime/blocking_pool.cc": "thread.detach();\n"}]),
    "every_room_has_a_readme": (
        [{"daemon/net/a.h": ""}, {"sdk/include/kaido/a.h": ""}],
        [{"daemon/net/a.h": "", "daemon/net/README.md": ""},
         {"sdk/include/kaido/detail/a.h": "", "sdk/include/README.md": ""},
         {"tests/x/testdata/a.bin": ""}]),
    "no_forbidden_words": (
        [{"daemon/a.cc": "// FIX" + "ME\n"}, {"docs/a.md": "Not " + "Implemented yet"},
         {"a_test.cc": "TEST(A, DISABLED" + "_B) {}"}, {"a_test.cc": "GTEST_" + "SKIP();"}],
        [{"daemon/a.cc": "// TODO(perf): measure\n"}]),
    "no_machine_paths": (
        [{"docs/a.md": "see /" + "work/main"}, {"deploy/a.sh": "cd /" + "root/x"}],
        [{"docs/a.md": "the folder of /network/work"}, {"deploy/a.sh": "$dir/" + "work/x"}]),
    "public_headers_are_plain": (
        [{"sdk/include/kaido/a.h": "#include <google/protobuf/message.h>\n"},
         {"sdk/include/kaido/a.h": '#include "proto/base/ids.h"\n'}, {"sdk/include/kaido/a.h": "#include <unistd.h>\n"}],
        [{"sdk/include/kaido/a.h": "#include <vector>\n#include <boost/pfr.hpp>\n#include <kaido/b.h>\n"}]),
    "daemon_and_sdk_are_strangers": (
        [{"daemon/a.cc": '#include "sdk/client/client.h"\n'}, {"sdk/a.cc": '#include "daemon/net/connection.h"\n'},
         {"daemon/a.cc": "#include <kaido/kaido.h>\n"}],
        [{"daemon/a.cc": '#include "proto/base/ids.h"\n'}]),
    "headers_have_pragma_once": ([{"a.h": "int x;\n"}], [{"a.h": "/// A.\n#pragma once\n"}]),
    "bazel_rules_come_from_the_macros": (
        [{"daemon/BUILD.bazel": "cc_library(\n"}],
        [{"daemon/BUILD.bazel": "kaido_library(\n"}, {"bazel/x.bazel": "cc_library(\n"}]),
    "sizes_only_shrink": (
        [{"a.cc": "\n" * 601}, {"a.cc": LONG}, {"a.cc": "namespace n {\nclass C {\n" + LONG + "};\n}\n"},
         {"a.cc": "C::C(int x) : a_{x}, b_(x) {\n" + "  g();\n" * 70 + "}\n"}],
        [{"a.cc": "\n" * 600}, {"a.cc": LONG.replace("  g();\n", "", 2)},
         {"a.cc": "namespace {\n" + "int f() { return 1; }\n" * 100 + "}\n"},
         {"a.cc": "const char* kText = R\"(\n" + "{\n" * 100 + ")\";\nint f() { return '{'; }\n"},
         {"a.cc": "const int kTable[] = {\n" + "  f(1),\n" * 100 + "};\n"}]),
    "links_resolve": (
        [{"docs/a.md": "[x](b.md)"}, {"docs/a.md": "[x](../daemon/y.h#z)"}],
        [{"docs/a.md": "[x](b.md#part) [w](https://example.org) [h](#here)", "docs/b.md": ""},
         {"docs/a.md": "[room](../daemon/net/)", "daemon/net/a.h": ""},
         {"docs/a.md": "```\na[i](nowhere)\n```\n"}]),
}


def root():
    """The checkout: this file is reached through the run folder's symbolic link to it."""
    found = os.path.dirname(os.path.realpath(__file__))
    while not os.path.exists(os.path.join(found, "WORKSPACE")):
        parent = os.path.dirname(found)
        if parent == found:
            sys.exit("tidy_test: no WORKSPACE above " + __file__)
        found = parent
    return found


def cases():
    """(name, complaints): a case fails with its complaints."""
    for rule in tidy.RULES:
        broken, kept = PLANTS[rule.__name__]
        for index, files in enumerate(broken):
            missed = [] if list(rule(tidy.Tree(files))) else ["not caught: %r" % files]
            yield "%s.catches_%d" % (rule.__name__, index), missed
        for index, files in enumerate(kept):
            yield "%s.accepts_%d" % (rule.__name__, index), list(rule(tidy.Tree(files)))
    tree = tidy.Tree.read(root())
    yield "tree.is_the_checkout", [] if tree.has("WORKSPACE") and tree.has("tests/tidy/tidy.py") else ["not found"]
    for rule in tidy.RULES:
        yield "tree." + rule.__name__, list(rule(tree))


def write_xml(results):
    path = os.environ.get("XML_OUTPUT_FILE")
    if not path:
        return
    with open(path, "w", encoding="utf-8") as out:
        out.write('<testsuites><testsuite name="tidy">\n')
        for name, complaints in results:
            failure = "".join("<failure message=%s/>" % sax.quoteattr(c) for c in complaints)
            out.write('<testcase classname="tidy" name=%s>%s</testcase>\n' % (sax.quoteattr(name), failure))
        out.write("</testsuite></testsuites>\n")


def main():
    results = list(cases())
    write_xml(results)
    for name, complaints in results:
        for complaint in complaints:
            print("%s: %s" % (name, complaint))
    failed = sum(1 for _, complaints in results if complaints)
    print("%d cases, %d failed" % (len(results), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
