"""Many of something: connections, apps, templates, strangers, and few descriptors."""

import os
import socket
import subprocess

from actors import FUNCTION
from cases import attack
from messages import kaido, node
from nodes import until
from wire import AppConnection, PeerConnection, function, peer_hello

HELD_MAX = 200


def connect(path):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(2)
    made.connect(path)
    return made


@attack(memory_mib=32)
def connections_that_say_next_to_nothing(site):
    a = site.one_node()
    held = []
    while site.lasts():
        try:
            made = connect(site.random.choice((a.app, a.peer)))
            made.sendall(site.random.choice((b"", b"\x40\0", os.urandom(64))))
        except OSError:
            site.count("refused")
            continue
        site.count("connections")
        if site.random.random() < .2 and len(held) < HELD_MAX:
            held.append(made)
        else:
            made.close()
    # Those that are held are closed by the node, when their time for greeting has passed.
    until(lambda: len(a.descriptors()) <= site.baseline["a"][1], "the node closed who never greeted")
    for made in held:
        made.close()


@attack(memory_mib=16)
def more_apps_than_may_be(site):
    """Beyond limits.max_apps an app is turned away, and welcome when another has gone."""
    a = site.one_node(more="limits: {max_apps: 8}")
    rounds = 0
    while rounds == 0 or site.lasts():
        rounds += 1
        welcome, refused = [], 0
        for index in range(40):
            try:
                welcome.append(AppConnection(a.app, "app %d" % index))
            except (OSError, EOFError, kaido.Goodbye):
                refused += 1
        site.expect(len(welcome) <= 6 and refused >= 34, "%d apps were welcome beside two of at most eight" % len(welcome))
        for app in welcome:
            app.close()
        site.count("refused", refused)

        def is_welcome():
            try:
                AppConnection(a.app).close()
            except (OSError, EOFError, kaido.Goodbye):
                return False
            return True
        until(is_welcome, "an app is welcome again")


@attack(memory_mib=32)
def no_descriptor_left(site):
    """Connections beyond what the process may have: calls go on, and it does not spin."""
    a = site.one_node()
    # What it has, and room for a few more.
    limit = len(a.descriptors()) + 8
    subprocess.run(["prlimit", "--pid", str(a.process.pid), "--nofile=%d:%d" % (limit, limit)], check=True)
    held = []
    for _ in range(100):
        try:
            held.append(connect(a.app))
        except OSError:
            site.count("refused")
    cpu, calls = a.cpu_seconds(), site.callers[0].sent
    site.goes_on(site.callers[0], calls=200)
    per_call = (a.cpu_seconds() - cpu) / (site.callers[0].sent - calls)
    site.expect(per_call < 0.05, "the node takes %.0f ms of a processor for each call" % (per_call * 1000))
    for made in held:
        made.close()
    until(lambda: len(a.descriptors()) <= site.baseline["a"][1], "the node closed who has gone")


@attack(memory_mib=48)
def templates_without_end(site):
    """Rules of every size, in new numbers and old ones, far and near; calls of what was refused are refused."""
    a = site.one_node()
    while site.lasts():
        app = site.attacker(AppConnection(a.app, "templates", timeout=30))
        for number in range(1, 301):
            text = "v" * site.random.choice((1, 100, 500, 513, 1 << 20))
            message = node.Prepare(function=function(FUNCTION), placement={"tags": {"k%d" % number: text}})
            app.send(kaido.PREPARE, code=number, meta=message.SerializeToString())
        good = node.Prepare(function=function(FUNCTION)).SerializeToString()
        app.send(kaido.PREPARE, code=1, meta=good)
        for call, number in enumerate((1, 301, 0, 65_536, 70_000, (1 << 32) - 1), 1):
            app.send(kaido.CALL, code=number, call=call, payload=b"x")
        statuses = {}
        while len(statuses) < 6:
            got = app.next()
            if got.kind == kaido.RESULT:
                statuses[got.call] = got.status
        site.expect(statuses.pop(1) == kaido.SUCCEEDED, "a template that was prepared anew is not served")
        site.expect(set(statuses.values()) == {kaido.INVALID_ARGUMENT}, "calls of no template end as %r" % statuses)
        app.close()
        site.count("templates", 300)


@attack(memory_mib=48)
def strangers_without_end(site):
    """Node after node that is never seen again, some with much to say."""
    a = site.one_node()
    while site.lasts():
        for index in range(20):
            names = ["attack::f%d_%d" % (index, i) for i in range(site.random.choice((0, 3, 200)))]
            stranger = site.attacker(PeerConnection(a.peer, functions=names, hello=peer_hello("stranger%d" % index)))
            stranger.close()
            site.count("strangers")
        site.goes_on(site.callers[0])
    until(lambda: a.kaidoctl("nodes").count(" alive ") == 1, "the node is alone again")
