"""A failing cell and those behind it, as two front ends send them."""

import pytest


@pytest.mark.parametrize("stops", [True, False])
def test_the_pair(client, stops):
    cells = client.together(*((code, {"stop_on_error": stops}) for code in ("error('no')", "a = 1", "b = 1")))
    statuses = [client.done(cell).status for cell in cells]
    assert statuses == ["error"] + ["aborted" if stops else "ok"] * 2
    # It is over with the first cell that is sent by one who has seen it.
    assert client.run("return tostring(a) .. tostring(b)").result == ('"nilnil"' if stops else '"11"')


def test_what_was_aborted_is_told_as_the_protocol_has_it(client):
    before = client.run("1").content["execution_count"]
    failing, aborted = client.together("error('no')", "2")
    # There were two more to keep it waiting.
    assert client.done(failing).content["execution_count"] == before + 3
    done = client.done(aborted)
    assert done.types == ["status", "status"] and done.content["status"] == "aborted"
    assert client.run("3").content["execution_count"] == before + 4


def test_questions_are_answered_all_the_same(client):
    failing = client.cell("error('no')")
    question = client.send("complete_request", {"code": "pri", "cursor_pos": 3})
    info = client.send("kernel_info_request", {})
    assert client.reply(failing)["content"]["status"] == "error"
    assert client.reply(question)["content"]["status"] == client.reply(info)["content"]["status"] == "ok"


def test_the_failure_of_a_silent_cell_counts_too(client):
    failing, behind = client.together(("error('no')", {"silent": True}), "1")
    assert client.done(failing).status == "error"
    assert client.done(behind).status == "aborted"


def test_a_syntax_error_counts_too(client):
    failing, behind = client.together("x = = 1", "1")
    assert (client.done(failing).status, client.done(behind).status) == ("error", "aborted")


def test_a_task_is_not_concerned(client):
    waiting = client.cell("print('on') while not go do sleep(0.001) end error('no')")
    client.printed(waiting)
    behind = client.cell("1")
    task = client.cell("-- task\ngo = true")
    assert [client.done(cell).status for cell in (task, waiting, behind)] == ["ok", "error", "aborted"]


def test_cells_of_others_that_wait_are_aborted_too_or_run(kernel):
    """What another client has sent meanwhile is either; what it sends later is run."""
    one, other = kernel.client(), kernel.client()
    failing = one.cell("sleep(0.05) error('no')")
    behind = other.cell("1")
    assert one.done(failing).status == "error"
    assert other.done(behind).status in ("ok", "aborted")
    assert other.run("2").status == "ok"
