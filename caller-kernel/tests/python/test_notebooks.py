"""Notebooks, executed by nbclient with the installed kernel, and by our command."""

import json
from itertools import groupby
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

TOUR = Path(__file__).parents[2] / "notebooks" / "tour.ipynb"


@pytest.fixture
def installed(command):
    assert command("install").returncode == 0


def outputs(notebook):
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def without_chance(notebook):
    """What every run shows alike: the kinds of outputs of each cell, and printed text that names no callers."""

    def texts(outputs):
        streams = "".join(output.text for output in outputs if output.output_type == "stream")
        lines = [] if "Protected" in streams else streams.splitlines()
        return [line for line in lines if "Caller" not in line]

    # Whether text comes in one piece is chance.
    kinds = [[kind for kind, _ in groupby(output.output_type for output in one)] for one in outputs(notebook)]
    return [(one, texts(cell)) for one, cell in zip(kinds, outputs(notebook))]


@pytest.fixture
def tour(tmp_path):
    path = tmp_path / "tour.ipynb"
    path.write_bytes(TOUR.read_bytes())
    return path


def test_nbclient_executes_the_tour(installed, tour):
    notebook = nbformat.read(tour, as_version=4)
    assert notebook.metadata.kernelspec.name == "caller"
    NotebookClient(notebook, timeout=30).execute()
    nbformat.validate(notebook)
    errors = [o for one in outputs(notebook) for o in one if o.output_type == "error"]
    raising = [c for c in notebook.cells if "raises-exception" in c.metadata.get("tags", [])]
    assert len(errors) == len(raising) == 1 and errors[0] in raising[0].outputs
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    text = json.dumps(outputs(notebook), ensure_ascii=False)
    for part in ("one name, one child:\\ttrue", "vega-lite", "21.5 °C", "cannot be halved"):
        assert part in text, part


def test_the_command_executes_the_tour_as_nbclient_does(installed, command, tour):
    done = command("run", tour)
    assert done.returncode == 0, done.stderr
    ours = nbformat.read(tour.with_suffix(".out.ipynb"), as_version=4)
    nbformat.validate(ours)
    theirs = nbformat.read(tour, as_version=4)
    NotebookClient(theirs, timeout=30).execute()
    assert without_chance(ours) == without_chance(theirs)
    # What changes a display of an earlier cell is heard by ours; nbclient listens to the cell that runs alone.
    assert "go</b>" in json.dumps(outputs(ours))
    assert tour.read_bytes() == TOUR.read_bytes(), "the notebook itself is left alone"


def lab_notebook():
    """A notebook as JupyterLab writes it: one space, keys in order, sources as lines, attachments, a newline at the end."""
    cells = [
        {"cell_type": "markdown", "id": "a1b2c3d4", "metadata": {"editable": True, "slideshow": {"slide_type": ""}, "tags": []},
         "source": ["# Títle\n", "![a](attachment:a.png)"], "attachments": {"a.png": {"image/png": "iVBORw0KGgo="}}},
        {"cell_type": "code", "execution_count": 7, "id": "b1b2c3d4", "metadata": {"collapsed": True, "scrolled": True},
         "outputs": [{"name": "stdout", "output_type": "stream", "text": ["old\n"]}], "source": ["print('nëw')\n", "6 * 7"]},
        {"cell_type": "raw", "id": "c1b2c3d4", "metadata": {"raw_mimetype": "text/x-python"}, "source": []},
        {"cell_type": "code", "execution_count": None, "id": "d1b2c3d4",
         "metadata": {"execution": {"iopub.execute_input": "2024-01-01T00:00:00.000000Z"}, "jupyter": {"source_hidden": True}},
         "outputs": [], "source": ["display.html('<b>a</b>\\n<i>b</i>')"]},
        {"cell_type": "code", "execution_count": None, "id": "e1b2c3d4", "metadata": {"tags": ["skip-execution"]}, "outputs": [], "source": ["error('skip')"]},
        {"cell_type": "code", "execution_count": None, "id": "f1b2c3d4", "metadata": {}, "outputs": [], "source": []},
    ]
    metadata = {
        "kernelspec": {"display_name": "Lua (caller)", "language": "lua", "name": "caller"},
        "language_info": {"name": "lua", "version": "5.4"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2, "version_minor": 0}},
    }
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_the_command_runs_what_jupyterlab_writes(command, tmp_path):
    path = tmp_path / "lab.ipynb"
    path.write_text(lab_notebook(), encoding="utf-8")
    done = command("run", path, "--in-place")
    assert done.returncode == 0, done.stderr
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    before = nbformat.reads(lab_notebook(), as_version=4)
    assert [dict(c, outputs=0, execution_count=0, metadata=0) for c in notebook.cells] == [dict(c, outputs=0, execution_count=0, metadata=0) for c in before.cells]
    assert notebook.metadata.widgets == before.metadata.widgets
    assert notebook.cells[1].metadata == before.cells[1].metadata
    said, shown, skipped, empty = outputs(notebook)
    assert said[0] == {"output_type": "stream", "name": "stdout", "text": "nëw\n"}
    assert said[1].data == {"text/plain": "42"} and said[1].execution_count == notebook.cells[1].execution_count
    assert shown[0].data["text/html"] == "<b>a</b>\n<i>b</i>"
    assert skipped == empty == []
    # JupyterLab would write it the same, so versions can be compared.
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert nbformat.writes(notebook) + "\n" == text


