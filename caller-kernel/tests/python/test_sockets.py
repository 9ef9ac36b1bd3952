"""The sockets, and the registration of their ports, beside the peers that front ends have: libzmq and jupyter_client.

Needs pytest, pyzmq and jupyter_client 8.9 or later, and the path of the example `sockets`, built with all features, in
the variable SOCKETS.
"""

import contextlib
import json
import os
import pathlib
import stat
import subprocess
import time

import pytest
import zmq
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.session import Session

WAIT = 20  # seconds; what takes longer has failed


@pytest.fixture(params=["tcp", "ipc", "curve", "curve ipc"])
def kernel(request, tmp_path):
    path = tmp_path / "kernel.json"
    wanted = {"key": "abc"}
    if "ipc" in request.param:
        wanted |= {"transport": "ipc", "ip": str(tmp_path / "k")}
    if "curve" in request.param:
        if not zmq.has("curve"):
            pytest.skip("libzmq cannot encrypt here")
        public, secret = zmq.curve_keypair()
        wanted |= {"curve_publickey": public.decode(), "curve_secretkey": secret.decode()}
    if request.param != "tcp":
        path.write_text(json.dumps(wanted))
    process = subprocess.Popen([os.environ["SOCKETS"], path])
    end = time.monotonic() + WAIT
    while True:
        try:
            # A file that was there before names no ports.
            if json.loads(path.read_text())["shell_port"]:
                break
        except (OSError, KeyError):
            pass
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    kernel = Kernel(process, path)
    yield kernel
    kernel.context.destroy(linger=0)
    process.kill()
    process.wait()


class Kernel:
    def __init__(self, process, path):
        self.process = process
        self.path = pathlib.Path(path)
        self.info = json.loads(self.path.read_text())
        self.context = zmq.Context()
        self.session = Session(key=self.info["key"].encode())

    def url(self, channel):
        separator = ":" if self.info["transport"] == "tcp" else "-"
        return f"{self.info['transport']}://{self.info['ip']}{separator}{self.info[channel + '_port']}"

    @property
    def encrypted(self):
        return "curve_publickey" in self.info

    def curve(self, **other):
        """The options of a client that has the keys of the file, as jupyter_client has, or others."""
        public, secret = self.info["curve_publickey"], self.info["curve_secretkey"]
        ours = {"curve_serverkey": public, "curve_publickey": public, "curve_secretkey": secret}
        return {name: key.encode() if isinstance(key, str) else key for name, key in (ours | other).items()}

    def socket(self, kind, channel, curve=None, **options):
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = WAIT * 1000
        if curve is None:
            curve = self.curve() if self.encrypted else {}
        options = curve | options
        for name, value in options.items():
            setattr(socket, name, value)
        socket.connect(self.url(channel))
        return socket

    def subscriber(self, topic=b""):
        """A subscriber that was welcomed: it misses nothing from now on."""
        socket = self.socket(zmq.SUB, "iopub", rcvhwm=0)
        socket.subscribe(topic)
        parts = socket.recv_multipart()
        assert parts[0] == topic
        _, parts = self.session.feed_identities(parts)
        # Another session than the one that reads the rest: to it the message is new.
        welcome = Session(key=self.info["key"].encode()).deserialize(parts)
        assert welcome["msg_type"] == "iopub_welcome"
        assert welcome["content"] == {"subscription": topic.decode()}
        return socket

    def execute(self, shell, code):
        return self.session.send(shell, "execute_request", {"code": code})

    def reply(self, shell):
        _, parts = self.session.feed_identities(shell.recv_multipart())
        return self.session.deserialize(parts)


def test_a_client_of_jupyter(kernel):
    client = BlockingKernelClient()
    client.load_connection_file(str(kernel.path))
    client.start_channels()
    try:
        client.wait_for_ready(timeout=WAIT)
        assert client.is_alive()
        output = []
        reply = client.execute_interactive("hé", timeout=WAIT, output_hook=output.append)
        assert reply["content"]["status"] == "ok"
        streams = [m["content"]["text"] for m in output if m["msg_type"] == "stream"]
        assert streams == ["hé"]
        client.shutdown()
        assert kernel.process.wait(WAIT) == 0
        # The reply was written before the kernel ended.
        assert client.get_control_msg(timeout=WAIT)["msg_type"] == "shutdown_reply"
    finally:
        client.stop_channels()
    if kernel.info["transport"] == "ipc":
        assert [p.name for p in kernel.path.parent.iterdir()] == ["kernel.json"]


def test_the_connection_file_is_for_its_owner(kernel):
    assert stat.S_IMODE(kernel.path.stat().st_mode) == 0o600


def test_the_heartbeat_says_what_it_hears(kernel):
    beat = kernel.socket(zmq.REQ, "hb")
    for body in (b"ping", b"", b"x" * 1_000_000):
        beat.send(body)
        assert beat.recv() == body
    dealer = kernel.socket(zmq.DEALER, "hb")
    dealer.send_multipart([b"a", b"", b"b"])
    assert dealer.recv_multipart() == [b"a", b"", b"b"]


