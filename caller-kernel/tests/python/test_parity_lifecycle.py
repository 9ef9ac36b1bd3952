"""How kernels begin and end: the rows LIF of the parity table."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import zmq
from jupyter_client.connect import write_connection_file
from jupyter_client.manager import KernelManager
from jupyter_client.session import Session

from peers import COMMAND, PORTS, POSIX, TRANSPORTS, WAIT, Client, Process, contents, example, read, until

posix = pytest.mark.skipif(not POSIX, reason="signals are another matter here")


def is_free(port):
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def assert_nothing_is_left(kernel, file=False):
    assert all(is_free(kernel.info[port]) for port in PORTS)
    assert kernel.path.exists() == file
    assert kernel.process.poll() is not None


def test_lif_01_a_file_that_is_not_there_is_written(start):
    kernel = start("name=db", "cell-timeout=0.2")
    info = kernel.info
    assert len({info[port] for port in PORTS}) == 5 and all(info[port] > 0 for port in PORTS)
    assert len(info["key"]) >= 32 and info["transport"] == "tcp" and info["ip"] == "127.0.0.1"
    assert info["signature_scheme"] == "hmac-sha256"
    if POSIX:
        assert stat.S_IMODE(kernel.path.stat().st_mode) == 0o600
    # The settings hold.
    client = kernel.client()
    assert client.run("return caller.name").result == '"db Shell"'
    assert client.run("sleep(1000)").content["ename"] == "TimeoutError"


def test_lif_01_a_file_that_is_there_is_used(start, tmp_path):
    path = tmp_path / "given.json"
    _, given = write_connection_file(str(path), key=b"a key of ours")
    kernel = start(path=path)
    assert {name: kernel.info[name] for name in [*PORTS, "key"]} == {name: given[name] for name in [*PORTS, "key"]}
    client = kernel.client()
    assert client.run("return 1").result == "1"
    client.ask("shutdown_request", {"restart": False}, "control")
    assert kernel.ended() == 0
    # It is not ours to remove.
    assert_nothing_is_left(kernel, file=True)
    assert start(path=path).info == kernel.info


def test_lif_01_settings_that_are_wrong(command, tmp_path):
    for setting in ("colour=red", "cell-timeout=soon", "sandbox=2"):
        done = command("start", "-f", tmp_path / "kernel.json", "--set", setting)
        assert done.returncode == 2 and setting.split("=")[0] in done.stderr
    assert not (tmp_path / "kernel.json").exists()


def test_lif_02_a_process_has_one_kernel(spawn, tmp_path):
    say = spawn([example("lives")], stdin=subprocess.PIPE).say
    assert say("current").startswith("error: no kernel runs in this process")
    assert say(f"start {tmp_path / 'one.json'}").startswith("started")
    port = read(tmp_path / "one.json")["shell_port"]
    assert say("current") == f"listening at port {port}"
    assert say(f"start {tmp_path / 'two.json'}").startswith("error: a kernel runs in this process already")
    assert not (tmp_path / "two.json").exists()
    assert say("stop") == "stopped" and is_free(port) and not (tmp_path / "one.json").exists()
    assert say("current").startswith("error: no kernel")
    assert say(f"start {tmp_path / 'two.json'}").startswith("started")
    client = Client(read(tmp_path / "two.json"))
    assert client.run("return 1").result == "1"
    client.close()


@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize("channel", ["control", "shell"])
def test_lif_03_a_shutdown_is_answered_and_ends_the_process(kernel, restart, channel):
    client, other = kernel.client(), kernel.client()
    request = client.send("shutdown_request", {"restart": restart}, channel)
    assert client.reply(request, channel)["content"] == {"status": "ok", "restart": restart}
    # All front ends learn of it.
    assert contents(other.to_idle(request), "shutdown_reply") == [{"status": "ok", "restart": restart}]
    assert kernel.ended() == 0, kernel.said
    assert_nothing_is_left(kernel)


def test_lif_03_a_busy_kernel_ends_too(kernel):
    client = kernel.client()
    busy = client.cell("print('on') while true do pcall(function() while true do end end) end")
    client.printed(busy)
    queued = client.cell("1")
    assert client.ask("shutdown_request", {"restart": False}, "control").status == "ok"
    assert client.reply(busy)["content"]["status"] == "error"
    assert client.reply(queued)["content"]["status"] in ("error", "aborted")
    assert kernel.ended() == 0
    assert_nothing_is_left(kernel)


def test_lif_04_a_start_that_fails_leaves_nothing(spawn, command, start, tmp_path):
    say = spawn([example("lives")], stdin=subprocess.PIPE).say
    # Stopped before it was started.
    assert say("stop").startswith("error: no kernel")
    assert say(f"start {tmp_path / 'no' / 'folder' / 'kernel.json'}").startswith("error: ")
    broken = tmp_path / "broken.json"
    broken.write_text("[")
    assert say(f"start {broken}").startswith("error: ")
    taken = socket.create_server(("127.0.0.1", 0))
    path = tmp_path / "taken.json"
    write_connection_file(str(path), shell_port=taken.getsockname()[1])
    given = path.read_text()
    assert "in use" in say(f"start {path}")
    assert say("current").startswith("error: no kernel")
    others = [json.loads(given)[port] for port in PORTS[1:]]
    assert all(is_free(port) for port in others) and path.read_text() == given
    taken.close()
    assert say(f"start {path}").startswith("started") and say("stop") == "stopped"
    # The command says why, and ends.
    done = command("start", "-f", broken)
    assert done.returncode == 1 and "broken.json" in done.stderr
    done = command("start", "-f", tmp_path / "k.json", "--set", f"history={tmp_path}")
    assert done.returncode == 1 and "history" in done.stderr and not (tmp_path / "k.json").exists()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_lif_05_the_heartbeat_echoes(start, transport):
    kernel = start(transport=transport)
    beat = kernel.socket(zmq.REQ, "hb")
    for body in (b"ping", b"", bytes(range(256)) * 1000):
        beat.send(body)
        assert beat.recv() == body
    # As jupyter_client asks whether the kernel lives, also while a cell computes.
    client = kernel.client()
    busy = client.cell("print('on') while true do end")
    client.printed(busy)
    beat.send(b"busy?")
    assert beat.recv() == b"busy?"
    client.interrupt()


@posix
def test_lif_06_an_interrupt_signal_ends_an_idle_kernel(kernel):
    kernel.client().run("x = 1")
    kernel.process.send_signal(signal.SIGINT)
    assert kernel.ended() == 0
    assert_nothing_is_left(kernel)


@posix
@pytest.mark.parametrize("code", ["while true do end", "sleep(1000)", "input()"])
def test_v14_an_interrupt_signal_interrupts_a_busy_kernel(kernel, code):
    client = kernel.client()
    busy = client.cell(f"kept = 1 print('on') {code}", allow_stdin=True)
    client.printed(busy)
    kernel.process.send_signal(signal.SIGINT)
    assert client.done(busy).content["ename"] == "Interrupted"
    assert client.run("return kept").result == "1"
    kernel.process.send_signal(signal.SIGINT)
    assert kernel.ended() == 0


@posix
def test_v14_an_interrupt_signal_interrupts_what_runs_beside_cells(kernel):
    client = kernel.client()
    client.run("kept = 1 comm.register_target('busy', function() print('on') while true do end end)")
    opened = client.send("comm_open", {"comm_id": "c", "target_name": "busy", "data": {}})
    client.printed(opened)
    kernel.process.send_signal(signal.SIGINT)
    client.to_idle(opened)
    assert client.run("return kept").result == "1"


@posix
def test_v14_an_embedded_kernel_leaves_signals_alone(start):
    kernel = start(argv=[example("lives")], stdin=subprocess.PIPE, lines=["start {file}"])
    client = kernel.client()
    client.run("x = 1")
    kernel.process.send_signal(signal.SIGINT)
    # What a program does that has said nothing of signals.
    assert kernel.process.wait(WAIT) == -signal.SIGINT


@posix
def test_a_signal_that_comes_at_once_leaves_nothing(tmp_path):
    path = tmp_path / "kernel.json"
    for _ in range(20):
        kernel = Process([COMMAND, "start", "-f", path])
        # Without a pause: what is wanted is the very moment.
        while not path.exists():
            assert kernel.process.poll() is None
        kernel.process.send_signal(signal.SIGTERM)
        assert kernel.ended() == 0, kernel.said
        assert not path.exists()


@posix
def test_the_kernel_ends_with_the_process_that_jupyter_started_it_from(tmp_path):
    path = tmp_path / "kernel.json"
    # It starts a kernel in a session of its own, says which, and is gone at once when it is told to.
    launcher = f"""
