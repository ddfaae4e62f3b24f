"""The project's own rules over the source tree: what no compiler checks and a reviewer would forget.

A rule is a function from a Tree to its complaints (strings `file:line: what, and what to do`). Rules see text only; a
comment or a string is taken out first where the rule is about code.
"""

import os
import re

ROOMS = ("daemon/", "sdk/", "proto/", "tests/", "deploy/")
CODE = (".h", ".cc", ".proto")
TEXT = CODE + (".py", ".sh", ".md", ".bzl", ".bazel", ".yaml", ".yml", ".txt", ".in", ".service", ".conf", ".cmake")

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600

# The rules name what they forbid; written apart, so that this file does not break them.
FORBIDDEN_WORDS = {
    "FIX" + "ME": "fix it, or make it a TODO(kind) that can wait",
    "not " + "implemented": "implement it or leave it out",
    "DISABLED" + "_": "a test that does not run proves nothing",
    "GTEST_" + "SKIP": "a test that does not run proves nothing",
}
MACHINE_PATHS = ("/" + "work/", "/tmp/" + "kb_", "/" + "root/", "/" + "home/")

CORE_FORBIDDEN = (
    (r'#\s*include\s*<boost/asio', "Asio"),
    (r'#\s*include\s*<(sys/(socket|epoll|un|eventfd|timerfd)|netinet/|arpa/|netdb|unistd)', "sockets and system calls"),
    (r'#\s*include\s*<(thread|mutex|shared_mutex|condition_variable|future|stop_token|semaphore|latch|barrier)>',
     "threads"),
    (r'#\s*include\s*<(iostream|fstream|syslog\.h|spdlog/)', "log sinks"),
    (r'\b(steady_clock|system_clock|high_resolution_clock|clock_gettime|gettimeofday)\b', "clocks"),
    (r'\b(getenv|secure_getenv|environ)\b', "the environment"),
    (r'\bstd::(random_device|rand|srand)\b', "unseeded randomness"),
    (r'#\s*include\s*"daemon/(?!core/)', "rooms outside the core"),
)


class Tree:
    """The files of a checkout: path from the root → text."""

    def __init__(self, files):
        self.files = files

    @classmethod
    def read(cls, root):
        files = {}
        for folder, folders, names in os.walk(root):
            folders[:] = [f for f in folders if f != ".git" and f != "__pycache__" and not f.startswith("bazel-")]
            for name in names:
                path = os.path.join(folder, name)
                if os.path.islink(path):
                    continue
                relative = os.path.relpath(path, root)
                text = ""
                if name.endswith(TEXT):
                    with open(path, encoding="utf-8") as stream:
                        text = stream.read()
                files[relative] = text
        return cls(files)

    def of(self, endings, under=""):
        return [(p, t) for p, t in sorted(self.files.items()) if p.endswith(endings) and p.startswith(under)]

    def has(self, path):
        return path in self.files or any(p.startswith(path.rstrip("/") + "/") for p in self.files)


def strip(text):
    """C++ text with comments and the insides of literals blanked; lines keep their numbers."""
    pattern = re.compile(
        r'R"(?P<mark>[^()\\\s]{0,16})\((?:.|\n)*?\)(?P=mark)"|//[^\n]*|/\*(?:.|\n)*?\*/'
        r'''|"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+\'''')

    def blank(match):
        found = match.group(0)
        edge = '"' if found[0] in 'R"' else ("'" if found[0] == "'" else "")
        return edge + "\n" * found.count("\n") + edge

    # An include's name is a literal that rules do look at.
    return "\n".join(
        line if kept is None else kept
        for line, kept in zip(pattern.sub(blank, text).split("\n"), include_lines(text)))


def include_lines(text):
    return [line if re.match(r'\s*#\s*include\b', line) else None for line in text.split("\n")]


def matches(text, pattern):
    """(line number, match) of every line of text that the pattern is found in."""
    for number, line in enumerate(text.split("\n"), 1):
        found = re.search(pattern, line)
        if found:
            yield number, found


def core_is_pure(tree):
    for path, text in tree.of((".h", ".cc"), "daemon/core/"):
        code = strip(text)
        for pattern, what in CORE_FORBIDDEN:
            for line, found in matches(code, pattern):
                yield "%s:%d: %s (`%s`) in a core; pass it in as an event, `now` or a seed" % (
                    path, line, what, found.group(0))


# Where detaching is what is promised, and why.
DETACHES = {
    "daemon/telemetry/log_writer.cc": "nothing can end a write to a sink that hangs: its thread goes on alone, owning what it uses",
    "sdk/runtime/blocking_pool.cc": "shutdown_timeout() cannot stop a closure that blocks: it goes on alone, as documented",
    "sdk/runtime/standby.cc": "a handler that it runs may shut the runtime down, and it cannot join itself; it owns what it then uses",
    "sdk/task/local_pool.cc": "the last reference may go on a thread of the pool, which cannot join itself and ends right after",
    "sdk/include/kaido/join_queue.h": "detach() of a handle that aborts when dropped: tokio's word for taking that away",
    "tests/tokio/abort_on_drop_test.cc": "the same",
    "tests/bench/runtime/asio_workloads.cc": "measures programs as they are written for Asio",
}


def nothing_is_detached(tree):
    for path, text in tree.of((".h", ".cc")):
        for line, _ in matches(strip(text), r'\bdetached\b|\.detach\(\)'):
            if path in DETACHES:
                break
            yield "%s:%d: detached work loses its exceptions; give it an owner that joins it" % (path, line)
        else:
            if path in DETACHES:
                yield "%s:1: detaches nothing any more: take it out of DETACHES" % path


