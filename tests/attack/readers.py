"""Apps that ask for much and do not read it, or read it late, or never allow a large result to be sent."""

import threading

from actors import FUNCTION
from cases import attack
from messages import kaido
from nodes import until
from wire import ABORT, STREAMED, WINDOW, AppConnection

MIB = 1 << 20
CALLS = 100
READERS = 10


def ask(app, template, count, result_bytes):
    """As much of it as the node takes: who does not read is not read either."""
    try:
        for call in range(1, count + 1):
            app.send(kaido.CALL, code=template, call=call, payload=b"size %d" % result_bytes)
    except OSError:
        pass


def ask_meanwhile(*arguments):
    """From a thread of its own, which may have to wait."""
    sender = threading.Thread(target=ask, args=arguments, daemon=True)
    sender.start()
    return sender


def read_meanwhile(app):
    """From a thread of its own, until the connection ends: what is sent now gets through, though it is more than the socket holds."""
    def read():
        try:
            while True:
                app.one()
        except (OSError, EOFError):
            pass
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return reader


@attack(memory_mib=160)
def apps_that_never_read(site):
    a = site.one_node()
    while site.lasts():
        apps = [site.attacker(AppConnection(a.app, "never reads")) for _ in range(READERS)]
        senders = [ask_meanwhile(app, app.prepare(FUNCTION), CALLS, 60_000) for app in apps]
        site.goes_on(site.callers[0], calls=20)
        for app, sender in zip(apps, senders):
            app.close()
            sender.join()
        until(lambda: len(a.descriptors()) <= site.baseline["a"][1], "the apps are gone")
        site.count("apps", len(apps))


@attack(memory_mib=96)
def an_app_that_reads_late(site):
    """Nothing is read while others go on; then all of it is, and every call has one answer."""
    a = site.one_node()
    count = 40
    while site.lasts():
        app = site.attacker(AppConnection(a.app, "reads late", timeout=30))
        sender = ask_meanwhile(app, app.prepare(FUNCTION), count, MIB)
        site.goes_on(site.callers[0], calls=20)
        answered = set()
        while len(answered) < count:
            got = app.next()
            if got.kind == kaido.RESULT:
                site.expect(got.call not in answered, "call %d was answered twice" % got.call)
                site.expect(got.status == kaido.SUCCEEDED and len(got.payload) == MIB, "call %d got another result" % got.call)
                answered.add(got.call)
        sender.join()
        app.close()
        site.count("results", count)


@attack(memory_mib=96)
def results_that_are_never_let_go(site):
    """Large results are announced, and no window comes, or a senseless one."""
    a = site.one_node()
    offsets = (0, 1, 10, 1 << 63, (1 << 64) - 1)
    while site.lasts():
        app = site.attacker(AppConnection(a.app, "no window", timeout=30))
        sender = ask_meanwhile(app, app.prepare(FUNCTION), CALLS, MIB)
        announced = 0
        while announced < 10:
            got = app.one()
            announced += got.kind == kaido.RESULT and got.flags & STREAMED != 0
            if got.kind == kaido.PING:
                app.send(kaido.PONG, call=got.call)
        reader = read_meanwhile(app)
        for stream in (1, 2, 3, 999, (1 << 64) - 1):
            for offset in offsets:
                app.send(WINDOW, call=stream, aux=offset)
        app.send(WINDOW, call=4, flags=ABORT)
        site.goes_on(site.callers[0], calls=20)
        app.close()
        sender.join()
        reader.join()
        site.count("announced", announced)


@attack(memory_mib=48)
def large_arguments_both_ways(site):
    """48 MiB there and back, as they came; the node holds little of them."""
    a = site.one_node()
    size = 48 * MIB
    argument = site.random.randbytes(1 << 16) * (size >> 16)
    app = site.attacker(AppConnection(a.app, "large", timeout=60))
    template = app.prepare(FUNCTION)
    call = 0
    while call == 0 or site.lasts():
        call += 1
        app.send_payload(kaido.CALL, argument, code=template, call=call)
        got = app.next()
        site.expect((got.kind, got.status, got.call) == (kaido.RESULT, kaido.SUCCEEDED, call), "no result, but %r" % (got[:6],))
        site.expect(got.payload == argument, "the result is not what was sent")
        site.count("MiB", 96)
