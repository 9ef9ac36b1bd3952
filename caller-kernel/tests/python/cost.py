"""What a kernel costs, beside ipykernel and async-kernel: the same script, the same run, in turn.

Usage: cost.py BENCH_JSON [--quick]. CALLER_KERNEL names our command, built for release.
"""

import json
import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
import subprocess

TIMEOUT = 60


class Kernel:
    """One kernel in a process of its own, and a client that is connected to it."""

    def __init__(self, name, argv, environment):
        self.name = name
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "kernel.json")
        write_connection_file(path)
        self.begun = time.perf_counter()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        argv = [word.format(connection_file=path) for word in argv]
        self.process = subprocess.Popen(argv, env=environment, **quiet)
        self.client = BlockingKernelClient(connection_file=path)
        self.client.load_connection_file()

    def until_ready(self):
        """Seconds from the start to the first reply.

        The client is connected when somebody listens: one that connects before tries again after 100 ms, which would be
        most of what is measured.
        """
        while True:
            try:
                socket.create_connection((self.client.ip, self.client.shell_port)).close()
                break
            except ConnectionRefusedError:
                assert self.process.poll() is None, f"{self.name} has ended"
        self.client.start_channels()
        asked = self.client.kernel_info()
        self.reply(asked)
        took = time.perf_counter() - self.begun
        # From here on the output is heard.
        self.client.wait_for_ready(timeout=TIMEOUT)
        return took

    def reply(self, msg_id):
        while True:
            reply = self.client.get_shell_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == msg_id:
                return reply

    def run(self, code):
        """Executes until reply and idle; gives what was printed."""
        msg_id = self.client.execute(code)
        printed = []
        while True:
            message = self.client.get_iopub_msg(timeout=TIMEOUT)
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])
            elif message["msg_type"] == "error":
                raise RuntimeError(f"{self.name}: {message['content']}")
            elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        assert self.reply(msg_id)["content"]["status"] == "ok"
        return "".join(printed)

    def resident(self):
        """Bytes of memory, of the process and those it started. Pages that they share are counted for each."""
        return sum(memory for _, memory in processes(self.process.pid)) * 1024

    def stop(self):
        self.client.stop_channels()
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


def processes(root):
    """The process with this id and all below it, each with its id and its resident memory in KiB."""
    known = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            lines = (folder / "status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended meanwhile.
        status = dict(line.split(":", 1) for line in lines)
        # A process that has ended and was not waited for has no memory.
        known[int(folder.name)] = int(status["PPid"]), int(status.get("VmRSS", "0 kB").split()[0])
    below = [root]
    for process in below:
        below += [child for child, (parent, _) in known.items() if parent == process]
    return [(process, known[process][1]) for process in below]


def apart(home):
    """An environment whose folders are below `home`: kernels keep a history and profiles in those of the user."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER_", "XDG_"))}
    environment.update(HOME=home, USERPROFILE=home)
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        environment[name] = os.path.join(home, name)
        os.mkdir(environment[name])
    return environment


OURS = [os.environ["CALLER_KERNEL"], "start", "-f", "{connection_file}"]
PEERS = {
    "ipykernel": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "async-kernel": [sys.executable, "-m", "async_kernel", "start", "--connection_file={connection_file}", "--name=async"],
}
PRINTS = {"ours": "for i = 1, 20000 do print(i) end", "peer": "for i in range(1, 20001): print(i)"}
LINES = "".join(f"{i}\n" for i in range(1, 20001))


def median(values):
    return statistics.median(values)


def measure(name, argv, environment, cells, printing):
    """Of one kernel: seconds to start, seconds for a cell, bytes after 500 cells, seconds for 20,000 prints.

    `printing` is false for a kernel that is not asked to print: async-kernel at times says idle before all has arrived.
    """
    trips, prints = [], []
    kernel = Kernel(name, argv, environment)
    try:
        start = kernel.until_ready()
        for _ in range(50):
            kernel.run("x = 1 + 1")
        for _ in range(cells):
            begun = time.perf_counter()
            kernel.run("x = 1 + 1")
            trips.append(time.perf_counter() - begun)
        memory = kernel.resident()
        code = PRINTS["ours" if name == "ours" else "peer"]
        for _ in range(3 if printing else 0):
            begun = time.perf_counter()
            printed = kernel.run(code)
            prints.append(time.perf_counter() - begun)
            assert printed == LINES, f"{name}: {len(printed)} characters of {len(LINES)}"
    finally:
        kernel.stop()
    return start, median(trips), memory, median(prints) if printing else None


def main():
    path = Path(sys.argv[1])
    quick = "--quick" in sys.argv
    rounds, cells = (2, 100) if quick else (7, 500)
    goals = {
        "ipykernel": (1 / 14, 1 / 6, 1 / 8, 1.0),
        "async-kernel": (1 / 14, 1 / 3, 1 / 8, None),
    }
    names = ("kernel: start to first reply", "kernel: execute to idle", "kernel: memory after 500 cells",
             "kernel: 20,000 prints")
    measured = {name: [] for name in ["ours", *PEERS]}
    # In turn, a process each time: what the machine does meanwhile falls on all alike.
    with tempfile.TemporaryDirectory() as home:
        environment = apart(home)
        for _ in range(rounds):
            for name, argv in {"ours": OURS, **PEERS}.items():
                printing = name == "ours" or goals[name][-1] is not None
                measured[name].append(measure(name, argv, environment, cells, printing))
    medians = {
        name: [None if None in column else median(column) for column in zip(*each)] for name, each in measured.items()
    }
    ours = medians["ours"]
    rows = []
    for peer in PEERS:
        for name, mine, other, goal in zip(names, ours, medians[peer], goals[peer]):
            if goal is None:
                continue
            scale, unit = (1, "bytes") if "memory" in name else (1e9, "ns")
            rows.append({
                "name": name, "peer": peer, "ours_ns": mine * scale, "peer_ns": other * scale,
                "ratio": mine / other, "goal": goal, "met": mine / other <= goal, "unit": unit,
                "quick": quick,
            })
    print(f"{'work':36} {'beside':30} {'ours':>14} {'peer':>14} {'ratio':>7} {'goal':>7}")
    for row in rows:
        met = "" if row["met"] else "← not met"
        print(f"{row['name']:36} {row['peer']:30} {row['ours_ns']:14.1f} {row['peer_ns']:14.1f} "
              f"{row['ratio']:7.3f} {row['goal']:7.3f} {row['unit']:5} {met}")
    known = json.loads(path.read_text()) if path.exists() else []
    known = [row for row in known if row["name"] not in names]
    path.write_text(json.dumps(known + rows, indent=2) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