def every_room_has_a_readme(tree):
    folders = {os.path.dirname(p) for p, _ in tree.of(CODE) if p.startswith(ROOMS)}
    for folder in sorted(folders):
        # The layers of a public include path share one README at its top.
        top = folder.split("/include")[0] + "/include" if "/include" in folder else folder
        names = {folder + "/README.md", top + "/README.md"}
        if "/include" in folder:
            names.add(os.path.dirname(top) + "/README.md")
        if not any(tree.has(name) for name in names):
            yield "%s: a folder with code has a README.md that says what it is, depends on and promises" % folder


def no_forbidden_words(tree):
    for path, text in tree.of(TEXT):
        for word, advice in FORBIDDEN_WORDS.items():
            for line, _ in matches(text.lower() if " " in word else text, re.escape(word)):
                yield "%s:%d: '%s': %s" % (path, line, word, advice)


def no_machine_paths(tree):
    for path, text in tree.of(TEXT):
        for wanted in MACHINE_PATHS:
            for line, _ in matches(text, r'(?<![\w.*})-])' + re.escape(wanted)):
                yield "%s:%d: '%s' exists on somebody's machine only" % (path, line, wanted)


def public_headers_are_plain(tree):
    for path, text in tree.of((".h",), "sdk/include/"):
        for line, found in matches(text, r'#\s*include\s*([<"])([^>"]+)[>"]'):
            bracket, name = found.groups()
            standard = bracket == "<" and ("/" not in name and "." not in name)
            if not standard and not name.startswith(("boost/", "kaido/")):
                yield "%s:%d: includes %s; a public header includes std, boost/ and kaido/ only" % (path, line, name)


def daemon_and_sdk_are_strangers(tree):
    for room, other in (("daemon/", r'"sdk/|[<"]kaido/(?!v\d)'), ("sdk/", r'"daemon/')):
        for path, text in tree.of((".h", ".cc"), room):
            for line, found in matches(text, r'#\s*include\s*(' + other + ')'):
                yield "%s:%d: %s never includes the other side; what both need belongs to proto/" % (path, line, room)


def headers_have_pragma_once(tree):
    for path, text in tree.of((".h",)):
        if "#pragma once" not in text:
            yield "%s:1: a header begins with #pragma once" % path


def bazel_rules_come_from_the_macros(tree):
    for path, text in tree.of((".bazel",)):
        for line, found in matches(text, r'^\s*(cc_(library|binary|test|import)|cc_proto_library)\('):
            if not path.startswith("bazel/"):
                yield "%s:%d: %s: use the macros of //bazel:kaido.bzl" % (path, line, found.group(1))


def function_lengths(code):
    """(first line, lines) of every function body in stripped C++ code. Lambdas count as part of their function."""
    stack, start, line, paren = [], 0, 1, 0
    for position, character in enumerate(code):
        if character == "\n":
            line += 1
        elif character == "(":
            paren += 1
        elif character == ")":
            paren = max(0, paren - 1)
        elif character == "{":
            header = code[start:position]
            inside = any(kind == "function" for kind, _ in stack)
            scope = re.search(r'\b(namespace|class|struct|union|enum|extern)\b[^()]*$', header)
            is_function = not inside and not scope and paren == 0 and ")" in header
            first = line - header.lstrip().count("\n")
            stack.append(("function" if is_function else "other", first))
            if not inside and not is_function:
                start = position + 1
        elif character == "}" and stack:
            kind, first = stack.pop()
            following = code[position + 1:].lstrip()[:1] if kind == "function" else ""
            if kind == "function" and following in (",", "{"):
                continue  # A member initialiser in braces: the body is still to come.
            if kind == "function":
                yield first, line - first + 1
            if not any(k == "function" for k, _ in stack):
                start = position + 1
        elif character == ";" and not any(kind == "function" for kind, _ in stack) and paren == 0:
            start = position + 1


def sizes_only_shrink(tree):
    for path, text in tree.of((".h", ".cc", ".py", ".sh")):
        count = text.count("\n")
        if count > FILE_LINES_MAX:
            yield "%s:1: %d lines, at most %d: split it by idea" % (path, count, FILE_LINES_MAX)
    for path, text in tree.of((".h", ".cc")):
        for first, count in function_lengths(strip(text)):
            if count > FUNCTION_LINES_MAX:
                yield "%s:%d: a function of %d lines, at most %d: name its parts" % (
                    path, first, count, FUNCTION_LINES_MAX)


def links_resolve(tree):
    for path, text in tree.of((".md",)):
        prose = re.sub(r'```(?:.|\n)*?```', lambda block: "\n" * block.group(0).count("\n"), text)
        for line, found in matches(prose, r'\]\('):
            for target in re.findall(r'\]\(([^)\s]+)', prose.split("\n")[line - 1]):
                target = target.split("#")[0]
                if not target or re.match(r'[a-z]+:', target):
                    continue
                resolved = os.path.normpath(os.path.join(os.path.dirname(path), target))
                if resolved != "." and not tree.has(resolved):
                    yield "%s:%d: the link to %s leads nowhere" % (path, line, target)


RULES = (
    core_is_pure,
    nothing_is_detached,
    every_room_has_a_readme,
    no_forbidden_words,
    no_machine_paths,
    public_headers_are_plain,
    daemon_and_sdk_are_strangers,
    headers_have_pragma_once,
    bazel_rules_come_from_the_macros,
    sizes_only_shrink,
    links_resolve,
)
