"""Comms as ipywidgets uses them: a model on each side, messages with state and binary buffers both ways."""

import json

from ipywidgets import FloatSlider, Image

from peers import contents, fresh, of_type

SLIDER = """
local function widget(c, data)
  model = { comm = c, state = data.state }
  c:on_msg(function(data, message)
    if data.method == 'update' then
      for key, value in pairs(data.state) do model.state[key] = value end
      for n, path in ipairs(data.buffer_paths) do model.state[path[1]] = message.buffers[n] end
      c:send({ method = 'echo_update', state = data.state, buffer_paths = data.buffer_paths }, { buffers = message.buffers })
    elseif data.method == 'request_state' then
      c:send({ method = 'update', state = model.state, buffer_paths = {} })
    end
  end)
  c:on_close(function() closed = true end)
end
comm.register_target('jupyter.widget', widget)
"""
VERSION = {"version": "2.1.0"}


def test_a_widget_of_the_front_end(client):
    """The front end opens it: as when a page restores its widgets."""
    assert client.run(SLIDER).status == "ok"
    slider = FloatSlider(value=2.5, description="é")
    state = {key: value for key, value in slider.get_state().items() if not str(value).startswith("IPY_MODEL_")}
    # As JSON has it, and without those that Lua has no word for.
    state = json.loads(json.dumps({key: value for key, value in state.items() if value is not None}))
    comm_id = fresh()
    opened = {"comm_id": comm_id, "target_name": "jupyter.widget", "data": {"state": state, "buffer_paths": []}}
    assert contents(client.to_idle(client.send("comm_open", opened, metadata=VERSION)), "comm_close") == []
    assert client.ask("comm_info_request", {"target_name": "jupyter.widget"}).content["comms"].keys() == {comm_id}
    assert client.run("return model.state.description .. model.state.value").result == '"é2.5"'

    def tell(data, buffers=None):
        request = client.send("comm_msg", {"comm_id": comm_id, "data": data}, buffers=buffers)
        return of_type(client.to_idle(request), "comm_msg")

    (echo,) = tell({"method": "update", "state": {"value": 7.5}, "buffer_paths": []})
    assert echo["content"]["comm_id"] == comm_id and echo["content"]["data"]["state"] == {"value": 7.5}
    assert echo["content"]["data"]["method"] == "echo_update"
    assert client.run("return model.state.value").result == "7.5"
    (told,) = tell({"method": "request_state"})
    back = told["content"]["data"]["state"]
    assert back == state | {"value": 7.5}
    slider.set_state({key: back[key] for key in ("value", "description")})
    assert slider.value == 7.5

    # A picture travels as it is, zeros and all.
    picture = bytes(range(256)) * 4000
    assert Image(value=picture).get_state()["value"] == picture
    (echo,) = tell({"method": "update", "state": {}, "buffer_paths": [["value"]]}, [picture])
    assert [bytes(buffer) for buffer in echo["buffers"]] == [picture]
    assert client.run("return #model.state.value").result == str(len(picture))
    # Two, one of them empty, and as a view, as widgets send arrays.
    (echo,) = tell({"method": "update", "state": {}, "buffer_paths": [["a"], ["b"]]}, [b"", memoryview(b"two")])
    assert [bytes(buffer) for buffer in echo["buffers"]] == [b"", b"two"]

    client.to_idle(client.send("comm_close", {"comm_id": comm_id, "data": {}}))
    assert client.run("return closed").result == "true"
    assert client.ask("comm_info_request").content["comms"] == {}


def test_a_widget_of_a_cell(kernel):
    """A cell opens it, and all front ends hear of it."""
    client, other = kernel.client(), kernel.client()
    done = client.run("""
        c = comm.open('jupyter.widget', { state = { value = 1 }, buffer_paths = { { 'value' } } },
          { metadata = { version = '2.1.0' }, buffers = { 'b\\0ytes' } })
        c:on_msg(function(data, message)
          print('got ' .. data.state.value)
          heard = { data.state.value, message.buffers[1], message.metadata.version }
          c:send({ method = 'update', state = { value = data.state.value + 1 } })
        end)
        c:on_close(function(data) said = data.why end)
        display({ ['application/vnd.jupyter.widget-view+json'] = { model_id = c:id(), version_major = 2, version_minor = 0 }, ['text/plain'] = 'a slider' })""")
    assert done.status == "ok", done.content
    for heard in (done.heard, other.to_idle(done.request)):
        (opened,) = of_type(heard, "comm_open")
        assert opened["content"]["target_name"] == "jupyter.widget" and opened["metadata"] == VERSION
        assert opened["content"]["data"]["state"] == {"value": 1}
        assert [bytes(buffer) for buffer in opened["buffers"]] == [b"b\0ytes"]
    comm_id = opened["content"]["comm_id"]
    (shown,) = contents(done.heard, "display_data")
    assert shown["data"]["application/vnd.jupyter.widget-view+json"]["model_id"] == comm_id
    # Whoever turns it: the handler runs, and what it prints belongs to the message.
    message = {"comm_id": comm_id, "data": {"method": "update", "state": {"value": 41}}}
    request = other.send("comm_msg", message, metadata={"version": "x"}, buffers=[b"\0\1"])
    for one in (client, other):
        heard = one.to_idle(request)
        assert contents(heard, "stream") == [{"name": "stdout", "text": "got 41\n"}]
        assert contents(heard, "comm_msg")[0]["data"] == {"method": "update", "state": {"value": 42}}
    assert client.run("return heard[1] .. #heard[2] .. heard[3]").result == '"412x"'
    # A handler that fails says so, and the comm stays.
    failing = client.run("c:on_msg(function() error('clumsy') end)")
    assert failing.status == "ok"
    heard = client.to_idle(client.send("comm_msg", message))
    assert "clumsy" in "".join(c["text"] for c in contents(heard, "stream"))
    assert client.ask("comm_info_request").content["comms"] == {comm_id: {"target_name": "jupyter.widget"}}
    # The cell closes it.
    closed = client.run("c:close({ why = 'done' })")
    assert contents(closed.heard, "comm_close") == [{"comm_id": comm_id, "data": {"why": "done"}}]
    assert client.ask("comm_info_request").content["comms"] == {}


def test_comms_of_subshells(client):
    """Front ends send on comms by subshells: the message goes where the comm is."""
    client.run("comm.register_target('t', function(c) c:on_msg(function(d) c:send({ back = d.n, where = caller.name }) end) end)")
    client.to_idle(client.send("comm_open", {"comm_id": "c", "target_name": "t", "data": {}}))
    subshell = client.ask("create_subshell_request", channel="control").content["subshell_id"]
    heard = client.to_idle(client.send("comm_msg", {"comm_id": "c", "data": {"n": 3}}, subshell_id=subshell))
    assert contents(heard, "comm_msg") == [{"comm_id": "c", "data": {"back": 3, "where": "Shell"}}]
