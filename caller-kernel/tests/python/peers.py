"""Kernels in processes of their own, and clients of Jupyter that keep apart what belongs to which request."""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from pathlib import Path

import zmq
from jupyter_client import BlockingKernelClient
from jupyter_client.session import Session
from jupyter_kernel_test.msgspec_v5 import schema_fragments, validate_message

WAIT = 20  # seconds; what takes longer has failed
EXE = ".exe" if sys.platform == "win32" else ""
POSIX = os.name == "posix"
TRANSPORTS = ["tcp", "ipc"] if POSIX else ["tcp"]
COMMAND = os.environ.get("CALLER_KERNEL", "caller-kernel")
PORTS = ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"]


def example(name):
    return os.path.join(os.environ["CALLER_KERNEL_EXAMPLES"], name + EXE)


def until(found, process=None, what="it"):
    """What `found` gives, once that is something. For what tells nobody that it is there, such as a file."""
    end = time.monotonic() + WAIT
    while True:
        value = found()
        if value:
            return value
        assert process is None or process.poll() is None, f"the process ended with {process.returncode}"
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.005)


def read(path):
    """The connection of a file, once it names ports."""
    try:
        info = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return None
    return info if all(info.get(port) for port in PORTS) else None


def text_of(messages, name="stdout"):
    texts = (m["content"] for m in messages if m["msg_type"] == "stream")
    return "".join(content["text"] for content in texts if content["name"] == name)


def of_type(messages, *types):
    return [m for m in messages if m["msg_type"] in types]


def contents(messages, *types):
    return [m["content"] for m in of_type(messages, *types)]


class Done:
    """What came of one request: its reply, and what was heard on iopub from busy to idle."""

    def __init__(self, request, reply, heard):
        self.request, self.reply, self.heard = request, reply, heard
        self.content = reply["content"]
        self.status = self.content["status"]

    @property
    def out(self):
        return text_of(self.heard)

    @property
    def err(self):
        return text_of(self.heard, "stderr")

    @property
    def types(self):
        return [m["msg_type"] for m in self.heard]

    @property
    def result(self):
        results = contents(self.heard, "execute_result")
        return results[0]["data"]["text/plain"] if results else None


class Client:
    """A client that has been welcomed on iopub, so it misses nothing."""

    def __init__(self, info):
        self.kc = BlockingKernelClient()
        self.kc.load_connection_info(dict(info))
        self.kc.start_channels(hb=False)
        self.session = self.kc.session
        self.heard = defaultdict(list)
        self.replies = {}
        self.welcome = self.kc.get_iopub_msg(timeout=WAIT)
        assert self.welcome["msg_type"] == "iopub_welcome"

    def close(self):
        self.kc.stop_channels()
        self.kc.context.destroy(linger=0)

    def channel(self, name):
        return getattr(self.kc, name + "_channel")

    def send(self, msg_type, content, channel="shell", *, metadata=None, buffers=None, **header):
        """Sends a request, and gives it. Further arguments are fields of its header."""
        message = self.session.msg(msg_type, content, metadata=metadata)
        message["header"].update(header)
        self.session.send(self.channel(channel).socket, message, buffers=buffers)
        return message

    def together(self, *cells):
        """Sends cells, none of which begins before all of them are there. Each is a code, or a code and its options."""
        gate = self.cell("while not gate do sleep(0.001) end gate = nil")
        sent = [self.cell(cell) if isinstance(cell, str) else self.cell(cell[0], **cell[1]) for cell in cells]
        opener = self.cell("-- task\ngate = true")
        assert [self.done(one).status for one in (gate, opener)] == ["ok", "ok"]
        return sent

    def cell(self, code, *, metadata=None, subshell_id=None, **content):
        content = {"code": code, "allow_stdin": False} | content
        header = {"subshell_id": subshell_id} if subshell_id else {}
        return self.send("execute_request", content, metadata=metadata, **header)

    def reply(self, request, channel="shell", timeout=WAIT):
        """The reply to a request. Those to others are kept."""
        wanted = request["header"]["msg_id"]
        end = time.monotonic() + timeout
        while wanted not in self.replies:
            reply = self.channel(channel).get_msg(timeout=max(0, end - time.monotonic()))
            self.replies.setdefault(reply["parent_header"]["msg_id"], []).append(reply)
            # Of what ipykernel says of a cell that is not run the schemas know an older word.
            if reply["msg_type"] in schema_fragments and reply["content"]["status"] != "aborted":
                validate_message(reply, reply["msg_type"])
        replies = self.replies.pop(wanted)
        assert len(replies) == 1, replies
        return replies[0]

    def listen(self, timeout=WAIT):
        """The next message on iopub, which is also kept."""
        message = self.kc.get_iopub_msg(timeout=timeout)
        if message["msg_type"] in schema_fragments:
            validate_message(message, message["msg_type"])
        self.heard[message["parent_header"].get("msg_id")].append(message)
        return message

    def until(self, request, test):
        """Listens until a message of this request, heard or to come, passes the test; gives it."""
        heard = self.heard[request["header"]["msg_id"]]
        at = 0
        while True:
            while at < len(heard):
                at += 1
                if test(heard[at - 1]):
                    return heard[at - 1]
            self.listen()

    def printed(self, request, text="on"):
        """Listens until a cell has printed this."""
        seen = ""

        def completes(message):
            nonlocal seen
            seen += text_of([message])
            return text in seen

        self.until(request, completes)

    def to_idle(self, request):
        """All that a request made to be heard, from busy to idle."""
        self.until(request, lambda m: m["content"].get("execution_state") == "idle")
        return self.heard[request["header"]["msg_id"]]

    def done(self, request, channel="shell"):
        return Done(request, self.reply(request, channel), self.to_idle(request))

    def ask(self, msg_type, content=None, channel="shell", **more):
        return self.done(self.send(msg_type, content or {}, channel, **more), channel)

    def run(self, code, **more):
        return self.done(self.cell(code, **more))

    def interrupt(self):
        return self.ask("interrupt_request", channel="control")

    def silent(self):
        """Nothing more is to be read, once all that was sent is answered."""
        self.ask("kernel_info_request")
        self.ask("kernel_info_request", channel="control")
        for name in ("shell", "control", "iopub", "stdin"):
            assert not self.channel(name).socket.poll(0), name
        return not self.replies


