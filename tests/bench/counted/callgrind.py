"""Reads what `valgrind --tool=callgrind` writes."""

import re

_COST = re.compile(r"^[0-9+*-]\S* (\d+)$")
_NAME = re.compile(r"^(c?fn)=\((\d+)\)(?: (.*))?$")


class Profile:
    """Instructions by function: `own` without, `inclusive` with what it called."""

    def __init__(self, text):
        self.own = {}
        self.inclusive = {}
        self._read(text)

    def _read(self, text):
        names = {}
        function = callee = None
        in_call = False
        for line in text.splitlines():
            named = _NAME.match(line)
            if named:
                kind, number, name = named.groups()
                if name is not None:
                    names[number] = name
                if kind == "fn":
                    function = names[number]
                else:
                    callee = names[number]
            elif line.startswith("calls="):
                in_call = True  # The next line is the cost of what is called.
            elif cost := _COST.match(line):
                cost = int(cost.group(1))
                if in_call:
                    self.inclusive[callee] = self.inclusive.get(callee, 0) + cost
                    in_call = False
                else:
                    self.own[function] = self.own.get(function, 0) + cost

    def under(self, name):
        """Instructions of all calls of the function, with what it called; 0 if it was never called."""
        return self.inclusive.get(name, 0)

    def under_any(self, beginning):
        """The same of all functions whose names begin so."""
        return sum(cost for name, cost in self.inclusive.items() if name.startswith(beginning))
