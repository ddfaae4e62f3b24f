"""Where one attack happens: nodes, whom it must not harm, and what is judged when it is over."""

import os
import random
import time

from actors import Caller, Echo
from nodes import Folder, Node, until

# Under a sanitizer what was freed stays mapped for a while, so that memory says nothing there.
JUDGES_MEMORY = "ASAN_OPTIONS" not in os.environ and "TSAN_OPTIONS" not in os.environ
BACK_TO_BASELINE_SECONDS = 30


class Site:
    """Built for one attack; judge() is its end. Everything random comes from `random`."""

    def __init__(self, seed, seconds):
        self.random = random.Random(seed)
        self.seconds = seconds
        self.ends_at = None
        self.folder = Folder()
        self.nodes, self.callers, self.workers, self.connections, self.programs = [], [], [], [], []
        self.baseline = {}
        self.counts = {}

    # ---- who is there

    def node(self, name, **options):
        made = Node(self.folder, name, **options)
        self.nodes.append(made)
        return made

    def echo(self, node, **options):
        made = Echo(node.app, **options)
        self.workers.append(made)
        return made

    def caller(self, node, **options):
        made = Caller(node.app, **options)
        self.callers.append(made)
        return made

    def attacker(self, connection):
        """Its connection is closed at the end, at the latest."""
        self.connections.append(connection)
        return connection

    def one_node(self, slots=64, more="", **placement):
        """A node with a worker and a caller whose calls go on."""
        a = self.node("a", more=more)
        self.echo(a, slots=slots)
        self.caller(a, **placement)
        self.begin()
        return a

    def two_nodes(self, **options):
        """b dials a; they see each other."""
        a = self.node("a", **options)
        b = self.node("b", peers=[a], **options)
        until(lambda: a.sees(2) and b.sees(2), "both nodes see each other")
        return a, b

    def begin(self):
        """All is well: what is now is what the end is compared with. The attack lasts from here on."""
        for caller in self.callers:
            self.goes_on(caller)
        for node in self.nodes:
            self.remember(node)
        self.ends_at = time.monotonic() + self.seconds

    def remember(self, node, more_descriptors=0):
        """What the node has now is what it is compared with at the end."""
        node.kaidoctl("status")  # the first one is what an admin server gets its own descriptors for
        node.reset_memory_peak()
        self.baseline[node.name] = (node.memory_mib(), len(node.descriptors()) + more_descriptors)

    # ---- how it goes

    def lasts(self):
        """Whether the attack goes on; it ends early where a node does."""
        return time.monotonic() < self.ends_at and all(node.is_alive() for node in self.nodes)

    def count(self, what, by=1):
        self.counts[what] = self.counts.get(what, 0) + by

    def expect(self, condition, what):
        if not condition:
            raise AssertionError(what)

    def goes_on(self, caller, calls=3):
        """Some more calls of the caller succeed."""
        wanted = caller.succeeded + calls
        until(lambda: caller.succeeded >= wanted or caller.wrong or not caller.is_alive(), "calls go on")
        self.expect(caller.succeeded >= wanted, "calls do not go on: %s" % (caller.wrong[:3] or caller.error))

    # ---- how it ended

    def judge(self, memory_mib):
        """No crash, no call harmed or answered twice, memory bounded, descriptors and tasks back, a clean end."""
        for node in self.nodes:
            self.expect(node.is_alive(), "node %s ended with code %s" % (node.name, node.process.poll()))
        for connection in self.connections:
            connection.close()
        for caller in self.callers:
            if caller.count is None:
                self.goes_on(caller)
            problem = caller.finish()
            self.expect(problem is None, problem)
            self.count("calls", caller.sent)
        for worker in self.workers:
            self.expect(worker.error is None, "a worker was harmed: %r" % worker.error)
        for node in self.nodes:
            self.judge_resources(node, memory_mib)
        for worker in self.workers:
            worker.close()
        for node in self.nodes:
            code = node.end()
            self.expect(code == 0, "node %s ended with code %d" % (node.name, code))

    def judge_resources(self, node, memory_mib):
        until(lambda: node.kaidoctl("tasks").strip() == "no tasks", "node %s has no task" % node.name, BACK_TO_BASELINE_SECONDS)
        memory, descriptors = self.baseline[node.name]
        until(lambda: len(node.descriptors()) <= descriptors,
              lambda: "node %s has no more than the %d descriptors it began with; it has %s" % (
                  node.name, descriptors, node.descriptors()), BACK_TO_BASELINE_SECONDS)
        peak = node.memory_mib("VmHWM")
        self.counts["MiB more"] = max(self.counts.get("MiB more", 0), round(peak - memory))
        if JUDGES_MEMORY:
            self.expect(peak <= memory + memory_mib, "node %s took %.0f MiB more than the %.0f it began with, at most %d are expected"
                        % (node.name, peak - memory, memory, memory_mib))

    def clean_up(self):
        """Whatever happened: nothing of it stays."""
        for process in [node.process for node in self.nodes] + self.programs:
            if process.poll() is None:
                process.kill()
            process.wait()
        for connection in self.connections:
            connection.close()
        self.folder.remove()
