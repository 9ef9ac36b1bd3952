"""Messages: the rows MSG of the parity table, and INS-04, with Jupyter's own client."""

import re
import subprocess
from queue import Empty

import pytest
import zmq

from peers import TRANSPORTS, WAIT, contents, example, fresh, of_type

CODE = {"code": "x", "cursor_pos": 1}
REQUESTS = {
    "kernel_info_request": {},
    "execute_request": {"code": "x = 1", "allow_stdin": False},
    "complete_request": CODE,
    "inspect_request": CODE | {"detail_level": 0},
    "is_complete_request": {"code": "x"},
    "history_request": {"hist_access_type": "tail", "n": 1, "output": False, "raw": True},
    "comm_info_request": {},
    "interrupt_request": {},
    "usage_request": {},
    "create_subshell_request": {},
    "list_subshell_request": {},
    "delete_subshell_request": {"subshell_id": "unknown"},
}


@pytest.fixture
def client(each_transport):
    """Each row holds over tcp and ipc."""
    return each_transport.client()


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_msg_01_each_request_gets_its_reply(client, channel):
    for msg_type, content in [*REQUESTS.items(), ("shutdown_request", {"restart": False})]:
        request = client.send(msg_type, content, channel)
        reply = client.reply(request, channel)
        assert reply["msg_type"] == msg_type.replace("_request", "_reply")
        assert reply["parent_header"] == request["header"]
        major, minor = reply["header"]["version"].split(".")
        assert (int(major), int(minor)) >= (5, 4)
        wanted = {"is_complete_request": "complete", "delete_subshell_request": "error"}.get(msg_type, "ok")
        assert reply["content"]["status"] == wanted, reply["content"]
        if msg_type != "shutdown_request":
            client.to_idle(request)
            assert client.silent(), "there is a second reply"


def test_msg_02_all_hear_and_the_sender_gets_the_reply(client, each_transport):
    other = each_transport.client()
    for msg_type, content in REQUESTS.items():
        request = client.send(msg_type, content)
        client.reply(request)
        for one in (client, other):
            heard = one.to_idle(request)
            states = contents(heard, "status")
            assert states == [{"execution_state": "busy"}, {"execution_state": "idle"}]
            assert heard[0]["content"] == states[0] and heard[-1]["content"] == states[1]
            assert all(m["parent_header"] == request["header"] for m in heard)
        assert not other.kc.shell_channel.socket.poll(0)
    assert other.silent(), "somebody else got a reply"


def test_msg_03_kernel_info(client):
    info = client.ask("kernel_info_request").content
    assert info["protocol_version"] == "5.5"
    assert info["implementation"] == "caller-kernel" and re.match(r"\d+\.\d+\.\d+", info["implementation_version"])
    language = info["language_info"]
    assert (language["name"], language["version"], language["file_extension"]) == ("lua", "5.4", ".lua")
    assert "Lua 5.4" in info["banner"]
    assert all(link["text"] and link["url"].startswith("https://") for link in info["help_links"]) and info["help_links"]
    assert info["debugger"] is False
    assert "kernel subshells" in info["supported_features"]


def test_msg_04_cells_come_in_order(client):
    requests = [client.cell(f"return {n}") for n in range(10)]
    replies = [client.kc.get_shell_msg(timeout=20) for _ in requests]
    assert [r["parent_header"]["msg_id"] for r in replies] == [r["header"]["msg_id"] for r in requests]
    first = replies[0]["content"]["execution_count"]
    assert [r["content"]["execution_count"] for r in replies] == list(range(first, first + 10))
    client.to_idle(requests[-1])
    inputs = [m for r in requests for m in of_type(client.heard[r["header"]["msg_id"]], "execute_input")]
    assert [m["content"]["code"] for m in inputs] == [f"return {n}" for n in range(10)]
    assert [m["content"]["execution_count"] for m in inputs] == list(range(first, first + 10))
    assert inputs == sorted(inputs, key=lambda m: m["header"]["date"])


