"""The list of attacks: each is a function of a Site, and says how much memory a node may take for it."""

import collections

Case = collections.namedtuple("Case", "name run memory_mib")

CASES = []


def attack(memory_mib):
    """Registers the function as an attack. `memory_mib`: what a node may take at most beyond what it had before."""
    def register(run):
        CASES.append(Case(run.__name__, run, memory_mib))
        return run
    return register
