"""What all tests share. Every process is ended by the fixture that started it."""

import os
import subprocess

import pytest

from peers import COMMAND, TRANSPORTS, Kernel, Process, example

if "CALLER_KERNEL_EXAMPLES" in os.environ:
    os.environ.setdefault("SOCKETS", example("sockets"))


@pytest.fixture(scope="session", autouse=True)
def no_home_of_mine(tmp_path_factory):
    """Nothing is read from or written to the folders of the user."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "USERPROFILE"):
            patch.setenv(name, str(home))
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            (home / name).mkdir()
            patch.setenv(name, str(home / name))
        for name in ("JUPYTER_PATH", "XDG_DATA_HOME"):
            patch.delenv(name, raising=False)
        yield home


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder of Jupyter for one test."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def spawn():
    """Starts processes."""
    started = []

    def spawn(argv, **options):
        started.append(Process(argv, **options))
        return started[-1]

    yield spawn
    for process in started:
        process.end()


@pytest.fixture
def start(data, tmp_path):
    """Starts kernels, each with a folder of its own."""
    started = []

    def start(*settings, **options):
        folder = tmp_path / f"k{len(started)}"
        folder.mkdir()
        started.append(Kernel(folder, *settings, **options))
        return started[-1]

    yield start
    for kernel in started:
        kernel.end()


@pytest.fixture
def kernel(start):
    return start()


@pytest.fixture(params=TRANSPORTS)
def each_transport(request, start):
    """A kernel over tcp, and one over ipc."""
    return start(transport=request.param)


@pytest.fixture
def client(kernel):
    return kernel.client()


@pytest.fixture
def command(data, tmp_path):
    """Runs the command to its end."""

    def command(*words, **options):
        options = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 50} | options
        return subprocess.run([COMMAND, *map(str, words)], stdin=subprocess.DEVNULL, **options)

    return command
