"""libkaido outside Bazel: one static archive and one shared library with everything of ours that a library needs.

Only what the public headers declare leaves the shared library: all is compiled hidden, the headers say what is visible, and the
version script holds the rest back (templates of the standard library, mostly) and gives the symbols a version.
"""

_COPT = "//command_line_option:copt"
_FEATURES = "//command_line_option:features"

def _hidden(settings, attr):
    if "layering_check" in settings[_FEATURES]:
        # clang's configurations are for checks: compiling everything twice would find nothing more.
        return {_COPT: settings[_COPT]}
    return {_COPT: settings[_COPT] + ["-fvisibility=hidden", "-fvisibility-inlines-hidden"]}

# Not for all of the build: there each library is a shared one of its own, and they need each other's internals.
_hidden_transition = transition(
    implementation = _hidden,
    inputs = [_COPT, _FEATURES],
    outputs = [_COPT],
)

def _kaido_distribution_impl(ctx):
    info = cc_common.merge_cc_infos(cc_infos = [dep[CcInfo] for dep in ctx.attr.deps])
    archives = []
    flags = []
    for linker_input in info.linking_context.linker_inputs.to_list():
        for flag in linker_input.user_link_flags:
            if flag not in flags:
                flags.append(flag)
        for library in linker_input.libraries:
            archive = library.pic_static_library or library.static_library
            if archive and archive not in archives:
                archives.append(archive)

    static = ctx.actions.declare_file("lib%s.a" % ctx.attr.library)
    ctx.actions.run_shell(
        inputs = archives,
        outputs = [static],
        mnemonic = "KaidoArchive",
        # An MRI script joins archives as they are: files of one name in two of them both stay.
        command = "(echo create %s; %s echo save; echo end) | ar -M" % (
            static.path,
            "".join(["echo addlib %s; " % archive.path for archive in archives]),
        ),
    )

    soname = "lib%s.so.%s" % (ctx.attr.library, ctx.attr.soversion)
    shared = ctx.actions.declare_file(soname)
    ctx.actions.run_shell(
        inputs = [static, ctx.file.version_script],
        outputs = [shared],
        mnemonic = "KaidoSharedLibrary",
        command = "g++ -shared -o %s -Wl,-soname,%s -Wl,--version-script=%s -Wl,--whole-archive %s -Wl,--no-whole-archive -Wl,--as-needed -Wl,-z,relro,-z,now %s" %
                  (shared.path, soname, ctx.file.version_script.path, static.path, " ".join(flags)),
        use_default_shell_env = True,
    )

    # What a program has to name beside the static archive, and what it must be compiled with to agree with it.
    link_flags = ctx.actions.declare_file("lib%s.link_flags" % ctx.attr.library)
    ctx.actions.write(link_flags, " ".join(flags) + "\n")
    compile_flags = ctx.actions.declare_file("lib%s.compile_flags" % ctx.attr.library)
    defines = ["-D" + define for define in info.compilation_context.defines.to_list()]
    ctx.actions.write(compile_flags, " ".join(defines) + "\n")

    headers = [
        header
        for header in info.compilation_context.headers.to_list()
        if header.short_path.startswith(ctx.attr.public_headers + "/")
    ]
    files = depset([static, shared, link_flags, compile_flags])
    return [DefaultInfo(
        files = files,
        runfiles = ctx.runfiles(files = headers, transitive_files = files),
    )]

kaido_distribution = rule(
    implementation = _kaido_distribution_impl,
    doc = """lib<library>.a and lib<library>.so.<soversion> from libraries and all they depend on; beside them the flags that
    their users need. The public headers are its run files.""",
    attrs = {
        "deps": attr.label_list(providers = [CcInfo], cfg = _hidden_transition),
        "library": attr.string(mandatory = True),
        "public_headers": attr.string(mandatory = True, doc = "The folder that holds them."),
        "soversion": attr.string(mandatory = True),
        "version_script": attr.label(mandatory = True, allow_single_file = True),
        "_allowlist_function_transition": attr.label(default = "@bazel_tools//tools/allowlists/function_transition_allowlist"),
    },
)