def test_msg_05_a_value_is_a_result_unless_a_semicolon_follows(client):
    done = client.run("6 * 7")
    (result,) = contents(done.heard, "execute_result")
    assert result["data"] == {"text/plain": "42"} and result["execution_count"] == done.content["execution_count"]
    assert done.types == ["status", "execute_input", "execute_result", "status"]
    assert client.run("6 * 7;").types == ["status", "execute_input", "status"]
    # Silent cells neither count nor say what they are.
    silent = client.run("print('said')\n6 * 7", silent=True)
    assert silent.out == "said\n" and "execute_input" not in silent.types and silent.result is None
    assert client.run("1").content["execution_count"] == done.content["execution_count"] + 2


def test_msg_06_a_failure_is_told_in_the_reply_and_to_all(client):
    done = client.run("local function f()\n  error('broken')\nend\nf()")
    assert done.status == "error" and done.content["ename"] == "Error" and "broken" in done.content["evalue"]
    assert isinstance(done.content["traceback"], list) and any("error('broken')" in line for line in done.content["traceback"])
    (error,) = contents(done.heard, "error")
    assert error == {name: done.content[name] for name in ("ename", "evalue", "traceback")}
    assert client.run("f(").content["ename"] == "SyntaxError"


def test_msg_07_user_expressions(client):
    expressions = {"good": "x + 1", "bad": "missing.field", "text": "'é'"}
    done = client.run("x = 41", user_expressions=expressions)
    assert done.status == "ok"
    told = done.content["user_expressions"]
    assert told["good"]["status"] == "ok" and told["good"]["data"] == {"text/plain": "42"}
    assert told["text"]["status"] == "ok" and "é" in told["text"]["data"]["text/plain"]
    assert told["bad"]["status"] == "error" and told["bad"]["ename"] and "missing" in told["bad"]["evalue"]


def test_msg_08_streams_displays_and_clearing(client):
    code = "print('wörld ✓') io.stderr:write('ärger\\n') display.html('<b>ü</b>') clear_output(true) io.write('後')"
    done = client.run(code)
    assert done.status == "ok"
    assert done.types == ["status", "execute_input", "stream", "stream", "display_data", "clear_output", "stream", "status"]
    assert contents(done.heard, "stream") == [
        {"name": "stdout", "text": "wörld ✓\n"},
        {"name": "stderr", "text": "ärger\n"},
        {"name": "stdout", "text": "後"},
    ]
    (shown,) = contents(done.heard, "display_data")
    assert shown["data"]["text/html"] == "<b>ü</b>" and "text/plain" in shown["data"]
    assert contents(done.heard, "clear_output") == [{"wait": True}]
    assert contents(client.run("clear_output()").heard, "clear_output") == [{"wait": False}]


def test_msg_09_completion_and_inspection(client):
    client.run("boe = { colour_red = 1, colour_blue = 2 } colourful = 3")
    code = "'🦀' .. boe.colour_"
    told = client.ask("complete_request", {"code": code, "cursor_pos": len(code)}).content
    assert set(told["matches"]) == {"colour_red", "colour_blue"}, told
    assert (told["cursor_start"], told["cursor_end"]) == (11, 18), told
    told = client.ask("complete_request", {"code": "x = colourf + 1", "cursor_pos": 11}).content
    assert told["matches"] == ["colourful"] and (told["cursor_start"], told["cursor_end"]) == (4, 11)
    known = client.ask("inspect_request", {"code": "colourful", "cursor_pos": 9, "detail_level": 0}).content
    assert known["found"] is True and "3" in known["data"]["text/plain"]
    ours = client.ask("inspect_request", {"code": "clear_output()", "cursor_pos": 5, "detail_level": 1}).content
    assert "Clears what the cell has shown" in ours["data"]["text/plain"]
    unknown = client.ask("inspect_request", {"code": "missing", "cursor_pos": 7, "detail_level": 0}).content
    assert (unknown["status"], unknown["found"], unknown["data"]) == ("ok", False, {})


def test_msg_10_is_complete(client):
    def asked(code):
        return client.ask("is_complete_request", {"code": code}).content

    assert asked("return 1")["status"] == "complete"
    assert asked("%callers")["status"] == "complete"
    assert asked("x = = 1")["status"] == "invalid"
    unfinished = asked("for i = 1, 3 do")
    assert unfinished["status"] == "incomplete" and unfinished["indent"].strip() == "" and unfinished["indent"]
    assert asked("x = [[text")["status"] == "incomplete"


