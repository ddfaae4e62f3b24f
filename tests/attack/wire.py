"""Connections that know frames, chunks and windows (docs/protocol/frames.md), and may break every rule of them."""

import collections
import os
import socket
import struct
import threading

from messages import kaido, local, node, peer, task

STREAMED, ABORT = 2, 4
CHUNK, WINDOW, YIELD, RESUME, QUEUED, INQUIRE = range(18, 24)
NODE_LOST, REJECTED, UNAVAILABLE, APP_LOST = range(5, 9)
# Of an app: it waits for another result where one was given up halfway.
FEATURE_RESULTS_FOLLOW = 1
INLINE_BYTES_MAX = 65536
PEER_VERSION = 2

Frame = collections.namedtuple("Frame", "kind flags attempt status call budget metadata payload aux")


def frame(kind, flags=0, attempt=0, code=0, call=0, budget=0, meta=b"", payload=b"", aux=0, length=None, meta_length=None):
    """The bytes of a frame; `length` and `meta_length` may lie."""
    return kaido.HEADER.pack(
        kaido.HEADER.size + len(meta) + len(payload) if length is None else length, kind, flags, attempt,
        len(meta) if meta_length is None else meta_length, code, call, budget, bytes(16), 0, aux) + meta + payload


def announcement(size, stream, first_chunk=b""):
    return struct.pack("<QQ", size, stream) + first_chunk


def function(name, **more):
    return node.Function(name=name, id=kaido.function_id(name), **more)


def offered(name):
    return function(name, fingerprint=1, signature="(bytes) -> bytes")


def error_text(answer):
    """What a result says went wrong; empty where it succeeded."""
    return task.ResultError.FromString(answer.metadata).message.decode(errors="replace") if answer.status else ""


