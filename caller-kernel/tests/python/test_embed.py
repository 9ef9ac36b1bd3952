"""The example `embed`: a notebook looks into a service while that serves, and both say the same."""

import re
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from peers import PORTS, WAIT, Kernel, contents, example, until

CLIENTS, PAIRS = 4, 100


class Service(Kernel):
    """The service, with a kernel in it."""

    def __init__(self, folder):
        argv = [example("embed"), "--connection-file", "{file}", "--until-eof"]
        super().__init__(folder, argv=argv, stdin=subprocess.PIPE)
        self.port = int(re.fullmatch(r"serving at 127\.0\.0\.1:(\d+)", self.told())[1])

    def connect(self):
        return Line(self.port)


class Line:
    """A client of the service."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
        self.file = self.socket.makefile("rw", encoding="utf-8", newline="\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def ask(self, line):
        self.file.write(line + "\n")
        self.file.flush()
        return self.file.readline().rstrip("\n")


@pytest.fixture
def service(tmp_path, data):
    service = Service(tmp_path)
    yield service
    service.end()


def test_both_sides_say_the_same_under_load(service):
    client = service.client()
    stop, looked = threading.Event(), []

    def serve(number):
        with service.connect() as line:
            for n in range(PAIRS):
                assert line.ask(f"PUT k{number}.{n} wört {n}") == "OK"
                assert line.ask(f"GET k{number}.{n}") == f"VALUE wört {n}"
        return number

    with ThreadPoolExecutor(CLIENTS) as pool:
        served = [pool.submit(serve, number) for number in range(CLIENTS)]
        try:
            # Cells look while it serves: the counts go up, and are never more than was put.
            while not all(one.done() for one in served):
                done = client.run("return db.count()")
                assert done.status == "ok", done.content
                looked.append(int(done.result))
        finally:
            stop.set()
        assert [one.result(WAIT) for one in served] == list(range(CLIENTS))
    assert looked == sorted(looked) and looked[-1] <= CLIENTS * PAIRS
    assert len(looked) > 1, "no cell ran while it served"
    with service.connect() as line:
        assert line.ask("COUNT") == f"COUNT {CLIENTS * PAIRS}"
        assert client.run("return db.count()").result == str(CLIENTS * PAIRS)
        # Row by row.
        code = "for _, row in ipairs(db.query('SELECT key, value FROM pairs ORDER BY key')) do print(row.key .. '=' .. row.value) end"
        rows = dict(row.split("=") for row in client.run(code).out.splitlines())
        assert rows == {f"k{c}.{n}": f"wört {n}" for c in range(CLIENTS) for n in range(PAIRS)}
        # What a cell puts the service has.
        assert client.run("db.put('from a cell', 'ja') return db.get('k0.7')").result == '"wört 7"'
        assert line.ask("COUNT") == f"COUNT {CLIENTS * PAIRS + 1}"
        client.run("db.put('cell', 'yes')")
        assert line.ask("GET cell") == "VALUE yes"
        assert line.ask("GET nothing") == "NONE" and client.run("return db.get('nothing')").result in (None, "nil")
    # It has counted the same: two for each pair, and the four above.
    assert client.run("return service.served()").result == str(2 * CLIENTS * PAIRS + 4)
    assert client.run("db.query('SELECT nonsense')").content["status"] == "error"


def test_a_cell_runs_in_the_thread_of_the_database(service):
    client = service.client()
    with service.connect() as line:
        assert line.ask("PUT a 1") == "OK"
        done = client.run("-- caller name=db\nprint(caller.name) here = 5 return db.get('a')")
        assert done.status == "ok", done.content
        assert done.out == "db\n" and done.result == '"1"'
        # Its globals stay there, and nowhere else.
        assert client.run("-- caller name=db\nreturn here").result == "5"
        assert client.run("return tostring(here)").result == '"nil"'
        current = [row.split()[0] for row in client.run("-- caller name=db\n%callers").out.splitlines() if "current" in row]
        assert current == ["db"]
        # While it waits there, the service has the thread.
        waiting = client.cell("-- caller name=db\nprint('on') while not db.get('go') do sleep(0.001) end return 'gone on'")
        client.printed(waiting)
        assert line.ask("PUT go 1") == "OK"
        assert client.done(waiting).result == '"gone on"'
        # One that computes is sliced, so the service goes on too; an interrupt ends it.
        computing = client.cell("-- caller name=db\nprint('on') while true do end")
        client.printed(computing)
        assert line.ask("COUNT") == "COUNT 2"
        client.interrupt()
        assert client.done(computing).content["ename"] == "Interrupted"
        assert line.ask("GET a") == "VALUE 1"
    unknown = client.run("-- caller name=gui\n1")
    assert unknown.status == "error" and "`db`" in unknown.content["evalue"]


def test_exposed_functions_have_docs(service):
    client = service.client()
    told = client.ask("inspect_request", {"code": "db.count", "cursor_pos": 8, "detail_level": 0}).content
    assert told["found"] and "How many pairs there are." in told["data"]["text/plain"]
    told = client.ask("complete_request", {"code": "db.", "cursor_pos": 3}).content
    assert set(told["matches"]) >= {"put", "get", "count", "query"}
    # It keeps cells from files and processes.
    assert client.run("return tostring(io.open) .. tostring(os.execute)").result == '"nilnil"'


def test_lif_09_a_shutdown_ends_the_kernel_and_not_the_service(service):
    client = service.client()
    with service.connect() as line:
        assert line.ask("PUT a 1") == "OK"
        busy = client.cell("-- caller name=db\nprint('on') sleep(1000)")
        client.printed(busy)
        done = client.ask("shutdown_request", {"restart": False}, "control")
        assert done.content == {"status": "ok", "restart": False}
        assert client.reply(busy)["content"]["status"] == "error"
        until(lambda: not service.path.exists(), service.process, "the end of the kernel")
        for port in PORTS:
            with socket.create_server(("127.0.0.1", service.info[port])):
                pass
        # The service is there, with all it had.
        assert line.ask("GET a") == "VALUE 1" and line.ask("PUT b 2") == "OK"
        with service.connect() as another:
            assert another.ask("COUNT") == "COUNT 2"
    assert service.process.poll() is None
    service.process.stdin.close()
    assert service.process.wait(WAIT) == 0
    assert "4 lines served" in service.process.stdout.read()


def test_it_ends_while_a_notebook_is_attached(service):
    client = service.client()
    busy = client.cell("-- caller name=db\nprint('on') while true do end")
    client.printed(busy)
    service.process.stdin.close()
    assert client.reply(busy)["content"]["status"] == "error"
    assert service.process.wait(WAIT) == 0
    assert not service.path.exists()
