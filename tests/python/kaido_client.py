"""An app in Python, written from docs/protocol alone: frames.md, local.md, arguments.md and the messages of
proto/kaido/v1. Blocking, one call at a time: it shows the protocol, it is no library."""

import collections
import socket
import struct

# frames.md: length, kind, flags, attempt, metadata length, template or status, call id, budget, trace id, span id, aux.
HEADER = struct.Struct("<IBBHIIQQ16sQQ")
IGNORABLE = 1
(HELLO, WELCOME, REGISTER, REGISTERED, PREPARE, PREPARED, CALL, STARTED, RESULT, CANCEL, REDIRECT, CREDIT, NODE_INFO, LOAD,
 PING, PONG, GOODBYE) = range(1, 18)
SUCCEEDED, PANICKED, CANCELLED, TIMED_OUT = 0, 1, 2, 3
SIGNATURE_MISMATCH, INVALID_ARGUMENT = 9, 10
PROTOCOL_VERSION = 2

MASK = (1 << 64) - 1

Frame = collections.namedtuple("Frame", "kind flags attempt code call_id budget metadata payload")


def function_id(name):
    """arguments.md, "Schema and identity": FNV-1a of the name, finished by SplitMix64."""
    z = 0xCBF29CE484222325
    for byte in name.encode():
        z = ((z ^ byte) * 0x100000001B3) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Goodbye(Exception):
    """The node ended the connection, and said why."""


class CallFailed(Exception):
    def __init__(self, status, error):
        super().__init__(error.message.decode(errors="replace"))
        self.status = status
        self.error = error


class Connection:
    """messages: the module with Hello, Welcome, Register, …; node_messages: Function, Prepare, Goodbye; task_messages:
    ResultError."""

    def __init__(self, path, local_messages, node_messages, task_messages):
        self.local, self.node, self.task = local_messages, node_messages, task_messages
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.templates = 0
        self.calls = 0

    def close(self):
        self.socket.close()

    def send(self, kind, code=0, call_id=0, metadata=b"", payload=b"", attempt=0, budget=0):
        length = HEADER.size + len(metadata) + len(payload)
        header = HEADER.pack(length, kind, 0, attempt, len(metadata), code, call_id, budget, bytes(16), 0, 0)
        self.socket.sendall(header + metadata + payload)

    def receive(self):
        """The next frame but pings, which are answered, and frames that may be ignored."""
        while True:
            fields = HEADER.unpack(self.read(HEADER.size))
            length, kind, flags, attempt, metadata_length, code, call_id, budget = fields[:8]
            body = self.read(length - HEADER.size)
            if kind == PING:
                self.send(PONG, call_id=call_id)
            elif kind == GOODBYE:
                raise Goodbye(self.node.Goodbye.FromString(body[:metadata_length]).reason)
            elif kind == CREDIT or kind > GOODBYE and flags & IGNORABLE:
                pass
            else:
                return Frame(kind, flags, attempt, code, call_id, budget, body[:metadata_length], body[metadata_length:])

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise EOFError("the node closed the connection")
            data += part
        return bytes(data)

    def hello(self, app_name):
        hello = self.local.Hello(app_name=app_name, sdk_version="python")
        hello.versions.min = hello.versions.max = PROTOCOL_VERSION
        self.send(HELLO, metadata=hello.SerializeToString())
        frame = self.receive()
        assert frame.kind == WELCOME, frame
        return self.local.Welcome.FromString(frame.metadata)

    def prepare(self, function, **placement):
        """A template for calls of the function (a Function message)."""
        self.templates += 1
        message = self.node.Prepare(function=function, placement=placement)
        self.send(PREPARE, code=self.templates, metadata=message.SerializeToString())
        return self.templates

    def call(self, template, arguments):
        """The result's bytes."""
        self.calls += 1
        self.send(CALL, code=template, call_id=self.calls, payload=arguments)
        frame = self.receive()
        if frame.kind == PREPARED:  # why the calls of a template will fail; the result says it again
            frame = self.receive()
        assert frame.kind == RESULT and frame.call_id == self.calls, frame
        if frame.code != SUCCEEDED:
            raise CallFailed(frame.code, self.task.ResultError.FromString(frame.metadata))
        return frame.payload

    def register(self, functions, slots):
        message = self.local.Register(functions=functions, slots=slots)
        self.send(REGISTER, metadata=message.SerializeToString())
        frame = self.receive()
        assert frame.kind == REGISTERED, frame

    def serve_one(self, functions):
        """Answers one call; functions: by the index of Register, each from bytes to bytes."""
        frame = self.receive()
        assert frame.kind == CALL, frame
        try:
            result = functions[frame.code](frame.payload)
        except Exception as error:
            described = self.task.ResultError(message=str(error).encode(), exception_type=type(error).__name__.encode())
            self.send(RESULT, code=PANICKED, call_id=frame.call_id, metadata=described.SerializeToString())
        else:
            self.send(RESULT, code=SUCCEEDED, call_id=frame.call_id, payload=result)
