"""Nodes and workers that die, freeze, stop in the middle of something, or come as somebody else."""

import os
import shutil
import signal
import subprocess
import sys

from actors import FUNCTION, JOIN_SECONDS_MAX
from cases import attack
from messages import kaido, peer
from nodes import until
from wire import APP_LOST, NODE_LOST, PEER_VERSION, STREAMED, WINDOW, AppConnection, PeerConnection, error_text, peer_hello

MIB = 1 << 20
RETRIED = {"idempotent": True, "max_attempts": 100}


def pair_under_load(site):
    """a, where calls come from, and b, where they go, too."""
    a, b = site.two_nodes()
    site.echo(a, slots=2)
    site.echo(b, slots=32)
    site.caller(a, window=100, **RETRIED)
    site.caller(a, window=20, large_every=2, **RETRIED)  # many lose their sender halfway
    site.caller(a, window=20, accepts=(NODE_LOST, APP_LOST))
    site.begin()
    return a, b


@attack(memory_mib=48)
def a_node_that_is_killed(site):
    """kill -9 under load, again and again: what may be repeated succeeds, what may not ends once."""
    a, b = pair_under_load(site)
    while site.lasts() or not site.counts:
        site.goes_on(site.callers[0], calls=site.random.randrange(1, 500))
        b.kill()
        site.workers.pop()
        site.goes_on(site.callers[0], calls=site.random.randrange(1, 200))
        b.start()
        site.echo(b, slots=32)
        until(lambda: a.sees(2), "a sees b again")
        site.count("kills")
    site.remember(b)  # it began anew


WORKER = """
import sys
sys.path.insert(0, %r)
from actors import Echo
echo = Echo(sys.argv[1], slots=8)
print("ready", flush=True)
echo.join()
"""


@attack(memory_mib=48)
def a_worker_that_freezes(site):
    """SIGSTOP of a worker: its calls end or are repeated elsewhere, while it stands still."""
    a = site.node("a")
    site.echo(a, slots=8)
    source = WORKER % os.path.dirname(os.path.abspath(__file__))
    frozen = subprocess.Popen([sys.executable, "-c", source, a.app], stdout=subprocess.PIPE, text=True)
    site.programs.append(frozen)
    frozen.stdout.readline()
    site.caller(a, window=100, **RETRIED)
    site.caller(a, window=20, accepts=(APP_LOST,))
    site.begin()
    frozen.send_signal(signal.SIGSTOP)
    # Everything that is open now ends, so it does not wait for the worker that stands still.
    for caller in list(site.callers):
        problem = caller.finish()
        site.expect(problem is None, problem)
        site.expect(caller.slowest_seconds < JOIN_SECONDS_MAX / 2, "a call took %.0f s" % caller.slowest_seconds)
        site.callers.remove(caller)
    frozen.kill()
    frozen.stdout.close()
    site.caller(a)


@attack(memory_mib=48)
def a_node_that_freezes(site):
    """SIGSTOP of a node: the other one goes on, and takes it back."""
    a, b = pair_under_load(site)
    b.send_signal(signal.SIGSTOP)
    try:
        until(lambda: not a.sees(2), "a takes b for lost")
        site.goes_on(site.callers[0], calls=50)
    finally:
        b.send_signal(signal.SIGCONT)
    until(lambda: a.sees(2), "a sees b again")
    # b, too, heard of nobody meanwhile; whether its worker got its pong through in time, nobody can say.
    site.workers.pop().close()
    site.echo(b, slots=32)


def stop_in_the_middle(site, origin, executor, stopped):
    """SIGTERM while a large result is on its way to a caller that reads: it arrives."""
    size = 48 * MIB
    app = AppConnection(origin.app, "reads", timeout=JOIN_SECONDS_MAX)
    template = app.prepare(FUNCTION)
    app.send(kaido.CALL, code=template, call=1, payload=b"size %d" % size)
    answer = None
    while True:
        got = app.one()
        if got.kind == kaido.PING:
            app.send(kaido.PONG, call=got.call)
        elif got.kind == kaido.RESULT:
            answer = got
            break
    site.expect(answer.flags & STREAMED, "the result did not begin: %d, %s" % (answer.status, error_text(answer)))
    stopped.send_signal(signal.SIGTERM)
    begun = (answer, bytearray(answer.payload[16:]), size)
    app.incoming[int.from_bytes(answer.payload[8:16], "little")] = list(begun)
    app.send(WINDOW, call=int.from_bytes(answer.payload[8:16], "little"), aux=size)
    got = app.next()
    site.expect(got.kind == kaido.RESULT and got.status == kaido.SUCCEEDED and len(got.payload) == size,
                "the result did not arrive: status %d, %d bytes" % (got.status, len(got.payload)))
    site.expect(stopped.end() == 0, "node %s did not end well" % stopped.name)
    app.close()


@attack(memory_mib=48)
def an_executor_that_stops(site):
    a, b = site.two_nodes()
    site.echo(b)
    until(lambda: FUNCTION in a.kaidoctl("functions"), "a knows the function")
    site.begin()
    stop_in_the_middle(site, a, b, b)
    site.workers.clear()
    site.nodes.remove(b)


@attack(memory_mib=48)
def an_origin_that_stops(site):
    a, b = site.two_nodes()
    site.echo(b)
    until(lambda: FUNCTION in a.kaidoctl("functions"), "a knows the function")
    site.begin()
    stop_in_the_middle(site, a, b, a)
    site.nodes.remove(a)


@attack(memory_mib=32)
def nodes_that_are_copies(site):
    """A copied state folder, and greetings in others' names with any epoch: the real nodes stay."""
    a, b = site.two_nodes()
    site.echo(a, slots=2)
    site.echo(b, slots=8)
    site.caller(a, **RETRIED)
    site.begin()
    copy = os.path.join(site.folder.path, "copy.state")
    shutil.copytree(b.state, copy, ignore=lambda _, names: [name for name in names if "lock" in name])
    os.chmod(copy, 0o700)
    clone = site.node("c", peers=[a], state=copy)
    site.remember(clone, more_descriptors=2)  # it dials now and then
    until(lambda: "two nodes have the id" in a.kaidoctl("status"), "a says that there are two")
    site.goes_on(site.callers[0])
    site.expect(a.sees(2), "the real b is gone")
    identities = [(node, PeerConnection(node.peer, "hello")) for node in (a, b)]
    for node, known in identities:
        known.close()
        for epoch in (0, known.theirs.epoch, known.theirs.epoch + 1, (1 << 64) - 1):
            hello = peer_hello("fake", known.theirs.node_id, epoch)
            fake = site.attacker(PeerConnection(a.peer, "hello", hello=hello))
            fake.send(kaido.WELCOME, meta=peer.PeerWelcome(version=PEER_VERSION).SerializeToString())
            said = fake.drain(timeout=5)
            site.expect(said and "two nodes have the id" in said, "%s with epoch %d is told %r" % (node.name, epoch, said))
            site.expect(a.sees(2), "the real b was evicted")
            site.count("fakes")
    site.goes_on(site.callers[0])