import os, subprocess, sys
environment = dict(os.environ, JPY_PARENT_PID=str(os.getpid()))
quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
kernel = subprocess.Popen({[COMMAND, "start", "-f", str(path)]!r}, env=environment, start_new_session=True, **quiet)
print(kernel.pid, flush=True)
sys.stdin.readline()
os._exit(0)
"""
    parent = Process([sys.executable, "-c", launcher], stdin=subprocess.PIPE)
    try:
        pid = int(parent.told())
        until(lambda: read(path), parent.process, "the connection file")
        parent.tell("go")
        assert parent.process.wait(WAIT) == 0
        until(lambda: not path.exists(), what="the end of the kernel")
        until(lambda: not lives(pid), what="the end of the process")
    finally:
        parent.end()


def lives(pid):
    """Whether there is such a process. One that nobody has waited for is none."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_history_that_cannot_be_kept_is_in_memory(start, tmp_path, monkeypatch):
    data = tmp_path / "no folder"
    data.write_text("a file, where a folder should be")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(data))
    kernel = start()
    client = kernel.client()
    client.run("x = 1")
    assert client.ask("history_request", {"hist_access_type": "tail"}).content["history"][-1][2] == "x = 1"
    client.ask("shutdown_request", {"restart": False}, "control")
    assert kernel.ended() == 0
    assert "caller-kernel: cannot keep the history" in kernel.said and "in memory alone" in kernel.said
    # One that somebody asked for is another matter.
    refused = Process([COMMAND, "start", "-f", tmp_path / "k.json", "--set", f"history={data}/history.jsonl"])
    assert refused.ended() == 1 and "cannot keep the history" in refused.said


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_signal_to_end_leaves_nothing(start, number, transport):
    kernel = start(transport=transport)
    client = kernel.client()
    busy = client.cell("print('on') while true do end")
    client.printed(busy)
    child = client.send("create_subshell_request", {}, "control")
    client.reply(child, "control")
    kernel.process.send_signal(number)
    assert kernel.ended() == 0, kernel.said
    if transport == "tcp":
        assert_nothing_is_left(kernel)
    else:
        assert os.listdir(kernel.sockets.name) == [] and kernel.path.exists()