def test_pings_of_the_library_are_answered(kernel):
    beat = kernel.socket(zmq.DEALER, "hb", heartbeat_ivl=20, heartbeat_timeout=WAIT * 1000)
    monitor = beat.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    for _ in range(20):
        beat.send(b"still")
        assert beat.recv() == b"still"
        time.sleep(0.02)
    assert not monitor.poll(0)
    beat.disable_monitor()


def test_who_comes_back_takes_over(kernel):
    first = kernel.socket(zmq.DEALER, "shell", routing_id=b"me")
    kernel.execute(first, "one")
    assert kernel.reply(first)["msg_type"] == "execute_reply"
    second = kernel.socket(zmq.DEALER, "shell", routing_id=b"me")
    # The first reconnects by itself, and would take over in turn.
    first.close()
    kernel.execute(second, "two")
    assert kernel.reply(second)["content"]["execution_count"] == 2


def test_a_subscriber_that_does_not_read_is_not_felt(kernel):
    fast = kernel.subscriber()
    stalled = kernel.socket(zmq.SUB, "iopub", rcvhwm=1, rcvbuf=4096)
    stalled.subscribe(b"")
    shell = kernel.socket(zmq.DEALER, "shell")
    begun = time.monotonic()
    for _ in range(20):
        kernel.execute(shell, "flood 1000")
        kinds = []
        while True:
            topic = fast.recv_multipart()[0]
            kinds.append(topic)
            if topic == b"status" and len(kinds) > 1:
                break
        assert kinds == [b"status", b"execute_input"] + [b"stream"] * 1000 + [b"status"]
        assert kernel.reply(shell)["msg_type"] == "execute_reply"
    print(f"{20_000 / (time.monotonic() - begun):.0f} messages a second")


def test_topics_choose(kernel):
    status = kernel.subscriber(b"status")
    shell = kernel.socket(zmq.DEALER, "shell")
    kernel.execute(shell, "one")
    kernel.reply(shell)
    for _ in range(2):
        assert status.recv_multipart()[0] == b"status"
    assert not status.poll(50)


def test_many_come_and_go(kernel):
    for number in range(300):
        shell = kernel.socket(zmq.DEALER, "shell", routing_id=b"me")
        subscriber = kernel.socket(zmq.SUB, "iopub")
        subscriber.subscribe(b"")
        kernel.session.send(shell, "kernel_info_request", {})
        if number % 3 == 0:
            assert kernel.reply(shell)["msg_type"] == "kernel_info_reply"
        shell.close()
        subscriber.close()
    last = kernel.socket(zmq.DEALER, "shell")
    kernel.session.send(last, "kernel_info_request", {})
    assert kernel.reply(last)["msg_type"] == "kernel_info_reply"
    descriptors = pathlib.Path(f"/proc/{kernel.process.pid}/fd")
    if descriptors.exists():
        end = time.monotonic() + WAIT
        while len(list(descriptors.iterdir())) > 30:
            assert time.monotonic() < end, "connections are left open"
            time.sleep(0.01)


def test_a_large_message(kernel):
    subscriber = kernel.subscriber(b"stream")
    shell = kernel.socket(zmq.DEALER, "shell")
    code = "x" * 20_000_000
    kernel.execute(shell, code)
    _, parts = kernel.session.feed_identities(subscriber.recv_multipart())
    assert kernel.session.deserialize(parts)["content"]["text"] == code
    assert kernel.reply(shell)["msg_type"] == "execute_reply"


def test_only_signed_messages_are_answered(kernel):
    shell = kernel.socket(zmq.DEALER, "shell")
    Session(key=b"other").send(shell, "kernel_info_request", {})
    shell.send_multipart([b"no message"])
    kernel.execute(shell, "one")
    assert kernel.reply(shell)["msg_type"] == "execute_reply"


class Registrar:
    """Who starts a kernel and waits for its ports, in the form of protocol 5.6 or the one before."""

    def __init__(self, tmp_path, form, **file):
        self.form = form
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.rcvtimeo = WAIT * 1000
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.session = Session(key=b"abc")
        self.path = tmp_path / "registration.json"
        named = {"kernel_id": "k1", "registration_ip": "127.0.0.1"} if form == "5.6" else {"ip": "127.0.0.1"}
        named |= {"transport": "tcp", "registration_port": port, "signature_scheme": "hmac-sha256", "key": "abc"}
        self.path.write_text(json.dumps(named | file))
        self.process = subprocess.Popen([os.environ["SOCKETS"], self.path], stderr=subprocess.PIPE)

    def request(self):
        self.identities, parts = self.session.feed_identities(self.socket.recv_multipart())
        if self.form == "before":
            self.asked = self.session.deserialize(parts)
            assert self.asked["msg_type"] == "handshake_request"
            return self.asked["content"]
        signature, content = parts
        assert signature == self.session.sign([content])
        content = json.loads(content)
        assert content.pop("kernel_id") == "k1"
        return {name: int(port) for name, port in content.items() if isinstance(port, str)}

    def answer(self, session=None, status="ok"):
        session = session or self.session
        if self.form == "before":
            content = {"status": status}
            session.send(self.socket, "handshake_reply", content, self.asked, self.identities)
        else:
            content = b"ACK" if status == "ok" else json.dumps({"status": status}).encode()
            self.socket.send_multipart([*self.identities, b"<IDS|MSG>", session.sign([content]), content])

    def failure(self):
        """What the kernel says as it gives up."""
        _, error = self.process.communicate(timeout=WAIT)
        assert self.process.returncode
        return error.decode()

    def close(self):
        self.context.destroy(linger=0)
        self.process.kill()
        self.process.communicate()