def test_msg_11_history(client, start):
    mark = f"return 'cell {fresh()}'"
    count = client.run(mark).content["execution_count"]
    client.run("-- not stored", store_history=False)

    def history(client, **question):
        done = client.ask("history_request", {"output": False, "raw": True} | question)
        assert done.status == "ok"
        return [tuple(entry) for entry in done.content["history"]]

    ((session, line, code),) = history(client, hist_access_type="tail", n=1)
    assert (line, code) == (count, mark)
    ranged = history(client, hist_access_type="range", session=session, start=count, stop=count + 1)
    assert ranged == [(session, count, mark)]
    assert history(client, hist_access_type="range", session=0, start=count, stop=count + 1)[0][1:] == (count, mark)
    pattern = f"*{mark[8:]}*"
    assert [entry[2] for entry in history(client, hist_access_type="search", pattern=pattern, n=5)] == [mark]
    client.run(mark)
    assert len(history(client, hist_access_type="search", pattern=pattern)) == 2
    assert len(history(client, hist_access_type="search", pattern=pattern, unique=True)) == 1
    with_output = history(client, hist_access_type="tail", n=1, output=True)
    assert with_output[0][2][0] == mark and mark[13:-1] in with_output[0][2][1]
    # It is kept on disk: another kernel of this user knows it, as another session.
    later = history(start().client(), hist_access_type="search", pattern=pattern, unique=True)
    assert [entry[2] for entry in later] == [mark]


def test_msg_12_comms(client):
    done = client.run("""
        heard = {}
        comm.register_target('counter', function(comm, data)
          heard[#heard + 1] = 'open ' .. data.n
          comm:on_msg(function(data) heard[#heard + 1] = 'msg ' .. data.n end)
          comm:on_close(function(data) heard[#heard + 1] = 'close ' .. data.n end)
        end)""")
    assert done.status == "ok", done.content

    def tell(msg_type, comm_id, n, **more):
        client.to_idle(client.send(msg_type, {"comm_id": comm_id, "data": {"n": n}} | more))

    def comms(**question):
        return client.ask("comm_info_request", question).content["comms"]

    tell("comm_open", "c1", 1, target_name="counter")
    assert comms() == {"c1": {"target_name": "counter"}}
    assert comms(target_name="counter") == comms() and comms(target_name="other") == {}
    tell("comm_msg", "c1", 2)
    tell("comm_msg", "unknown", 3)
    tell("comm_close", "unknown", 4)
    tell("comm_close", "c1", 5)
    assert comms() == {}
    assert client.run("table.concat(heard, ', ')").result.strip("\"'") == "open 1, msg 2, close 5"
    # A target that is not known is closed again.
    request = client.send("comm_open", {"comm_id": "c2", "target_name": "nobody", "data": {}})
    assert [c["comm_id"] for c in contents(client.to_idle(request), "comm_close")] == ["c2"]
    assert comms() == {}


@pytest.mark.parametrize("function", ["input", "getpass"])
def test_msg_13_input(client, each_transport, function):
    other = each_transport.client()
    request = client.cell(f"print('asking') return {function}('who? ')", allow_stdin=True)
    asked = client.kc.get_stdin_msg(timeout=20)
    assert asked["msg_type"] == "input_request" and asked["parent_header"] == request["header"]
    assert asked["content"] == {"prompt": "who? ", "password": function == "getpass"}
    # What was printed before the question is seen before the answer.
    client.printed(request, "asking\n")
    assert not other.kc.stdin_channel.socket.poll(0)
    client.kc.input("wörld")
    assert "wörld" in client.done(request).result
    refused = client.run(f"return {function}('who? ')", allow_stdin=False)
    assert refused.status == "error" and "input" in refused.content["evalue"]


def test_msg_13_who_has_no_identity_is_not_asked_for_another(client, each_transport):
    other, asking = (each_transport.context.socket(zmq.DEALER) for _ in range(2))
    for channel, socket in (("stdin", other), ("shell", asking)):
        socket.linger, socket.rcvtimeo = 0, WAIT * 1000
        joined = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        socket.connect(each_transport.url(channel))
        assert joined.poll(WAIT * 1000)
        socket.disable_monitor()
    session = each_transport.session()
    request = session.send(asking, "execute_request", {"code": "return getpass('secret? ')", "allow_stdin": True})
    _, parts = session.feed_identities(asking.recv_multipart())
    reply = session.deserialize(parts)
    assert reply["parent_header"]["msg_id"] == request["header"]["msg_id"]
    assert reply["content"]["status"] == "error" and "input" in reply["content"]["evalue"]
    assert not other.poll(0)


