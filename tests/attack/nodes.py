"""Daemons under attack: real processes, their memory and descriptors, and what kaidoctl says of them."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from messages import ROOT
from wire import AppConnection

KAIDOD = os.path.join(ROOT, "daemon/kaidod")
KAIDOCTL = os.path.join(ROOT, "daemon/kaidoctl/kaidoctl")

WAIT_SECONDS_MAX = 60

CONFIG = """
node: {{name: {name}, state_dir: {state}}}
listen: {{app_socket: {app}, admin_socket: {admin}, peer: 'unix:{peer}'}}
peers: [{peers}]
log: {{level: info, format: text}}
{more}
"""


def until(condition, what, seconds=WAIT_SECONDS_MAX):
    """Waits for the condition, which is looked at often; its value. `what`: a text, or what makes it when it is needed."""
    limit = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > limit:
            raise AssertionError("waited %d s in vain until %s" % (seconds, what() if callable(what) else what))
        time.sleep(0.01)


class Folder:
    """Sockets, states and logs of one attack."""

    def __init__(self):
        self.path = tempfile.mkdtemp(dir="/tmp", prefix="kaido-attack-")

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Node:
    def __init__(self, folder, name, peers=(), more="", state=None, node_name=None):
        base = os.path.join(folder.path, name)
        self.name, self.state = name, state or base + ".state"
        self.app, self.admin, self.peer, self.log = (base + "." + end for end in ("app", "admin", "peer", "log"))
        self.config = base + ".yaml"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(
                name=node_name or name, state=self.state, app=self.app, admin=self.admin, peer=self.peer,
                peers=", ".join("'unix:%s'" % other.peer for other in peers), more=more))
        self.process = None
        self.start()

    # ---- life

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([KAIDOD, "--config", self.config], stdout=subprocess.DEVNULL, stderr=log)
        until(lambda: not self.is_alive() or self.is_ready(), "node %s is ready" % self.name)
        if not self.is_alive():
            raise AssertionError("node %s did not start:\n%s" % (self.name, self.log_tail()))

    def is_ready(self):
        try:
            AppConnection(self.app).close()
        except OSError:
            return False
        return True

    def is_alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def send_signal(self, number):
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        """The exit code; an AssertionError if it does not end."""
        if self.is_alive():
            self.process.send_signal(number)
        try:
            return self.process.wait(WAIT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("node %s did not end on signal %d" % (self.name, number)) from None

    # ---- looking

    def log_tail(self, lines=15):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def memory_mib(self, which="VmRSS"):
        """VmRSS: now; VmHWM: at most since reset_memory_peak()."""
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as file:
            return int(re.search(which + r":\s+(\d+) kB", file.read())[1]) / 1024

    def reset_memory_peak(self):
        with open("/proc/%d/clear_refs" % self.process.pid, "w", encoding="ascii") as file:
            file.write("5")

    def descriptors(self):
        folder, found = "/proc/%d/fd" % self.process.pid, []
        for name in sorted(os.listdir(folder), key=int):
            try:
                found.append("%s: %s" % (name, os.readlink(os.path.join(folder, name))))
            except FileNotFoundError:
                pass  # closed meanwhile
        return found

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kaidoctl(self, *arguments):
        done = subprocess.run(
            [KAIDOCTL, "--socket", self.admin, *arguments], capture_output=True, text=True, timeout=WAIT_SECONDS_MAX)
        if done.returncode != 0:
            raise AssertionError("kaidoctl %s: %s" % (" ".join(arguments), done.stderr))
        return done.stdout

    def sees(self, count):
        return self.kaidoctl("nodes").count(" alive ") >= count