@pytest.fixture(params=["5.6", "before"])
def registrar(request, tmp_path):
    registrar = Registrar(tmp_path, request.param)
    yield registrar
    registrar.close()


def served(ports, curve={}):
    info = {"key": "abc", "ip": "127.0.0.1", "transport": "tcp", "signature_scheme": "hmac-sha256"} | ports | curve
    client = BlockingKernelClient()
    client.load_connection_info(info)
    client.start_channels()
    try:
        client.wait_for_ready(timeout=WAIT)
        assert client.execute_interactive("one", timeout=WAIT, output_hook=lambda _: None)["content"]["status"] == "ok"
    finally:
        client.stop_channels()


def test_ports_are_registered(registrar):
    ports = registrar.request()
    assert set(ports) == {name + "_port" for name in ("shell", "iopub", "stdin", "control", "hb")}
    registrar.answer()
    served(ports)
    info = json.loads(registrar.path.with_suffix(".connection.json").read_text())
    assert ports.items() <= info.items() and "registration_port" not in info


def test_a_registered_kernel_is_encrypted_too(tmp_path):
    public, secret = (key.decode() for key in zmq.curve_keypair())
    keys = {"curve_publickey": public, "curve_secretkey": secret}
    registrar = Registrar(tmp_path, "5.6", **keys)
    try:
        ports = registrar.request()
        registrar.answer()
        served(ports, keys)
    finally:
        registrar.close()


def test_a_refused_kernel_ends(registrar):
    registrar.request()
    registrar.answer(status="error")
    assert "Refused" in registrar.failure()


def test_an_answer_without_the_key_is_none(registrar):
    registrar.request()
    registrar.answer(Session(key=b"other"))
    assert "BadSignature" in registrar.failure()


def test_any_client_key_will_do(kernel):
    if not kernel.encrypted:
        pytest.skip("there are no keys")
    public, secret = zmq.curve_keypair()
    shell = kernel.socket(zmq.DEALER, "shell", kernel.curve(curve_publickey=public, curve_secretkey=secret))
    kernel.execute(shell, "one")
    assert kernel.reply(shell)["msg_type"] == "execute_reply"


@pytest.mark.parametrize("keys", ["none", "another server's"])
def test_who_has_other_keys_gets_nothing(kernel, keys):
    if not kernel.encrypted:
        pytest.skip("there are no keys")
    curve = {} if keys == "none" else kernel.curve(curve_serverkey=zmq.curve_keypair()[0])
    channels = {"shell": zmq.DEALER, "control": zmq.DEALER, "stdin": zmq.DEALER, "hb": zmq.DEALER, "iopub": zmq.SUB}
    poller, monitors = zmq.Poller(), []
    for channel, kind in channels.items():
        socket = kernel.context.socket(kind)
        socket.linger = 0
        for name, value in curve.items():
            setattr(socket, name, value)
        failed = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_DISCONNECTED
        monitors.append((socket, socket.get_monitor_socket(failed)))
        socket.connect(kernel.url(channel))
        if kind == zmq.SUB:
            socket.subscribe(b"")
        else:
            # The connection may have ended already; then there is nowhere to send to.
            socket.sndtimeo = 0
            with contextlib.suppress(zmq.Again):
                Session(key=kernel.info["key"].encode()).send(socket, "kernel_info_request", {})
        poller.register(socket, zmq.POLLIN)
    for socket, monitor in monitors:
        assert monitor.poll(WAIT * 1000), "the connection was not ended"
    # Meanwhile others are served, and there is output to be heard.
    shell = kernel.socket(zmq.DEALER, "shell")
    kernel.execute(shell, "secret")
    assert kernel.reply(shell)["msg_type"] == "execute_reply"
    assert not poller.poll(50)
    for socket, _ in monitors:
        socket.disable_monitor()
        socket.close()


def test_round_trips(kernel):
    shell = kernel.socket(zmq.DEALER, "shell")
    kernel.session.send(shell, "kernel_info_request", {})
    kernel.reply(shell)
    begun = time.monotonic()
    for _ in range(500):
        kernel.session.send(shell, "kernel_info_request", {})
        kernel.reply(shell)
    print(f"{(time.monotonic() - begun) / 500 * 1e6:.0f} microseconds for a request and its reply")
