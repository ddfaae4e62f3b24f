"""Another language from the documentation alone: Python calls a C++ function, and offers one of its own.

usage: python_test.py ROOT, where ROOT is the root of the sources and of the built programs (a test's run files).
"""

import importlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import kaido_client as kaido

SECONDS_MAX = 60

CONFIG = """
node:
  name: python-test
  state_dir: {folder}/state
listen:
  app_socket: {folder}/app.sock
  admin_socket: {folder}/admin.sock
log: {{level: warn, format: text}}
"""

# What the Python worker offers, as its author writes it.
REPEAT_PROTO = """
syntax = "proto3";
message Arguments {
  string text = 1;
  optional uint32 times = 2;
}
message Result {
  string value = 1;
}
"""


class PythonTest(unittest.TestCase):
    root = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(dir="/tmp", prefix="kaido-py-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        with open(cls.folder + "/kaidod.yaml", "w") as config:
            config.write(CONFIG.format(folder=cls.folder))
        cls.protoc("proto/kaido/v1/local.proto", "proto/kaido/v1/node.proto", "proto/kaido/v1/task.proto", include=cls.root)
        sys.path.insert(0, cls.folder)
        cls.local, cls.node, cls.task = (
            importlib.import_module("proto.kaido.v1.%s_pb2" % name) for name in ("local", "node", "task"))
        cls.start("daemon/kaidod", "--config", cls.folder + "/kaidod.yaml")
        cls.until(lambda: cls.kaidoctl("status").returncode == 0)
        cls.start("tests/integration/test_app", "worker", cls.folder + "/app.sock")
        cls.until(lambda: "kaido::test::summarize" in cls.kaidoctl("functions").stdout)

    @classmethod
    def protoc(cls, *arguments, include):
        subprocess.run(["protoc", "-I", include, "--python_out=" + cls.folder, *arguments], check=True, cwd=include)

    @classmethod
    def start(cls, program, *arguments):
        process = subprocess.Popen([os.path.join(cls.root, program), *arguments], stdout=subprocess.DEVNULL)

        def end():
            process.send_signal(signal.SIGKILL if program.endswith("test_app") else signal.SIGTERM)
            process.wait(timeout=SECONDS_MAX)

        cls.addClassCleanup(end)
        return process

    @classmethod
    def until(cls, condition):
        limit = time.monotonic() + SECONDS_MAX
        while not condition():
            if time.monotonic() > limit:
                raise AssertionError("it did not come about")
            time.sleep(0.02)

    @classmethod
    def kaidoctl(cls, *arguments):
        return subprocess.run(
            [os.path.join(cls.root, "daemon/kaidoctl/kaidoctl"), "--socket", cls.folder + "/admin.sock", *arguments],
            capture_output=True, text=True, timeout=SECONDS_MAX)

    def connect(self, name="python"):
        connection = kaido.Connection(self.folder + "/app.sock", self.local, self.node, self.task)
        self.addCleanup(connection.close)
        welcome = connection.hello(name)
        self.assertEqual(welcome.node_name, "python-test")
        self.assertEqual(welcome.version, kaido.PROTOCOL_VERSION)
        return connection

    def describe(self, name, module):
        """Function message and generated module of a function, from what `kaidoctl functions` prints."""
        printed = self.kaidoctl("functions", name)
        self.assertEqual(printed.returncode, 0, printed.stderr)
        with open(os.path.join(self.folder, module + ".proto"), "w") as file:
            file.write(printed.stdout)
        self.protoc(module + ".proto", include=self.folder)
        identity = re.search("^// id ([0-9a-f]{16}), fingerprint ([0-9a-f]{16})$", printed.stdout, re.MULTILINE)
        function = self.node.Function(name=name, id=int(identity[1], 16), fingerprint=int(identity[2], 16))
        self.assertEqual(function.id, kaido.function_id(name))
        return function, importlib.import_module(module + "_pb2")

    def test_calls_a_cpp_function(self):
        function, summarize = self.describe("kaido::test::summarize", "summarize")
        connection = self.connect()
        template = connection.prepare(function)
        arguments = summarize.Arguments(text="one two three four", weights=[0.5, 1.5])
        result = summarize.Result.FromString(connection.call(template, arguments.SerializeToString())).value
        self.assertEqual(list(result.words), ["one", "two", "three", "four"])
        self.assertEqual(result.total_weight, 2.0)
        arguments.limit = 2
        result = summarize.Result.FromString(connection.call(template, arguments.SerializeToString())).value
        self.assertEqual(list(result.words), ["one", "two"])

    def test_learns_what_went_wrong(self):
        connection = self.connect()
        # Without the fingerprint (0) nothing is compared; `boom` takes {string a1 = 1} and throws it.
        template = connection.prepare(self.node.Function(name="kaido::test::boom", id=kaido.function_id("kaido::test::boom")))
        with self.assertRaises(kaido.CallFailed) as failed:
            connection.call(template, b"\x0a\x06kaputt")
        self.assertEqual(failed.exception.status, kaido.PANICKED)
        self.assertEqual(failed.exception.error.message, b"kaputt")
        self.assertEqual(failed.exception.error.exception_type, b"std::runtime_error")
        self.assertEqual(failed.exception.error.node, "python-test")
        with self.assertRaises(kaido.CallFailed) as failed:
            connection.call(template, b"\x0a\x7fcut")
        self.assertEqual(failed.exception.status, kaido.INVALID_ARGUMENT)
        self.assertIn(b"kaido::test::boom", failed.exception.error.message)
        # Another fingerprint without a schema meets nobody, and the connection goes on.
        other = connection.prepare(self.node.Function(
            name="kaido::test::boom", id=kaido.function_id("kaido::test::boom"), fingerprint=1, signature="(bool) -> int32"))
        with self.assertRaises(kaido.CallFailed) as failed:
            connection.call(other, b"")
        self.assertEqual(failed.exception.status, kaido.SIGNATURE_MISMATCH)
        self.assertIn(b"the caller has (bool) -> int32", failed.exception.error.message)
        self.assertEqual(failed.exception.error.reasons[0].reason, "the same")

    def test_a_call_that_cannot_be_served_fails_alone(self):
        connection = self.connect()
        with self.assertRaisesRegex(kaido.CallFailed, "template 1, which was not prepared"):
            connection.call(1, b"")
        connection.send(kaido.PING, call_id=7)
        self.assertEqual(connection.receive().kind, kaido.PONG)

    def test_a_broken_rule_ends_the_connection_with_a_reason(self):
        connection = self.connect()
        connection.send(kaido.HELLO)
        with self.assertRaisesRegex(kaido.Goodbye, "a hello frame .* has no place in a session that is ready"):
            connection.receive()

    def test_offers_a_function_to_others(self):
        with open(self.folder + "/repeat.proto", "w") as file:
            file.write(REPEAT_PROTO)
        self.protoc("repeat.proto", "--descriptor_set_out=" + self.folder + "/repeat.set", include=self.folder)
        with open(self.folder + "/repeat.set", "rb") as file:
            schema = file.read()
        messages = importlib.import_module("repeat_pb2")

        def repeat(data):
            arguments = messages.Arguments.FromString(data)
            if not arguments.text:
                raise ValueError("nothing to repeat")
            times = arguments.times if arguments.HasField("times") else 2
            return messages.Result(value=arguments.text * times).SerializeToString()

        signature = "(string, optional uint32) -> string"
        connection = self.connect("python worker")
        connection.register([self.node.Function(
            name="python.repeat", id=kaido.function_id("python.repeat"), fingerprint=kaido.function_id(signature),
            signature=signature, schema=schema)], slots=1)

        def serve():
            for _ in range(3):
                connection.serve_one([repeat])

        worker = threading.Thread(target=serve)
        worker.start()
        self.addCleanup(worker.join, SECONDS_MAX)
        twice = self.kaidoctl("call", "python.repeat", '{"text": "ab"}')
        self.assertEqual((twice.returncode, twice.stdout), (0, "abab\n"), twice.stderr)
        thrice = self.kaidoctl("call", "python.repeat", '{"text": "ab", "times": 3}', "-o", "json")
        self.assertEqual((thrice.returncode, thrice.stdout), (0, '{"value":"ababab"}\n'), thrice.stderr)
        nothing = self.kaidoctl("call", "python.repeat", '{"text": ""}')
        self.assertEqual(nothing.returncode, 6)
        self.assertIn("nothing to repeat (ValueError)", nothing.stderr)


if __name__ == "__main__":
    PythonTest.root = sys.argv.pop(1)
    unittest.main()