class Process:
    """A process that is ended, whatever becomes of the test."""

    def __init__(self, argv, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | options
        self.process = subprocess.Popen([str(word) for word in argv], text=True, **options)

    def tell(self, line):
        """Writes a line to its standard input."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def told(self):
        """The next line of its standard output."""
        return self.process.stdout.readline().rstrip("\n")

    def say(self, line):
        """What it answers to a line."""
        self.tell(line)
        return self.told()

    def end(self):
        if self.process.stdin and self.process.stdin.closed:
            self.process.stdin = None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.communicate(timeout=WAIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if self.process.stdout and not self.process.stdout.closed:
            self.process.communicate()

    def ended(self):
        """Its exit code, once it has ended."""
        self.said, _ = self.process.communicate(timeout=WAIT)
        return self.process.returncode


class Kernel(Process):
    """A kernel, and the clients that it is given."""

    def __init__(self, folder, *settings, transport="tcp", argv=None, path=None, lines=(), **options):
        self.folder = Path(folder)
        self.path = Path(path or self.folder / "kernel.json")
        if transport == "ipc":
            # The path of a Unix socket has about a hundred characters at most.
            self.sockets = tempfile.TemporaryDirectory(dir="/tmp")
            info = {"transport": "ipc", "ip": os.path.join(self.sockets.name, "k"), "key": "abc"}
            self.path.write_text(json.dumps(info))
        argv = argv or [COMMAND, "start", "-f", "{file}"]
        settings = [word for setting in settings for word in ("--set", setting)]
        super().__init__([str(word).replace("{file}", str(self.path)) for word in [*argv, *settings]], **options)
        for line in lines:
            self.tell(line.replace("{file}", str(self.path)))
        self.clients = []
        try:
            self.info = until(lambda: read(self.path), self.process, "the connection file")
        except BaseException:
            self.end()
            raise
        self.context = zmq.Context()

    @property
    def pid(self):
        return self.process.pid

    def client(self):
        client = Client(self.info)
        self.clients.append(client)
        return client

    def url(self, channel):
        separator = ":" if self.info["transport"] == "tcp" else "-"
        return f"{self.info['transport']}://{self.info['ip']}{separator}{self.info[channel + '_port']}"

    def socket(self, kind, channel, **options):
        """A bare socket of the library."""
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = WAIT * 1000
        for name, value in options.items():
            setattr(socket, name, value)
        socket.connect(self.url(channel))
        return socket

    def session(self, key=None):
        return Session(key=self.info["key"].encode() if key is None else key)

    def end(self):
        for client in self.clients:
            client.close()
        if hasattr(self, "context"):
            self.context.destroy(linger=0)
        super().end()


def fresh():
    return uuid.uuid4().hex
