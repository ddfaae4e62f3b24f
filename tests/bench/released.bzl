"""A program built as it is released, whatever the configuration of the build around it."""

def _released(settings, attr):
    if "layering_check" in settings["//command_line_option:features"]:
        # --config=clang asks whether everything compiles: compiling it twice would answer nothing more.
        return {option: settings[option] for option in _OPTIONS}

    # What --config=release sets. Sanitizers' options are dropped: they would be counted.
    return {
        "//command_line_option:compilation_mode": "opt",
        "//command_line_option:copt": ["-O2", "-DNDEBUG"],
        "//command_line_option:linkopt": [],
    }

_OPTIONS = [
    "//command_line_option:compilation_mode",
    "//command_line_option:copt",
    "//command_line_option:linkopt",
]

_released_transition = transition(
    implementation = _released,
    inputs = _OPTIONS + ["//command_line_option:features"],
    outputs = _OPTIONS,
)

def _released_binary(ctx):
    program = ctx.attr.program[0][DefaultInfo]
    link = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = link, target_file = program.files_to_run.executable, is_executable = True)
    return [DefaultInfo(
        executable = link,
        files = depset([link]),
        runfiles = ctx.runfiles([link]).merge(program.default_runfiles),
    )]

released_binary = rule(
    doc = "`program` under another name, it and all it depends on compiled with -O2 -DNDEBUG.",
    implementation = _released_binary,
    executable = True,
    attrs = {
        "program": attr.label(mandatory = True, cfg = _released_transition),
        "_allowlist_function_transition": attr.label(default = "@bazel_tools//tools/allowlists/function_transition_allowlist"),
    },
)