def test_lif_07_stdout(start, tmp_path):
    kernel = start(argv=[example("lives")], stdin=subprocess.PIPE, lines=["start {file}"])
    client = kernel.client()
    done = client.run("write_lines({ 'one\\n', 'twö\\n', 'three' })")
    assert contents(done.heard, "stream") == [{"name": "stdout", "text": "one\ntwö\nthree"}]
    assert client.run("return is_terminal()").result == "true"
    # Quiet: nothing of it is printed by the program.
    client.ask("shutdown_request", {"restart": False}, "control")
    kernel.process.stdin.close()
    said = kernel.process.stdout.read()
    assert said.startswith("started at port") and "one" not in said
    loud = start(argv=[example("lives")], stdin=subprocess.PIPE, lines=["start quiet=false {file}"])
    client = loud.client()
    assert client.run("write_lines({ 'one\\n', 'twö\\n' }) print('printed')").out == "one\ntwö\nprinted\n"
    assert [loud.told() for _ in range(4)][1:] == ["one", "twö", "printed"]


def test_lif_07_the_command_prints_if_it_is_not_quiet(start):
    for quiet in (True, False):
        kernel = start(f"quiet={str(quiet).lower()}")
        client = kernel.client()
        assert client.run("print('wörld')").out == "wörld\n"
        client.ask("shutdown_request", {"restart": False}, "control")
        assert kernel.ended() == 0
        assert kernel.said == ("" if quiet else "wörld\n")