class Connection:
    """One stream, to an app's or a peer's socket. Several threads may send; one reads."""

    def __init__(self, path, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.lock = threading.RLock()
        self.templates = self.streams = 0
        self.outgoing, self.incoming = {}, {}

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # so that a thread that waits in it goes on
        except OSError:
            pass  # it has ended already
        self.socket.close()

    # ---- out

    def send(self, *args, **more):
        self.send_bytes(frame(*args, **more))

    def send_bytes(self, data):
        with self.lock:
            self.socket.sendall(data)

    def send_payload(self, kind, payload, **more):
        """Inline or streamed; what windows do not allow yet follows while next() reads."""
        if len(payload) <= INLINE_BYTES_MAX:
            return self.send(kind, payload=payload, **more)
        with self.lock:
            self.streams += 1
            self.outgoing[self.streams] = [payload, INLINE_BYTES_MAX]
            self.send(kind, flags=STREAMED, payload=announcement(len(payload), self.streams, payload[:INLINE_BYTES_MAX]), **more)

    def prepare(self, name, **placement):
        self.templates += 1
        message = node.Prepare(function=function(name), placement=placement)
        self.send(kaido.PREPARE, code=self.templates, meta=message.SerializeToString())
        return self.templates

    def register(self, name, slots):
        message = local.Register(slots=slots, compute_slots=slots, functions=[offered(name)])
        self.send(kaido.REGISTER, meta=message.SerializeToString())

    # ---- in

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(min(size - len(data), 1 << 20))
            if not part:
                raise EOFError("the node closed the connection")
            data += part
        return bytes(data)

    def one(self):
        """The next frame as it comes."""
        length, kind, flags, attempt, meta_length, code, call, budget, _, _, aux = kaido.HEADER.unpack(self.read(kaido.HEADER.size))
        body = self.read(length - kaido.HEADER.size)
        return Frame(kind, flags, attempt, code, call, budget, body[:meta_length], body[meta_length:], aux)

    def next(self):
        """The next whole frame, as a well-behaved app sees it: pings, chunks and windows are dealt with."""
        while True:
            got = self.one()
            if got.kind == kaido.PING:
                self.send(kaido.PONG, call=got.call)
            elif got.kind == kaido.GOODBYE:
                raise kaido.Goodbye(node.Goodbye.FromString(got.metadata).reason)
            elif got.kind == WINDOW:
                self._window(got)
            elif got.kind == CHUNK:
                whole = self._chunk(got)
                if whole is not None:
                    return whole
            elif got.flags & STREAMED:
                size, stream = struct.unpack("<QQ", got.payload[:16])
                self.incoming[stream] = [got, bytearray(got.payload[16:]), size]
                self.send(WINDOW, call=stream, aux=size)
            elif got.kind == kaido.CANCEL and self._cancelled_halfway(got.call):
                self.send(kaido.RESULT, code=kaido.CANCELLED, call=got.call)
            elif got.kind != kaido.CREDIT:
                return got

    def _window(self, got):
        with self.lock:
            sent = self.outgoing.get(got.call)
            if sent is None:
                return
            payload, at = sent
            if got.flags & ABORT:
                at = len(payload)
            while at < min(got.aux, len(payload)):
                end = min(at + INLINE_BYTES_MAX, got.aux, len(payload))
                self.send(CHUNK, call=got.call, aux=at, payload=payload[at:end])
                at = end
            sent[1] = at
            if at >= len(payload):
                del self.outgoing[got.call]

    def _chunk(self, got):
        entry = self.incoming.get(got.call)
        if entry is None:
            return None
        begun, data, size = entry
        if got.flags & ABORT:
            del self.incoming[got.call]
            if begun.kind == kaido.RESULT:
                return None  # another one follows
            self.send(kaido.RESULT, code=kaido.CANCELLED, call=begun.call)  # a call to this worker gets one result
            return None
        data += got.payload
        if len(data) < size:
            return None
        del self.incoming[got.call]
        return begun._replace(flags=begun.flags & ~STREAMED, payload=bytes(data))

    def _cancelled_halfway(self, call):
        halves = [stream for stream, entry in self.incoming.items() if entry[0].kind == kaido.CALL and entry[0].call == call]
        for stream in halves:
            del self.incoming[stream]
        return bool(halves)

    def drain(self, timeout=0.02):
        """Reads until nothing comes for `timeout`; why the node ended the connection, or None."""
        self.socket.settimeout(timeout)
        try:
            while True:
                self.next()
        except kaido.Goodbye as goodbye:
            return str(goodbye)
        except (EOFError, OSError):
            return None


class AppConnection(Connection):
    """An app, welcome at its node."""

    def __init__(self, path, name="attacker", timeout=10):
        super().__init__(path, timeout)
        hello = local.Hello(app_name=name, sdk_version="python")
        hello.versions.min = hello.versions.max = kaido.PROTOCOL_VERSION
        hello.versions.features = FEATURE_RESULTS_FOLLOW
        self.send(kaido.HELLO, meta=hello.SerializeToString())
        answer = self.next()
        if answer.kind != kaido.WELCOME:
            raise AssertionError("no welcome, but %r" % (answer,))


def peer_hello(name="stranger", identity=None, epoch=1, nonce=1):
    hello = peer.PeerHello(
        node_id=os.urandom(16) if identity is None else identity, node_name=name, epoch=epoch, nonce=nonce,
        max_frame_bytes=64 << 20, max_metadata_bytes=4 << 20, max_templates=65536)
    hello.versions.min = hello.versions.max = PEER_VERSION
    return hello


class PeerConnection(Connection):
    """Dials a node as another node, as far as `until` says: connected, hello, welcome or info."""

    STAGES = ("connected", "hello", "welcome", "info")

    def __init__(self, path, until="info", timeout=10, slots=4, functions=(), hello=None):
        super().__init__(path, timeout)
        stage = self.STAGES.index(until)
        self.hello = hello or peer_hello()
        if stage >= 1:
            self.send(kaido.HELLO, meta=self.hello.SerializeToString())
            self.theirs = peer.PeerHello.FromString(self.next().metadata)
        if stage >= 2:
            self.send(kaido.WELCOME, meta=peer.PeerWelcome(version=PEER_VERSION).SerializeToString())
            self.next()
        if stage >= 3:
            self.send_info(slots, functions)
            self.next()

    def send_info(self, slots, functions, **more):
        info = node.NodeInfo(
            id=self.hello.node_id, name=self.hello.node_name, epoch=self.hello.epoch, nonce=self.hello.nonce, slots=slots,
            functions=[offered(name) for name in functions], **more)
        self.send(kaido.NODE_INFO, meta=info.SerializeToString())
