"""clang-tidy as build actions: a file is looked at again only when it, a header of it or .clang-tidy changed.

    bazel build --config=tidy //daemon/core/...

Only the targets that are named are looked at, not what they depend on, and no tests: they are half of the cost, and run
under the sanitizers. .clang-tidy says which checks, and every one that fires is an error.
"""

_CLANG_TIDY = "clang-tidy-19"

# What clang-tidy prints on standard output is a finding; its counts of what it left out go to standard error.
_COMMAND = """
config=$1 source=$2 report=$3; shift 3
if ! "%s" --quiet --config-file="$config" "$source" -- "$@" >"$report" 2>"$report.errors"; then
  cat "$report"
  grep -q '\\[' "$report" || cat "$report.errors"
  exit 1
fi
""" % _CLANG_TIDY

def _source_files(rule):
    return [
        file
        for source in getattr(rule.attr, "srcs", [])
        for file in source.files.to_list()
        if file.is_source and file.extension == "cc"
    ]

def _look_at(ctx, source, compilation):
    report = ctx.actions.declare_file("%s/%s.tidy" % (ctx.rule.attr.name, source.basename))
    arguments = ctx.actions.args()
    arguments.add_all([ctx.file._config, source, report])
    arguments.add_all(ctx.rule.attr.copts)
    arguments.add_all(compilation.defines, format_each = "-D%s")
    arguments.add_all(compilation.quote_includes, before_each = "-iquote")

    # Public headers of the SDK are ours to look at, though users get them as system headers.
    arguments.add_all(compilation.system_includes, before_each = "-I")
    ctx.actions.run_shell(
        mnemonic = "ClangTidy",
        progress_message = "Looking at %s with clang-tidy" % source.short_path,
        command = _COMMAND,
        arguments = [arguments],
        inputs = depset([source, ctx.file._config], transitive = [compilation.headers]),
        outputs = [report],
        use_default_shell_env = True,
    )
    return report

def _clang_tidy_impl(target, ctx):
    if CcInfo not in target or ctx.rule.kind == "cc_test" or not hasattr(ctx.rule.attr, "copts"):
        return [OutputGroupInfo(clang_tidy = depset())]
    compilation = target[CcInfo].compilation_context
    return [OutputGroupInfo(clang_tidy = depset([
        _look_at(ctx, source, compilation)
        for source in _source_files(ctx.rule)
    ]))]

clang_tidy = aspect(
    doc = "clang-tidy over the sources of a C++ target.",
    implementation = _clang_tidy_impl,
    attrs = {
        "_config": attr.label(
            default = "//:.clang-tidy",
            allow_single_file = True,
        ),
    },
)