def test_msg_13_who_leaves_is_not_waited_for(client, each_transport):
    leaves = each_transport.client()
    request = leaves.cell("return input('who? ')", allow_stdin=True)
    assert leaves.kc.get_stdin_msg(timeout=WAIT)["msg_type"] == "input_request"
    leaves.kc.stop_channels()
    (error,) = contents(client.to_idle(request), "error")
    assert "input" in error["evalue"]
    assert client.run("return 1").result == "1"


def test_msg_14_an_interrupt_ends_a_cell_that_waits(client):
    request = client.cell("kept = 1 print('on') sleep(1000)")
    client.printed(request)
    assert client.interrupt().content["status"] == "ok"
    done = client.done(request)
    assert (done.status, done.content["ename"]) == ("error", "Interrupted")
    assert client.run("return kept").result == "1"


def test_msg_15_subshells(client):
    client.run("inherited = 7")
    created = client.ask("create_subshell_request", channel="control").content["subshell_id"]
    listed = client.ask("list_subshell_request", channel="control").content["subshell_id"]
    assert listed == [created]
    # The main shell is busy until the subshell has answered.
    blocking = client.cell("print('on') while not go do end")
    client.printed(blocking)
    done = client.run("here = caller.name return inherited", subshell_id=created)
    assert done.result == "7"
    assert done.request["header"]["subshell_id"] == created
    assert done.reply["parent_header"]["subshell_id"] == created
    client.interrupt()
    assert client.done(blocking).status == "error"
    assert client.run("return caller.name", subshell_id=created).result != client.run("return caller.name").result
    assert client.ask("delete_subshell_request", {"subshell_id": created}, "control").status == "ok"
    assert client.ask("list_subshell_request", channel="control").content["subshell_id"] == []
    assert client.run("1", subshell_id=created).status == "error"


def test_msg_16_subscribers_are_welcomed(client, each_transport):
    assert client.welcome["content"] == {"subscription": ""} and client.welcome["parent_header"] == {}
    socket = each_transport.socket(zmq.SUB, "iopub")
    for topic in (b"status", b"stream.stdout"):
        socket.subscribe(topic)
        parts = socket.recv_multipart()
        assert parts[0] == topic
        session = each_transport.session()
        _, parts = session.feed_identities(parts)
        welcome = session.deserialize(parts)
        assert welcome["msg_type"] == "iopub_welcome" and welcome["content"] == {"subscription": topic.decode()}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_msg_17_what_another_thread_displays_lands_in_the_cell(start, transport):
    argv = [example("lives")]
    kernel = start(transport=transport, argv=argv, stdin=subprocess.PIPE, lines=["start {file}"])
    client = kernel.client()
    assert client.run("return helper.name()").result == '"helper"' 
    both = [client.cell(f"caller:call_later(0.01, function() helper.show('{n}') end):wait()") for n in range(2)]
    for n, request in enumerate(both):
        done = client.done(request)
        assert done.status == "ok", done.content
        (shown,) = of_type(done.heard, "display_data")
        assert shown["content"]["data"] == {"text/plain": str(n), "text/html": f"<b>{n}</b>"}
        assert shown["parent_header"] == request["header"]
    # Also when the cell does not wait for it.
    request = client.cell("later = caller:call_later(0.05, function() helper.show('late') end);")
    assert client.done(request).status == "ok"
    shown = client.until(request, lambda m: m["msg_type"] == "display_data")
    assert shown["content"]["data"]["text/plain"] == "late"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_msg_18_comm_messages_are_handled_while_a_cell_waits(start, transport):
    client = start(transport=transport).client()
    client.run("comm.register_target('t', function(c) c:on_msg(function(data) told = data.value end) end)")
    client.to_idle(client.send("comm_open", {"comm_id": "c", "target_name": "t", "data": {}}))
    request = client.cell("print('on') while not told do sleep(0.001) end return told")
    client.printed(request)
    client.send("comm_msg", {"comm_id": "c", "data": {"value": "news"}})
    assert "news" in client.done(request).result


