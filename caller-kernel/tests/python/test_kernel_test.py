"""All of jupyter_kernel_test, Jupyter's own suite for kernels, with the kernel as `install` puts it there."""

import os
import subprocess

import jupyter_kernel_test
import pytest

from peers import COMMAND

NAME = "caller-under-test"


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        # The history test counts cells, so it wants those of this run alone.
        subprocess.run([COMMAND, "install", "--name", NAME], check=True, stdout=subprocess.DEVNULL)
        yield


class TestKernel(jupyter_kernel_test.KernelTests):
    kernel_name = NAME
    language_name = "lua"
    file_extension = ".lua"
    code_hello_world = "print('hello, world')"
    code_stderr = "io.stderr:write('an error\\n')"
    completion_samples = [
        {"text": "string.for", "matches": {"format"}},
        {"text": "clear_o", "matches": {"clear_output"}},
        {"text": "print(math.ab", "matches": {"abs"}},
    ]
    complete_code_samples = ["x = 1", "return 1", "for i = 1, 3 do print(i) end", "%callers", "-- a comment"]
    incomplete_code_samples = ["for i = 1, 3 do", "x = [[text", "function f(a)", "print('a',"]
    invalid_code_samples = ["x = = 1", "end", "for for", "print('a"]
    code_generate_error = "error('broken')"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "return 1 + 1", "result": "2"},
        {"code": "'a' .. 'b'", "result": '"ab"'},
    ]
    code_display_data = [
        {"code": "display.html('<b>a</b>')", "mime": "text/html"},
        {"code": "display.png('iVBORw0KGgo=')", "mime": "image/png"},
        {"code": "display.markdown('*a*')", "mime": "text/markdown"},
    ]
    code_history_pattern = "6?*7*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "print"
    code_clear_output = "clear_output()"

    @pytest.mark.skip(reason="there is no pager: help is an answer to inspect_request, and the protocol is giving up payloads")
    def test_pager(self):
        pass


class TestIopubWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = NAME
    support_iopub_welcome = True
