"""Any frame in any state: on the app's socket, on the peer's, and before a peer has said who it is."""

import struct

from actors import FUNCTION
from cases import attack
from messages import kaido, node
from nodes import until
from wire import AppConnection, Connection, PeerConnection, frame, function, peer_hello, REJECTED, UNAVAILABLE, NODE_LOST

ENDS = (0, 1, 2, 7, 255, 65535, 65536, 65537, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 63, (1 << 64) - 1)
KINDS_KNOWN = 24
FRAMES_MAX = 12
# Connections that stay open after they have said something odd; the oldest gives way.
LEFT_OPEN_MAX = 60


def some_bytes(random):
    return random.randbytes(random.choice((0, 1, 3, 16, 17, random.randrange(200))))


def random_frame(random):
    end = lambda bits: random.choice(ENDS) & ((1 << bits) - 1)
    metadata = some_bytes(random)
    if random.random() < .3:
        metadata = node.Prepare(function=function(FUNCTION)).SerializeToString()
    payload = random.choice((some_bytes(random), struct.pack("<QQ", end(64), end(64)) + some_bytes(random), b"z" * 65537))
    return frame(
        random.choice((random.randrange(256), random.randrange(KINDS_KNOWN))), flags=random.choice((0, 0, 1, 2, 4, 3, 6, 7, 255)),
        attempt=end(16), code=end(32), call=end(64), budget=end(64), meta=metadata, payload=payload, aux=end(64),
        length=end(32) if random.random() < .05 else None, meta_length=end(32) if random.random() < .05 else None)


def app_in_some_state(path, random):
    """Connected, welcome, with a template, with calls under way, a worker."""
    state = random.randrange(5)
    if state == 0:
        return Connection(path, timeout=2)
    app = AppConnection(path, timeout=2)
    if state >= 2:
        app.prepare(FUNCTION)
    if state >= 3:
        for call in range(1, 4):
            app.send(kaido.CALL, code=1, call=call, payload=b"hold")
    if state == 4:
        app.register("attack::evil%d" % random.randrange(9), slots=2)
    return app


def peer_in_some_state(path, random):
    """Connected, greeted, welcome, known, with a template and calls under way; as itself, or as somebody it is not."""
    until_stage = random.choice(PeerConnection.STAGES)
    hello = peer_hello(
        "evil%d" % random.randrange(3), random.choice((None, b"i" * 16, b"", b"x" * 15, bytes(16))), random.choice((0, 1, 2, ENDS[-1])))
    made = PeerConnection(path, until_stage, timeout=2, slots=random.choice((0, 1, 4, (1 << 32) - 1)), hello=hello,
                          functions=(FUNCTION, "attack::evil")[:random.randrange(3)])
    if until_stage == "info":
        made.prepare(FUNCTION)
        for call in range(1, 5):
            made.send(kaido.CALL, code=1, call=call, attempt=random.choice((0, 1, 65535)), aux=random.choice(ENDS),
                      budget=random.choice(ENDS), payload=b"hi")
    return made


def say_anything(site, path, dial):
    """Connection after connection, for as long as the attack lasts; some stay open."""
    left_open = []
    while site.lasts():
        try:
            made = dial(path, site.random)
        except (OSError, EOFError, kaido.Goodbye):
            site.count("refused")
            continue
        site.count("connections")
        try:
            for _ in range(site.random.randrange(1, FRAMES_MAX)):
                made.send_bytes(random_frame(site.random))
                site.count("frames")
            if site.random.random() < .15:
                left_open.append(made)
                if len(left_open) > LEFT_OPEN_MAX:
                    left_open.pop(0).close()
                continue
            if made.drain():
                site.count("goodbyes")
        except OSError:
            pass
        made.close()
    for made in left_open:
        made.close()


@attack(memory_mib=64)
def any_frame_on_the_app_socket(site):
    a = site.one_node()
    say_anything(site, a.app, app_in_some_state)
    site.expect(site.counts.get("goodbyes"), "no connection was ever told why it ended: the attack is weaker than it says")


@attack(memory_mib=64)
def any_frame_on_the_peer_socket(site):
    # Whoever is a peer may take calls and lose them: those that may run anywhere end, and those that stay at home succeed.
    a = site.one_node(node_name="a")
    site.caller(a, accepts=(REJECTED, UNAVAILABLE, NODE_LOST), idempotent=True, max_attempts=20)
    say_anything(site, a.peer, peer_in_some_state)
    site.expect(site.counts.get("goodbyes"), "no connection was ever told why it ended: the attack is weaker than it says")


@attack(memory_mib=16)
def frames_before_a_peer_said_who_it_is(site):
    a = site.one_node()
    handled = (kaido.HELLO, kaido.WELCOME, kaido.NODE_INFO, kaido.PING, kaido.PONG, kaido.GOODBYE)
    for kind in range(KINDS_KNOWN):
        for stage in ("connected", "hello", "welcome"):
            made = site.attacker(PeerConnection(a.peer, stage))
            made.send(kind, call=1, payload=b"q" * 10)
            site.count("frames")
            if kind in handled or stage == "connected" and kind != kaido.CALL:
                continue
            # Refused in words, or ignored; the connection says which within its time for greetings.
            made.drain()
            site.expect(a.is_alive(), "frame kind %d of a peer that is %s ended the node" % (kind, stage))
    until(lambda: a.kaidoctl("nodes").count(" alive ") == 1, "the node is alone again")
