"""Numbers and texts at their ends: attempts, budgets, statuses, names and errors that are no text."""

from actors import FUNCTION, JOIN_SECONDS_MAX
from cases import attack
from messages import kaido, local, task
from wire import AppConnection, Connection, PeerConnection, INQUIRE

MIB = 1 << 20


def answer_of(connection, call):
    """The one frame that ends the call."""
    while True:
        got = connection.next()
        if got.kind in (kaido.RESULT, kaido.REDIRECT) and got.call == call:
            return got


@attack(memory_mib=16)
def attempts_and_budgets_at_their_ends(site):
    """A peer's attempts keep their numbers, whatever their width; repeats of them get an answer."""
    a = site.one_node()
    origin = site.attacker(PeerConnection(a.peer, timeout=JOIN_SECONDS_MAX))
    template, call = origin.prepare(FUNCTION), 0
    for attempt in (0, 1, 65_535, 65_536, 65_537, (1 << 32) - 1):
        for budget in (0, 1, 1 << 63, (1 << 64) - 1):
            call += 1
            header = {"call": call, "attempt": attempt & 65_535, "aux": (attempt >> 16) << 48}
            origin.send(kaido.CALL, code=template, budget=budget, payload=b"hi", **header)
            got = answer_of(origin, call)
            site.expect(got.attempt | (got.aux >> 48) << 16 == attempt, "attempt %d was answered as another one" % attempt)
            if budget != 1:
                site.expect(got.status == kaido.SUCCEEDED and got.payload == b"hi", "attempt %d, budget %d: %r" % (attempt, budget, got[:6]))
            # The same again, and whether it is still at work.
            origin.send(INQUIRE, **header)
            answer_of(origin, call)
            site.count("attempts")


@attack(memory_mib=64)
def errors_that_are_no_text(site):
    """What a worker says of a failed call reaches its caller mended and bounded, whatever status it claims."""
    a = site.one_node()
    worker = site.attacker(AppConnection(a.app, "\x1b[31mred\nforged line", timeout=JOIN_SECONDS_MAX))
    worker.register("attack::bad", slots=2)
    worker.next()
    caller = site.attacker(AppConnection(a.app, "asks", timeout=JOIN_SECONDS_MAX))
    template, call = caller.prepare("attack::bad"), 0
    reasons = [task.NodeReason(node="n", reason="r" * 1000)] * 1500
    errors = (
        task.ResultError(message=b"\xff\xfe\0\x1b[31m", exception_type=b"\x80").SerializeToString(),
        task.ResultError(message=b"m" * (4 * MIB - 100)).SerializeToString(),
        task.ResultError(exception_type=b"e" * (2 * MIB), reasons=reasons).SerializeToString(),
        task.ResultError().SerializeToString(), b"", b"garbage\xff\xff\xff")
    for error in errors:
        for status in (0, 1, 3, 5, 7, 8, 12, (1 << 32) - 1):
            call += 1
            caller.send(kaido.CALL, code=template, call=call, payload=b"x")
            asked = worker.next()
            worker.send(kaido.RESULT, code=status, call=asked.call, meta=error)
            got = answer_of(caller, call)
            site.expect((got.status == 0) == (status == 0), "status %d arrives as %d" % (status, got.status))
            said = task.ResultError.FromString(got.metadata)
            site.expect(len(said.message) <= 33 << 10 and len(got.metadata) <= MIB, "an error of %d bytes" % len(got.metadata))
            said.message.decode()
            said.exception_type.decode()
            site.count("errors")


@attack(memory_mib=32)
def names_that_are_no_text(site):
    """An app that cannot say who it is gets no welcome, and a reason."""
    a = site.one_node()
    long = local.Hello(app_name="x" * (4 * MIB - 100))
    long.versions.min = long.versions.max = kaido.PROTOCOL_VERSION
    not_utf8 = b"\x0a\x04\x08\x02\x10\x02\x12\x04\xff\xfe\x1b["
    for hello in (long.SerializeToString(), not_utf8, b"", site.random.randbytes(500)):
        app = site.attacker(Connection(a.app, timeout=JOIN_SECONDS_MAX))
        app.send(kaido.HELLO, meta=hello)
        try:
            site.expect(app.next().kind != kaido.WELCOME, "welcome, %r" % hello[:20])
        except kaido.Goodbye as goodbye:
            site.expect(str(goodbye), "a goodbye without a reason")
        site.count("names")