def refused(kernel, channel, **curve):
    """Whether the kernel ends a connection before anything was said on it."""
    bare = kernel.context.socket(zmq.SUB if channel == "iopub" else zmq.DEALER)
    bare.linger = 0
    for name, value in curve.items():
        setattr(bare, name, value)
    ends = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_DISCONNECTED
    monitor = bare.get_monitor_socket(ends)
    bare.connect(kernel.url(channel))
    if channel == "iopub":
        bare.subscribe(b"")
    else:
        # It may have ended already; then there is nowhere to send to.
        bare.sndtimeo = 0
        with contextlib.suppress(zmq.Again):
            kernel.session().send(bare, "kernel_info_request", {})
    ended = bool(monitor.poll(WAIT * 1000))
    bare.disable_monitor()
    return ended and not bare.poll(0)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_lif_08_keys_in_the_file_encrypt(start, command, tmp_path, transport):
    public, secret = (key.decode() for key in zmq.curve_keypair())
    path = tmp_path / "curve.json"
    sockets = tempfile.TemporaryDirectory(dir="/tmp")
    ip = "127.0.0.1" if transport == "tcp" else os.path.join(sockets.name, "k")
    keys = {"curve_publickey": public, "curve_secretkey": secret}
    path.write_text(json.dumps({"transport": transport, "ip": ip, "key": "abc"} | keys))
    kernel = start(path=path)
    assert {name: kernel.info[name] for name in keys} == keys
    client = kernel.client()
    assert client.run("print('wörld') return 6 * 7").result == "42"
    beat = kernel.socket(zmq.REQ, "hb", curve_serverkey=public.encode(), curve_publickey=public.encode(), curve_secretkey=secret.encode())
    beat.send(b"beat")
    assert beat.recv() == b"beat"
    # Who has no keys, or thinks the kernel is another, gets nothing.
    own = dict(zip(("curve_publickey", "curve_secretkey"), zmq.curve_keypair()))
    for channel in ("shell", "control", "stdin", "hb", "iopub"):
        assert refused(kernel, channel)
        assert refused(kernel, channel, curve_serverkey=zmq.curve_keypair()[0], **own)
    assert client.run("return 1").result == "1"


def test_lif_08_the_kernelspec_names_curve_only_if_it_works(start, command, tmp_path):
    folder = command("install").stdout.strip()
    spec = json.loads(open(os.path.join(folder, "kernel.json"), encoding="utf-8").read())
    named = "curve" in json.dumps(spec["metadata"]).lower()
    path = tmp_path / "curve.json"
    public, secret = (key.decode() for key in zmq.curve_keypair())
    path.write_text(json.dumps({"key": "abc", "curve_publickey": public, "curve_secretkey": secret}))
    if named:
        assert start(path=path).client().run("return 1").result == "1"
    manager = KernelManager(kernel_name="caller", transport_encryption="required")
    if not named:
        with pytest.raises(RuntimeError):
            manager.start_kernel()
    else:
        manager.start_kernel()
        client = manager.client()
        try:
            assert client.curve_publickey
            client.start_channels()
            client.wait_for_ready(timeout=20)
            assert client.execute("return 1", reply=True, timeout=20)["content"]["status"] == "ok"
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    # Keys that are none are refused, and nothing listens in the clear.
    path.write_text(json.dumps({"key": "abc", "curve_publickey": public, "curve_secretkey": public}))
    done = command("start", "-f", path)
    assert done.returncode == 1 and "curve_" in done.stderr