def test_msg_19_displays_are_updated(client):
    shown = client.run("light = display.html('<b>wait</b>', { id = 'light' }) display.text('other')")
    first, other = contents(shown.heard, "display_data")
    assert first["transient"] == {"display_id": "light"} and "display_id" not in other.get("transient", {})
    changed = client.run("light:update({ ['text/html'] = '<b>go</b>' }) update_display('gone', 'light')")
    updates = contents(changed.heard, "update_display_data")
    assert [u["transient"] for u in updates] == [{"display_id": "light"}] * 2
    assert updates[0]["data"] == {"text/html": "<b>go</b>"} and "gone" in updates[1]["data"]["text/plain"]
    assert "display_data" not in changed.types


def test_msg_20_usage(client, each_transport):
    usage = client.ask("usage_request", channel="control").content
    assert usage["status"] == "ok" and usage["pid"] == each_transport.pid
    assert usage["kernel_memory"] > 1_000_000 and usage["kernel_cpu"] >= 0
    memory = usage["host_virtual_memory"]
    assert memory["total"] >= memory["available"] > 0 and 0 <= memory["percent"] <= 100
    assert usage["cpu_count"] >= 1 and usage["host_cpu_percent"] >= 0


def transcript(kernel):
    """What a client sees of one exchange, without what differs by chance."""
    client, seen = kernel.client(), []
    exchange = [
        ("kernel_info_request", {}, "shell"),
        ("execute_request", {"code": "x = 1 print(x) display.html('<i>x</i>') return x", "allow_stdin": False}, "shell"),
        ("execute_request", {"code": "error('no')", "allow_stdin": False}, "shell"),
        ("complete_request", {"code": "pri", "cursor_pos": 3}, "shell"),
        ("inspect_request", {"code": "print", "cursor_pos": 5, "detail_level": 0}, "shell"),
        ("is_complete_request", {"code": "if x then"}, "shell"),
        ("history_request", {"hist_access_type": "range", "session": 0, "output": True, "raw": True}, "shell"),
        ("comm_info_request", {}, "shell"),
        ("list_subshell_request", {}, "control"),
        ("interrupt_request", {}, "control"),
        ("nonsense_message", {}, "shell"),
        ("shutdown_request", {"restart": True}, "control"),
    ]
    for msg_type, content, channel in exchange:
        request = client.send(msg_type, content, channel)
        if msg_type.endswith("_request"):
            reply = client.reply(request, channel)
            seen.append((channel, reply["msg_type"], reply["content"]))
        try:
            heard = client.to_idle(request)
        except Empty:
            raise AssertionError(f"no idle after {msg_type}") from None
        seen += [("iopub", m["msg_type"], m["content"]) for m in heard]
    assert kernel.ended() == 0
    return re.sub(r"'history': \[\[\d+", "'history': [[0", "\n".join(map(str, seen)))


@pytest.mark.skipif("ipc" not in TRANSPORTS, reason="this system has no Unix sockets")
def test_msg_21_ipc_and_tcp_are_alike(start):
    over_tcp = transcript(start("history=none"))
    assert over_tcp == transcript(start("history=none", transport="ipc"))
    assert "nonsense" not in over_tcp and over_tcp.count("'idle'") == 12 and "Error" in over_tcp


def test_ins_04_callers_are_listed(client):
    assert client.run("child = caller:child('worker')").status == "ok"
    done = client.run("%callers")
    assert done.status == "ok"
    header, _, *rows = done.out.splitlines()
    assert header.split() == ["Name", "State", "Protected", "Thread", "Id"]
    # Columns are apart by two spaces at least.
    by_name = {name: rest for name, *rest in (re.split(r"\s\s+", row) for row in rows)}
    assert by_name.keys() >= {"Sockets", "Shell", "Control", "worker"} and len(by_name) == len(rows)
    for name in ("Shell", "Control"):
        assert by_name[name][:3] == ["running", "yes", name]
    assert "yes" not in by_name["worker"], "it is not protected"
    ids = [re.search(r"\d+", " ".join(rest[1:]))[0] for rest in by_name.values()]
    assert len(set(ids)) == len(ids)
    assert [row.split()[0] for row in rows if "current" in row] == ["Shell"]
    # In a thread of its own the cell finds itself elsewhere.
    rows = client.run("# thread name='My thread'\n%callers").out.splitlines()
    assert [row.split("  ")[0] for row in rows if "current" in row] == ["My thread"]
