"""Whom an attack must not harm: a worker that goes on answering, and callers that keep count of every answer."""

import collections
import threading
import time

from messages import kaido
from wire import AppConnection, error_text

FUNCTION = "attack::echo"
JOIN_SECONDS_MAX = 60


class Actor(threading.Thread):
    """A thread whose end, if it is not wanted, is kept to be judged."""

    def __init__(self):
        super().__init__(daemon=True)
        self.error = None
        self.is_stopping = False

    def run(self):
        try:
            self.act()
        except Exception as error:  # whatever it is: it is judged
            if not self.is_stopping:
                self.error = error

    def act(self):
        """What the thread does."""


class Echo(Actor):
    """A worker whose result is its argument; b"size N" asks for N bytes, b"hold" is answered once 16 later ones are held."""

    HELD_MAX = 16

    def __init__(self, path, slots=64, name=FUNCTION):
        super().__init__()
        self.served = 0
        self.held = collections.deque()
        self.connection = AppConnection(path, "echo", timeout=None)
        self.connection.register(name, slots)
        answer = self.connection.next()
        if answer.kind != kaido.REGISTERED:
            raise AssertionError("not registered, but %r" % (answer,))
        self.start()

    def act(self):
        while True:
            got = self.connection.next()
            if got.kind == kaido.CANCEL and got.call in self.held:
                self.held.remove(got.call)
                self.connection.send(kaido.RESULT, code=kaido.CANCELLED, call=got.call)
            elif got.kind == kaido.CALL and got.payload == b"hold":
                self.held.append(got.call)
                if len(self.held) > self.HELD_MAX:
                    self.answer(self.held.popleft(), b"held")
            elif got.kind == kaido.CALL:
                asked = got.payload.startswith(b"size ") and len(got.payload) < 20
                self.answer(got.call, b"x" * int(got.payload[5:]) if asked else got.payload)

    def answer(self, call, result):
        self.served += 1
        self.connection.send_payload(kaido.RESULT, result, call=call)

    def close(self):
        self.is_stopping = True
        self.connection.close()


class Caller(Actor):
    """Keeps `window` calls open, one in `large_every` with a large argument, and counts: each call is to get one answer, and its own."""

    def __init__(self, path, window=1, result_bytes=0, count=None, accepts=(), large_every=50, **placement):
        """`accepts`: statuses beside success that are no harm. `count`: so many calls at most."""
        super().__init__()
        self.result_bytes, self.count, self.accepts, self.placement = result_bytes, count, accepts, placement
        self.window, self.large_every = window, large_every
        self.sent = self.succeeded = self.repeated = 0
        self.open = {}
        self.endings = collections.Counter()
        self.wrong = []
        self.slowest_seconds = 0.0
        self.connection = AppConnection(path, "caller", timeout=JOIN_SECONDS_MAX)
        self.template = self.connection.prepare(FUNCTION, **placement)
        self.start()

    def argument(self, call):
        if self.result_bytes:
            return b"size %d" % self.result_bytes
        text = b"call %d" % call + b"." * (call % 200)
        return text * 1500 if call % self.large_every == 0 else text

    def is_right(self, call, result):
        return len(result) == self.result_bytes if self.result_bytes else result == self.argument(call)

    def may_call(self):
        return not self.is_stopping and (self.count is None or self.sent < self.count) and len(self.open) < self.window

    def act(self):
        while True:
            while self.may_call():
                self.sent += 1
                self.open[self.sent] = time.monotonic()
                self.connection.send_payload(kaido.CALL, self.argument(self.sent), code=self.template, call=self.sent)
            if not self.open:
                return
            got = self.connection.next()
            if got.kind == kaido.RESULT:
                self.judge(got)

    def judge(self, got):
        begun = self.open.pop(got.call, None)
        if begun is None:
            self.repeated += 1
            return
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - begun)
        self.endings[got.status] += 1
        if got.status == kaido.SUCCEEDED and self.is_right(got.call, got.payload):
            self.succeeded += 1
        elif got.status not in self.accepts:
            self.wrong.append("call %d: status %d, %s" % (got.call, got.status, error_text(got) or "%d other bytes" % len(got.payload)))

    def finish(self):
        """No further calls; waits for the answers of those that are open. What is wrong, or None."""
        self.is_stopping = True
        self.join(JOIN_SECONDS_MAX)
        self.connection.close()
        if self.is_alive():
            return "%d calls are still open after %d s" % (len(self.open), JOIN_SECONDS_MAX)
        if self.open:
            return "%d calls got no answer: %r" % (len(self.open), self.error)
        if self.repeated:
            return "%d calls were answered twice" % self.repeated
        if self.wrong:
            return "%d of %d calls were harmed: %s" % (len(self.wrong), self.sent, "; ".join(self.wrong[:3]))
        return None