class Registrar:
    """Who starts a kernel and is told its ports."""

    def __init__(self, folder, form):
        self.form = form
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger, self.socket.rcvtimeo = 0, WAIT * 1000
        self.session = Session(key=b"abc")
        info = {"transport": "tcp", "signature_scheme": "hmac-sha256", "key": "abc"}
        info["registration_port"] = self.socket.bind_to_random_port("tcp://127.0.0.1")
        info |= {"kernel_id": "k1", "registration_ip": "127.0.0.1"} if form == "5.6" else {"ip": "127.0.0.1"}
        self.path = folder / "registration.json"
        self.path.write_text(json.dumps(info))

    def asked(self):
        """The ports that the kernel tells, signed."""
        self.identities, parts = self.session.feed_identities(self.socket.recv_multipart())
        if self.form == "5.6":
            signature, content = parts
            assert signature == self.session.sign([content])
            content = json.loads(content)
            assert content["kernel_id"] == "k1"
        else:
            self.request = self.session.deserialize(parts)
            assert self.request["msg_type"] == "handshake_request"
            content = self.request["content"]
        return {port: int(content[port]) for port in PORTS}

    def answer(self, status="ok", session=None):
        session = session or self.session
        if self.form == "5.6":
            content = json.dumps({"status": status}).encode()
            self.socket.send_multipart([*self.identities, b"<IDS|MSG>", session.sign([content]), content])
        else:
            session.send(self.socket, "handshake_reply", {"status": status}, self.request, self.identities)


@pytest.fixture(params=["5.6", "before"])
def registrar(request, tmp_path, data):
    registrar = Registrar(tmp_path, request.param)
    yield registrar
    registrar.context.destroy(linger=0)


def test_lif_10_a_kernel_registers_its_ports(registrar, spawn):
    process = spawn([COMMAND, "start", "-f", registrar.path])
    given = registrar.path.read_text()
    ports = registrar.asked()
    assert len(set(ports.values())) == 5
    registrar.answer()
    client = Client(ports | {"transport": "tcp", "ip": "127.0.0.1", "key": "abc", "signature_scheme": "hmac-sha256"})
    assert client.run("return 6 * 7").result == "42"
    assert client.ask("shutdown_request", {"restart": False}, "control").status == "ok"
    client.close()
    assert process.ended() == 0, process.said
    assert registrar.path.read_text() == given and all(is_free(port) for port in ports.values())


@pytest.mark.parametrize("how", ["refused", "unsigned"])
def test_lif_10_a_kernel_that_is_not_wanted_ends(registrar, spawn, how):
    process = spawn([COMMAND, "start", "-f", registrar.path])
    ports = registrar.asked()
    registrar.answer(*(["error"] if how == "refused" else ["ok", Session(key=b"another")]))
    assert process.ended() == 1 and process.said.startswith("caller-kernel: ")
    assert all(is_free(port) for port in ports.values())


def test_lif_09_an_embedded_kernel_ends_without_its_program(start, tmp_path):
    kernel = start(argv=[example("lives")], stdin=subprocess.PIPE, lines=["start {file}"])
    assert kernel.told().startswith("started")
    for turn in range(2):
        client = kernel.client()
        done = client.ask("shutdown_request", {"restart": bool(turn)}, "control")
        assert done.content == {"status": "ok", "restart": bool(turn)}
        said = kernel.say("wait")
        # Either it was still there to be waited for.
        assert said == "stopped" or said.startswith("error: no kernel")
        assert all(is_free(kernel.info[port]) for port in PORTS) and not kernel.path.exists()
        assert kernel.process.poll() is None
        assert kernel.say(f"start {kernel.path}").startswith("started")
        kernel.info = read(kernel.path)
    assert kernel.client().run("return 1").result == "1"