def failing(tmp_path):
    path = tmp_path / "failing.ipynb"
    cells = [nbformat.v4.new_code_cell(code) for code in ("a = 1", "error('broken')", "return a")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_failing_cell_is_in_the_file_and_in_the_exit_code(command, tmp_path, keep_going):
    path, out = failing(tmp_path), tmp_path / "done.ipynb"
    done = command("run", path, "--output", out, *(["--keep-going"] if keep_going else []))
    assert done.returncode == 1 and "broken" in done.stderr
    notebook = nbformat.read(out, as_version=4)
    nbformat.validate(notebook)
    _, error, after = outputs(notebook)
    assert error[0].output_type == "error" and "broken" in error[0].evalue
    assert bool(after) == keep_going


def test_a_cell_has_its_time(command, tmp_path):
    path = tmp_path / "slow.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("while true do end")]), path)
    done = command("run", path, "--timeout", "0.2")
    assert done.returncode == 1
    notebook = nbformat.read(path.with_suffix(".out.ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].outputs[0].ename == "TimeoutError"


def test_nbclient_stops_at_an_error(installed, tmp_path):
    notebook = nbformat.read(failing(tmp_path), as_version=4)
    notebook.metadata.kernelspec = {"name": "caller", "display_name": "Lua", "language": "lua"}
    with pytest.raises(CellExecutionError, match="broken"):
        NotebookClient(notebook, timeout=30).execute()
    assert notebook.cells[1].outputs[0].output_type == "error"


def test_nbclient_interrupts_a_cell_that_takes_too_long(installed):
    cells = [nbformat.v4.new_code_cell(code) for code in ("a = 1 while true do end", "return a")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "caller", "display_name": "Lua", "language": "lua"}
    NotebookClient(notebook, timeout=1, interrupt_on_timeout=True, allow_errors=True).execute()
    first, second = outputs(notebook)
    assert first[0].ename == "Interrupted" and second[0].data["text/plain"] == "1"


def test_what_a_cell_shows_never_spoils_the_notebook(installed):
    """nbclient stops at the first output that the format does not know, such as a number as text."""
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "caller", "display_name": "Lua"}})
    shown = ["display({['text/plain'] = 5})", "display.html({1, 2})", "display.png(5)", "display.json({1, x = 2})"]
    notebook.cells = [nbformat.v4.new_code_cell(code) for code in [*shown, "return 'reached'"]]
    NotebookClient(notebook, timeout=30, allow_errors=True).execute()
    nbformat.validate(notebook)
    kinds = [[output.output_type for output in one] for one in outputs(notebook)]
    assert kinds == [["display_data"], ["error"], ["display_data"], ["error"], ["execute_result"]]
