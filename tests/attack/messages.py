"""The messages of proto/kaido/v1 and the client of tests/python, for the attacks: `local`, `node`, `task`, `peer`, `kaido`.

protoc makes the modules anew in a folder of their own, so this runs wherever the programs were built.
"""

import atexit
import importlib
import os
import shutil
import subprocess
import sys
import tempfile

# Where sources and built programs are: a test's run files.
ROOT = os.environ["KAIDO_ATTACK_ROOT"]


def _make(names):
    folder = tempfile.mkdtemp(prefix="kaido-attack-proto-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    files = ["proto/kaido/v1/%s.proto" % name for name in names]
    subprocess.run(["protoc", "-I", ROOT, "--python_out=" + folder, *files], check=True, cwd=ROOT)
    sys.path[:0] = [folder, os.path.join(ROOT, "tests/python")]
    return [importlib.import_module("proto.kaido.v1.%s_pb2" % name) for name in names]


local, node, task, peer = _make(("local", "node", "task", "peer"))
kaido = importlib.import_module("kaido_client")
