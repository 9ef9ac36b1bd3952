"""How cells are run: the rows RUN of the parity table."""

import time

import pytest

from peers import contents

WAITS = "print('on') while not go do sleep(0.001) end return 'waited'"


@pytest.mark.parametrize("first", ["", "-- queue\n", "# queue\n"])
def test_run_01_cells_run_one_after_the_other_in_the_shells_thread(client, first):
    client.run("order, thread = {}, {}")
    slow = client.cell(f"{first}sleep(0.05) order[#order + 1] = 'slow' thread[1] = Caller.current().name")
    fast = client.cell(f"{first}order[#order + 1] = 'fast' thread[2] = Caller.current().name")
    assert client.done(slow).status == client.done(fast).status == "ok"
    assert client.run("table.concat(order, ' ') .. ' ' .. table.concat(thread, ' ')").result == '"slow fast Shell Shell"'


@pytest.mark.parametrize("first", ["-- task", "# task", "--task"])
def test_run_02_a_task_is_answered_while_a_cell_waits(client, first):
    waiting = client.cell(WAITS)
    client.printed(waiting)
    queued = client.cell("return 'queued'")
    task = client.cell(f"{first}\ngo = true\nreturn 'task'")
    order = [client.kc.get_shell_msg(timeout=20)["parent_header"]["msg_id"] for _ in range(3)]
    assert order == [request["header"]["msg_id"] for request in (task, waiting, queued)]


def test_run_02_the_tag_task(client):
    waiting = client.cell(WAITS)
    client.printed(waiting)
    assert client.run("go = true return 1", metadata={"tags": ["task"]}).result == "1"
    assert client.done(waiting).status == "ok"


def test_run_03_threads(client):
    code = "return Caller.current().name .. ' ' .. tostring(data and data[1])"
    client.run("data = { 'plain' } busy = true")
    # The shell computes meanwhile, so it cannot be what runs them.
    assert client.run(code).result == '"Shell plain"'
    by_line = client.run(f"# thread\n{code}")
    by_tag = client.run(code, metadata={"tags": ["other", "thread"]})
    for done in (by_line, by_tag):
        assert done.status == "ok", done.content
        assert done.result.endswith(' plain"') and "Shell" not in done.result
    named = client.run(f"# thread name='My thread'\n{code}")
    assert named.result == '"My thread plain"'
    names = [line.split("  ")[0] for line in client.run("%callers").out.splitlines()]
    assert "My thread" in names


def test_run_03_a_thread_runs_while_the_shell_computes(client):
    client.run("kept = 5")
    computing = client.cell("print('on') while true do end")
    client.printed(computing)
    done = client.run("-- thread\nlocal sum = 0 for i = 1, 100 do sum = sum + i end return sum")
    assert done.result == "5050"
    client.interrupt()
    assert client.done(computing).content["ename"] == "Interrupted"


SOON = 0.25


def on_time(limit, run):
    """What `run` does takes at least so long, and ends soon after. A machine that is busy is late at times."""
    took = []
    for _ in range(5):
        begun = time.monotonic()
        run()
        took.append(time.monotonic() - begun)
        assert took[-1] >= limit, f"it ended after {took[-1]:.3f} s, before its time of {limit} s"
        if took[-1] <= limit + SOON:
            return
    raise AssertionError(f"it ended after {min(took):.3f} s at best, long after its time of {limit} s")


def timed_out(client, request):
    done = client.done(request)
    assert done.status == "error" and done.content["ename"] == "TimeoutError", done.content
    assert contents(done.heard, "error")[0]["ename"] == "TimeoutError"


def endless(client, limit, **more):
    # A cell that waits, and one that computes.
    for code in ("sleep(1000)", "while true do end"):
        on_time(limit, lambda: timed_out(client, client.cell(code, **more)))
    late = client.cell("sleep(1000)", **more)
    behind = client.cell("return 'behind'")
    timed_out(client, late)
    done = client.done(behind)
    assert done.status == "ok" and done.result == '"behind"'


def test_run_04_the_tag_timeout(client):
    endless(client, 0.1, metadata={"tags": ["timeout=0.1"]})


def test_run_04_the_timeout_of_the_shell(start):
    client = start("cell-timeout=0.1").client()
    endless(client, 0.1)
    # A cell may have another one, or none.
    endless(client, 0.3, metadata={"tags": ["timeout=0.3"]})
    assert client.run("-- queue timeout=0\nsleep(0.15)").status == "ok"
    # One that ends in time is no error, however long it is ago.
    assert client.run("kept = 1").status == "ok"
    assert client.run("-- queue timeout=0\nsleep(0.15) return kept").result == "1"


def test_run_05_stop_on_error(client):
    failing, good = client.together(("error('no')", {"stop_on_error": False}), "return 1")
    assert client.done(failing).status == "error"
    assert client.done(good).result == "1"
    # By default, what was sent with it is not run.
    failing, aborted = client.together("error('no')", "ran = true")
    assert client.done(failing).status == "error"
    done = client.done(aborted)
    assert done.status == "aborted" and "execute_input" not in done.types
    # What is sent later is.
    assert client.run("return tostring(ran)").result == '"nil"'
