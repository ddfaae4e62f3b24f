"""The only place that names Bazel's C++ rules: one compiler setting for all of Kaido, one shape for its targets.

A library is one idea: a header, its source, its test beside it. Visibility follows the layer map in //:BUILD.bazel.
"""

KAIDO_COPTS = [
    "-std=c++20",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    "-Wno-missing-field-initializers",
    "-fno-omit-frame-pointer",
]

# What protoc writes is not ours to keep free of warnings.
_GENERATED_COPTS = [
    "-std=c++20",
    "-w",
]

def kaido_library(name, copts = [], **kwargs):
    """A library of ours: cc_library with the project's compiler settings."""
    native.cc_library(
        name = name,
        copts = KAIDO_COPTS + copts,
        **kwargs
    )

def kaido_binary(name, copts = [], **kwargs):
    """A program of ours: cc_binary with the project's compiler settings."""
    native.cc_binary(
        name = name,
        copts = KAIDO_COPTS + copts,
        **kwargs
    )

def kaido_test(name, deps = [], copts = [], size = "small", main = True, **kwargs):
    """A GoogleTest program.

    Args:
      name: the target.
      deps: what it tests; GoogleTest is added.
      copts: further compiler options.
      size: Bazel's test size, which sets the time limit.
      main: whether GoogleTest's own main() is linked; False where the test brings one.
      **kwargs: passed on to cc_test.
    """
    native.cc_test(
        name = name,
        size = size,
        copts = KAIDO_COPTS + copts,
        deps = deps + (["@system//:gtest_main"] if main else ["@system//:gtest"]),
        **kwargs
    )

def kaido_fuzz_test(name, srcs, deps = [], corpus = [], seconds = 5, **kwargs):
    """A fuzz target: an LLVMFuzzerTestOneInput that is also an ordinary test.

    Without --config=fuzz it is linked with //tests/fuzz:driver, which replays the corpus and then seeded mutations of
    it; with --config=fuzz (clang) it is linked with libFuzzer and can be run for as long as wished.

    Args:
      name: the target.
      srcs: the file with LLVMFuzzerTestOneInput.
      deps: what it fuzzes.
      corpus: files to start from.
      seconds: how long the driver mutates in an ordinary test run.
      **kwargs: passed on to cc_test.
    """
    native.cc_test(
        name = name,
        size = "small",
        tags = ["fuzz"],
        srcs = srcs,
        copts = KAIDO_COPTS,
        data = corpus,
        args = ["--seconds=%d" % seconds] + ["$(locations %s)" % label for label in corpus],
        deps = deps + select({
            "//bazel:fuzzing": [],
            "//conditions:default": ["//tests/fuzz:driver"],
        }),
        **kwargs
    )

def _protoc(name, srcs, deps, outs, command):
    native.genrule(
        name = name,
        srcs = srcs + [dep + "_protos" for dep in deps],
        outs = outs,
        cmd = "for proto in " + " ".join(["$(locations %s)" % s for s in srcs]) + "; do " + command + " $$proto; done",
    )

def kaido_proto_library(name, srcs, deps = [], grpc = False, visibility = None):
    """C++ code for .proto files of this package; `grpc = True` adds the service stubs.

    Args:
      name: the library.
      srcs: .proto files; they import each other by their path from the repository's root.
      deps: other kaido_proto_library targets whose files are imported.
      grpc: whether the files define services.
      visibility: Bazel's.
    """
    native.filegroup(
        name = name + "_protos",
        srcs = srcs,
        visibility = visibility,
    )
    stems = [src[:-len(".proto")] for src in srcs]
    _protoc(
        name = name + "_protoc",
        srcs = srcs,
        deps = deps,
        outs = [stem + ".pb.h" for stem in stems] + [stem + ".pb.cc" for stem in stems],
        command = "protoc -I. --cpp_out=$(GENDIR)",
    )
    sources = [stem + ".pb.cc" for stem in stems]
    headers = [stem + ".pb.h" for stem in stems]
    libraries = ["@system//:protobuf"]
    if grpc:
        _protoc(
            name = name + "_grpc_protoc",
            srcs = srcs,
            deps = deps,
            outs = [stem + ".grpc.pb.h" for stem in stems] + [stem + ".grpc.pb.cc" for stem in stems],
            command = "protoc -I. --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=$(GENDIR)",
        )
        sources += [stem + ".grpc.pb.cc" for stem in stems]
        headers += [stem + ".grpc.pb.h" for stem in stems]
        libraries.append("@system//:grpc")
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        copts = _GENERATED_COPTS,
        visibility = visibility,
        deps = deps + libraries,
    )
