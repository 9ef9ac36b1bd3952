"""The command: the rows CLI of the parity table, spelled as decision V13 has it, and as Jupyter sees what it does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_client.manager import start_new_kernel

from peers import COMMAND, EXE


def spec_of(done):
    assert done.returncode == 0, done.stderr
    return json.loads((Path(done.stdout.strip()) / "kernel.json").read_text())


def test_cli_01_help_and_version(command, data):
    for words in ([], ["--help"], ["help"]):
        done = command(*words)
        assert done.returncode == 0 and done.stderr == ""
        for word in ("Usage: caller-kernel", "install", "uninstall", "list", "start", "run", "--version"):
            assert word in done.stdout
    for flag in ("-V", "--version"):
        done = command(flag)
        name, version = done.stdout.split()
        assert (done.returncode, name, version.count(".")) == (0, "caller-kernel", 2)
    assert "--connection-file" in command("start", "--help").stdout
    every = command("--help-all")
    assert every.returncode == 0 and all(word in every.stdout for word in ("--connection-file", "--keep-going", "--prefix"))
    assert os.listdir(data) == []


def test_cli_02_install_with_a_prefix(command, tmp_path, monkeypatch):
    prefix = tmp_path / "env"
    done = command("install", "--prefix", prefix)
    folder = prefix / "share" / "jupyter" / "kernels" / "caller"
    assert Path(done.stdout.strip()) == folder
    spec = spec_of(done)
    assert Path(spec["argv"][0]).samefile(COMMAND) and "{connection_file}" in spec["argv"]
    assert (spec["display_name"], spec["language"], spec["interrupt_mode"]) == ("Lua (caller)", "lua", "message")
    assert spec["kernel_protocol_version"] == "5.5" and spec["metadata"]["debugger"] is False
    # Jupyter finds it there, and starts it.
    monkeypatch.setenv("JUPYTER_PATH", str(prefix / "share" / "jupyter"))
    assert KernelSpecManager().find_kernel_specs()["caller"] == str(folder)
    manager, client = start_new_kernel(kernel_name="caller")
    try:
        assert client.execute("return 1", reply=True, timeout=20)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    assert not manager.is_alive()


def test_cli_03_names_and_settings_are_as_given(command):
    words = ["--name", "Mine", "--display-name", "Ours, ünd (theirs)", "--set", "cell-timeout=2.5", "--set", "name=a b"]
    spec = spec_of(command("install", *words, "--", "--set", "sandbox=true"))
    assert spec["display_name"] == "Ours, ünd (theirs)"
    assert spec["argv"][4:] == ["--set", "cell-timeout=2.5", "--set", "name=a b", "--set", "sandbox=true"]
    assert "mine" in KernelSpecManager().find_kernel_specs()
    # What `start` would refuse is refused now.
    refused = command("install", "--name", "other", "--", "--colour", "red")
    assert refused.returncode == 2 and "--colour" in refused.stderr
    assert "other" not in KernelSpecManager().find_kernel_specs()


def test_cli_04_list_and_uninstall(command, data):
    none = command("list")
    assert none.returncode == 0 and "no kernels are installed" in none.stdout
    command("install", "--name", "one")
    command("install", "--name", "two", "--display-name", "Second")
    assert command("-l").stdout == command("list").stdout
    rows = [line.split("  ") for line in command("list").stdout.splitlines()]
    assert [(row[0], row[1].strip() or row[2].strip()) for row in rows] == [("one", "Lua (one)"), ("two", "Second")]
    removed = command("uninstall", "one")
    assert removed.returncode == 0 and not (data / "kernels" / "one").exists()
    with pytest.raises(NoSuchKernel):
        KernelSpecManager().get_kernel_spec("one")
    unknown = command("uninstall", "one")
    assert unknown.returncode == 1 and "`one`" in unknown.stderr and "two" in unknown.stderr
    # What others have put there is not ours to remove.
    (data / "kernels" / "theirs").mkdir()
    (data / "kernels" / "theirs" / "kernel.json").write_text('{"argv": ["x"], "display_name": "T", "language": "t"}')
    assert command("uninstall", "theirs").returncode == 1 and (data / "kernels" / "theirs").exists()
    assert command("install", "--name", "theirs").returncode == 1


def test_cli_05_names_and_folders(command, data, tmp_path, monkeypatch):
    for name in ("", "a b", "a/b", "..", ".hidden", "-x"):
        refused = command("install", f"--name={name}")
        assert refused.returncode == 2 and refused.stderr, name
    assert not (data / "kernels").exists()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for words, folder in [
        (["--user"], data / "kernels"),
        (["--prefix", tmp_path / "p"], tmp_path / "p" / "share" / "jupyter" / "kernels"),
        (["--prefix", "~/p"], tmp_path / "home" / "p" / "share" / "jupyter" / "kernels"),
        (["--folder", tmp_path / "f"], tmp_path / "f"),
        (["--folder", "~/f"], tmp_path / "home" / "f"),
    ]:
        assert Path(command("install", "--name", "k", *words).stdout.strip()) == folder / "k"
        assert (folder / "k" / "kernel.json").exists()
    assert command("install", "--user", "--prefix", tmp_path).returncode == 2


def test_cli_06_words_and_options(command, tmp_path):
    path = tmp_path / "kernel.json"
    for words in (["start"], ["start", f"-f={path}", "word"], ["word"], ["start", "-f", path, "--set", "nothing"]):
        done = command(*words)
        assert done.returncode == 2 and done.stderr, words
    # An unknown word is told with the nearest.
    assert "'install'" in command("instal").stderr
    assert "--set" in command("start", "-f", path, "--sett", "a=b").stderr
    # Each spelling of an option is the same.
    forms = [["--name=k"], ["--name", "k"]]
    sets = [["--set=history=none", "--set=sandbox=true"], ["--set", "history=none", "--set", "sandbox=true"]]
    specs = [spec_of(command("install", *name, *setting)) for name in forms for setting in sets]
    assert all(spec == specs[0] for spec in specs)
    assert specs[0]["argv"][4:] == ["--set", "history=none", "--set", "sandbox=true"]


def test_settings_hold_in_the_kernel_that_jupyter_starts(command):
    command("install", "--name", "k", "--set", "sandbox=true", "--set", "memory-limit=50000000")
    manager, client = start_new_kernel(kernel_name="k")
    try:
        reply = client.execute("assert(io.open == nil) t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end", reply=True, timeout=30)
        assert reply["content"]["ename"] == "MemoryError", reply["content"]
        assert client.execute("t = nil", reply=True, timeout=20)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
