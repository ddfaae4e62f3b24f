"""Calls whose arguments were announced and do not come: each ends once, and its slot is somebody else's then."""

from actors import FUNCTION, JOIN_SECONDS_MAX
from cases import attack
from messages import kaido
from wire import ABORT, CHUNK, REJECTED, STREAMED, AppConnection, announcement, frame

MIB = 1 << 20
STREAMS = 1100  # a connection may have 1024 under way
SLOTS = 4


def announce(app, template, call, size=MIB, stream=None, first=b"h" * 100, budget=0):
    app.send(kaido.CALL, flags=STREAMED, code=template, call=call, budget=budget,
             payload=announcement(size, stream or call, first))


def answers(app, count):
    """`count` results, of different calls: call → status."""
    got = {}
    while len(got) < count:
        answer = app.next()
        if answer.kind == kaido.RESULT:
            if answer.call in got:
                raise AssertionError("call %d was answered twice" % answer.call)
            got[answer.call] = answer.status
    return got


@attack(memory_mib=64)
def half_of_the_arguments_then_cancelled(site):
    """More than may be under way, all cancelled: one answer each."""
    a = site.one_node(slots=SLOTS)
    while site.lasts():
        app = site.attacker(AppConnection(a.app, "half", timeout=JOIN_SECONDS_MAX))
        template = app.prepare(FUNCTION)
        for call in range(1, STREAMS + 1):
            announce(app, template, call)
            app.send(kaido.CANCEL, call=call)
        statuses = set(answers(app, STREAMS).values())
        site.expect(kaido.SUCCEEDED not in statuses, "a call succeeded without its arguments")
        app.close()
        site.count("streams", STREAMS)


@attack(memory_mib=64)
def half_of_the_arguments_then_gone(site):
    """The apps go without a word while their calls hold every slot."""
    a = site.one_node(slots=SLOTS)
    while site.lasts():
        apps = [site.attacker(AppConnection(a.app, "half")) for _ in range(4)]
        for app in apps:
            template = app.prepare(FUNCTION)
            for call in range(1, 101):
                announce(app, template, call, size=60 * MIB, first=b"h" * 60_000 if call <= 20 else b"h")
        for app in apps:
            app.close()
        site.goes_on(site.callers[0])
        site.count("streams", 400)


@attack(memory_mib=32)
def ways_to_give_arguments_up(site):
    """Cancelled, aborted, with a gap, past its deadline: the slot is free again while the app lives on."""
    a = site.node("a")
    site.echo(a, slots=2)
    site.caller(a)
    site.begin()
    ways = {
        "cancel": lambda app, call: app.send(kaido.CANCEL, call=call),
        "abort": lambda app, call: app.send(CHUNK, flags=ABORT, call=call),
        "cancel and abort": lambda app, call: (app.send(kaido.CANCEL, call=call), app.send(CHUNK, flags=ABORT, call=call)),
        "a gap": lambda app, call: app.send(CHUNK, call=call, aux=77_777, payload=b"g"),
        "its deadline": None,
    }
    app = site.attacker(AppConnection(a.app, "gives up", timeout=JOIN_SECONDS_MAX))
    template, call = app.prepare(FUNCTION), 0
    for way, give_up in ways.items():
        calls = (call + 1, call + 2)
        call += 2
        for each in calls:
            announce(app, template, each, budget=0 if give_up else 300_000_000)
        for each in calls:
            if give_up:
                give_up(app, each)
        site.expect(set(answers(app, 2)) == set(calls), "%s: not every call was answered" % way)
        site.goes_on(site.callers[0])
        site.count("ways")


@attack(memory_mib=32)
def sizes_that_cannot_be(site):
    """Announced sizes beyond every bound: refused in words, and nothing is allocated for them."""
    a = site.one_node()
    too_large = (64 * MIB, 64 * MIB + 1, 1 << 32, 1 << 63, (1 << 64) - 1, (1 << 64) - 64)
    app = site.attacker(AppConnection(a.app, "huge", timeout=JOIN_SECONDS_MAX))
    template, call = app.prepare(FUNCTION), 0
    for size in too_large:
        call += 1
        announce(app, template, call, size, first=b"h" * 10)
        site.expect(answers(app, 1) == {call: kaido.INVALID_ARGUMENT}, "%d bytes were not refused" % size)
    for size in (0, 1):  # less than came with the announcement
        call += 1
        announce(app, template, call, size, first=b"h" * 10)
        site.expect(answers(app, 1)[call] != kaido.SUCCEEDED, "ten bytes of %d succeeded" % size)
    call += 1
    app.send(kaido.CALL, code=template, call=call, payload=b"still welcome")
    site.expect(answers(app, 1) == {call: kaido.SUCCEEDED}, "the app is not served any more")


def push(connection, rest):
    """As much of it as the node takes now; what is left."""
    try:
        return rest[connection.socket.send(rest):]
    except BlockingIOError:
        return rest
    except OSError:
        return b""  # its time for being silent has passed


@attack(memory_mib=64 + 32)
def frames_that_do_not_end(site):
    """Hundreds of apps send nearly all of a frame: large ones until the memory is taken, then ones as large as a read."""
    a = site.node("a", more="limits: {memory: 64MiB, max_frame_bytes: 16MiB}")
    site.echo(a, slots=SLOTS)
    site.caller(a, accepts=(REJECTED,))
    site.begin()
    apps = [site.attacker(AppConnection(a.app, "half")) for _ in range(400)]
    rests = []
    for index, app in enumerate(apps):
        app.socket.setblocking(False)
        size = 4 * MIB - 1000 if index < 20 else 255_000
        rests.append(memoryview(frame(kaido.PREPARE, meta=bytes(size))[:-1]))
    while site.lasts():
        rests = [push(app, rest) for app, rest in zip(apps, rests)]
    site.goes_on(site.callers[0])
    site.count("frames", len(apps))
