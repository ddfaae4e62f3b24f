"""What check-coroutines finds and what it leaves alone, as pieces of C++; and that the examples are free of it.

  check_coroutines_test.py CHECKER FILE...
"""

import os
import subprocess
import sys
import tempfile
import xml.sax.saxutils as sax

JOB = "struct Job { int n; std::string name; };\nstruct Point { int x = 0; double y; };\n"
MADE = "class Made { public: Made(int n, std::string name); std::string name_; };\n"
POLL = "struct Poll { bool poll(Context& c) { return true; } void take() {} };\n"

# name → (the C++ in a coroutine, the lines in which something is found)
CASES = {
    "a_struct_in_braces": (JOB + "Task<void> f() { co_await tx.send(Job{1, name}); }", [3]),
    "on_its_own_line": (JOB + "Task<void> f() {\n  co_await tx.send(\n      Job{1, name});\n}", [5]),
    "an_unknown_struct": ("Task<void> f() { auto r = co_await call(other::Options{.retries = 0}); }", [1]),
    "parentheses": (JOB + "Task<void> f() { co_await tx.send(Job(1, name)); }", [3]),
    "in_a_nested_call": (JOB + "Task<void> f() { co_await g(plain(Job{1, name})); }", [3]),
    "beside_the_await": (JOB + "Task<void> f() { plain(Job{1, name}, co_await g()); }", [3]),
    "around_the_await": (JOB + "Task<void> f() { plain(Job{1, co_await g()}); }", [3]),
    "an_array": ("Task<void> f() { co_await g(std::array<std::string, 2>{a, b}); }", [1]),
    "a_capture_by_copy": ("Task<void> f() { co_await spawn([name] { use(name); }); }", [1]),
    "a_capture_with_a_value": ("Task<void> f() { co_await spawn([&a, n = std::move(b)] {}); }", [1]),
    "a_choice": ("Task<void> f() { co_await g(wide ? long_name() : name); }", [1]),
    "in_a_condition": (JOB + "Task<void> f() { if (co_await g(Job{1, n})) { return; } }", [3]),
    "a_name_that_is_moved_in": (JOB + "Task<void> f() { Job job{1, name}; co_await tx.send(std::move(job)); }", []),
    "in_another_statement": (JOB + "Task<void> f() { plain(Job{1, name}); co_await g(); }", []),
    "scalars_alone": (JOB + "Task<void> f() { co_await tx.send(Point{1, 2}); }", []),
    "no_members": (POLL + "Task<void> f() { co_await select(Poll{}, Poll()); }", []),
    "a_class_with_a_constructor": (MADE + "Task<void> f() { co_await tx.send(Made{1, name}); }", []),
    "a_standard_class": ("Task<void> f() { co_await tx.send(std::string{name}); co_await sleep(milliseconds(1)); }", []),
    "captures_by_reference": ("Task<void> f() { co_await on(x, [&] {}); co_await on(x, [&a, this] {}); }", []),
    "inside_a_lambda": (JOB + "auto h = spawn([name]() -> Task<void> { co_await g(); });", []),
    "in_a_lambdas_body": (JOB + "Task<void> f() { co_await on(x, [&] { plain(Job{1, n}); }); }", []),
    "a_choice_of_numbers": ("Task<void> f() { co_await g(wide ? 1 : 2); }", []),
    "in_a_comment": ("// co_await g(Job{1, name})\nTask<void> f() { co_await g(\"Job{1}\"); }", []),
    "silenced": ("Task<void> f() { co_await g(Tiny{1}); }  // co_await: fine", []),
}


def run(checker, *paths):
    result = subprocess.run([sys.executable, checker, *paths], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout


def check(checker, folder, text, lines):
    path = os.path.join(folder, "a.cc")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    status, output = run(checker, path)
    found = [int(line.split(":")[1]) for line in output.splitlines()]
    return "" if (found, status) == (lines, 1 if lines else 0) else f"found {found}, not {lines}\n{output}"


def main():
    checker, examples = sys.argv[1], sys.argv[2:]
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (text, lines) in CASES.items():
            outcomes[name] = check(checker, folder, text, lines)
    outcomes["the_examples"] = run(checker, *examples)[1]
    outcomes["no_arguments"] = "" if run(checker)[0] == 2 else "the exit status is not 2"
    outcomes["no_such_file"] = "" if run(checker, "/nowhere.cc")[0] == 2 else "the exit status is not 2"
    cases = ""
    for name, fault in outcomes.items():
        if fault:
            print(f"FAILED {name}: {fault}")
        cases += f'<testcase classname="check_coroutines" name="{name}">'
        cases += (f"<failure message={sax.quoteattr(fault)}/>" if fault else "") + "</testcase>"
    if os.environ.get("XML_OUTPUT_FILE"):
        with open(os.environ["XML_OUTPUT_FILE"], "w", encoding="utf-8") as file:
            file.write(f'<testsuites><testsuite name="check_coroutines">{cases}</testsuite></testsuites>')
    sys.exit(any(outcomes.values()))


main()
