-- The part of the shell that is written in Lua. It is given a table of parts that are written in Rust, and whether the
-- state is a sandbox.
local parts, sandbox = ...

local error, select, setmetatable = error, select, setmetatable
local tonumber, tostring, type = tonumber, tostring, type
local concat, protected = table.concat, pcall

-- What catches errors: none of it keeps the one that the hook raises in code that is to end.
local stopped = parts.stopped
local function caught(ok, ...)
  if not ok and stopped() then
    error((...), 0)
  end
  return ok, ...
end
do
  local pcall, xpcall = pcall, xpcall
  function _G.pcall(...)
    return caught(pcall(...))
  end
  function _G.xpcall(f, handler, ...)
    return caught(xpcall(f, function(e)
      -- It is called before what the hook stops has ended, and so unseen by the hook: one that loops would not end.
      if stopped() then
        return e
      end
      return handler(e)
    end, ...))
  end
end

-- Compiled code that was tampered with can do anything, so only text is loaded.
do
  local load, loadfile = load, loadfile
  function _G.load(chunk, name, mode, ...)
    if select("#", ...) > 0 then
      return caught(load(chunk, name, "t", (...)))
    end
    return caught(load(chunk, name, "t"))
  end
  if not sandbox then
    local function text(path, ...)
      if path == nil then
        error("give the name of a file; the input of the program is not the cell's", 3)
      end
      return loadfile(path, "t", ...)
    end
    function _G.loadfile(path, mode, ...)
      return text(path, ...)
    end
    function _G.dofile(path)
      local f, message = text(path)
      if not f then
        error(message, 0)
      end
      return f()
    end
    local package = package
    local searchpath = package.searchpath
    package.searchers[2] = function(name)
      local path, tried = searchpath(name, package.path)
      if not path then
        return tried
      end
      local f, message = loadfile(path, "t")
      if not f then
        error(("error loading module '%s' from file '%s':\n\t%s"):format(name, path, message), 0)
      end
      return f, path
    end
  end
end

-- A coroutine of the user's that waits, or that the hook suspends for others to have a turn, gives that outwards,
-- coroutine by coroutine, to the one of the cell; what comes back goes inwards. Then the marker of mlua is yielded, or
-- nothing at all: so what the user yields is never nothing.
do
  local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
  local close, isyieldable, status = coroutine.close, coroutine.isyieldable, coroutine.status
  local waiting, nothing = parts.waiting, {}
  -- Those whose call has been left in the midst of them.
  local away = setmetatable({}, { __mode = "k" })
  local Left = {
    __close = function(left)
      away[left.co] = nil
    end,
  }

  local function leave(co, ...)
    if select("#", ...) == 0 and not isyieldable() then
      -- Within a function of C it goes on.
      return
    end
    away[co] = true
    -- Also when the call does not come back.
    local left <close> = setmetatable({ co = co }, Left)
    return yield(...)
  end

  local function pass(co, ok, ...)
    if ok then
      local first = ...
      if first == nothing then
        return ok
      end
      if first == waiting or (select("#", ...) == 0 and status(co) == "suspended") then
        return pass(co, resume(co, leave(co, ...)))
      end
    end
    return caught(ok, ...)
  end

  local function enter(co, ...)
    if away[co] then
      return false, "cannot resume a coroutine that waits in another call"
    end
    return pass(co, resume(co, ...))
  end
  coroutine.resume = enter

  function coroutine.yield(...)
    if select("#", ...) == 0 then
      return yield(nothing)
    end
    return yield(...)
  end

  function coroutine.status(co)
    return away[co] and "normal" or status(co)
  end

  function coroutine.close(co)
    if away[co] then
      error("cannot close a coroutine that waits in another call", 2)
    end
    return caught(close(co))
  end

  local function unwrap(co, ok, ...)
    if ok then
      return ...
    end
    if status(co) == "dead" then
      close(co)
    end
    error((...), 0)
  end

  function coroutine.wrap(f)
    local co = create(f)
    return function(...)
      return unwrap(co, enter(co, ...))
    end
  end
end

-- Printing.
local out, err = parts.out, parts.err

local function line(separator, finish, ...)
  local n = select("#", ...)
  if n == 1 then
    return tostring((...)) .. finish
  end
  local texts = { ... }
  for i = 1, n do
    texts[i] = tostring(texts[i])
  end
  return concat(texts, separator, 1, n) .. finish
end

function print(...)
  out(line("\t", "\n", ...))
end

-- Makes a function whose errors name the place of the user's that called it, where they name one in here.
local function outward(f)
  local function told(ok, e, ...)
    if ok then
      return ok, e, ...
    elseif type(e) ~= "string" then
      return ok, e, true
    end
    local text, ours = e:gsub("^%[caller%]:%d+: ", "")
    return ok, text, ours == 0
  end
  return parts.guard(function(...)
    return told(protected(f, ...))
  end)
end

local Stream = { __name = "stream", __silent = true }

local function stream(write)
  local file = {}
  file.write = outward(function(self, ...)
    for i = 1, select("#", ...) do
      local part = select(i, ...)
      if type(part) ~= "string" and type(part) ~= "number" then
        error(("bad argument #%d to 'write' (string expected, got %s)"):format(i, type(part)))
      end
    end
    write(line("", "", ...))
    return self
  end)
  function file:flush()
    return self
  end
  function file:setvbuf()
    return true
  end
  function file:close()
    return nil, "the streams of a cell stay open"
  end
  return setmetatable(file, Stream)
end

local stdout, stderr = stream(out), stream(err)

-- Reading: what a cell reads is asked for, line by line.
local stdin = setmetatable({}, Stream)
do
  local ask, entered = input, ""

  -- Ends in a line's end, unless it is empty.
  local function more()
    local line = ask("")
    entered = entered .. line .. "\n"
    return line
  end

  local function take(n)
    local text = entered:sub(1, n)
    entered = entered:sub(n + 1)
    return text
  end

  local function take_line()
    if entered == "" then
      more()
    end
    return take((entered:find("\n", 1, true)))
  end

  local readers = { L = take_line }
  function readers.l()
    return take_line():sub(1, -2)
  end
  -- There is no end of the input; an empty line stands for it.
  function readers.a()
    local rest = take(#entered)
    repeat
      local line = more()
      rest = rest .. (line == "" and "" or take(#entered))
    until line == ""
    entered = ""
    return rest
  end
  function readers.n()
    while not entered:find("%S") do
      more()
    end
    take(entered:find("%S") - 1)
    local at = 1
    local function accept(pattern)
      local found = entered:match("^" .. pattern, at) or ""
      at = at + #found
      return found ~= ""
    end
    accept("[-+]")
    local digits, exponent = "%d*", "[eE][-+]?"
    if accept("0[xX]") then
      digits, exponent = "%x*", "[pP][-+]?"
    end
    accept(digits)
    accept("%.")
    accept(digits)
    if accept(exponent) then
      accept("%d*")
    end
    return tonumber(take(at - 1))
  end

  local function read(format)
    if type(format) == "number" then
      while #entered < format do
        more()
      end
      return take(format)
    end
    local reader = type(format) == "string" and readers[format:match("^%*?(.)")]
    if not reader then
      error("invalid format: read \"n\", \"l\", \"L\", \"a\" or a number of bytes")
    end
    return reader()
  end

  local function read_all(first, ...)
    local given = read(first)
    if given == nil or select("#", ...) == 0 then
      return given
    end
    return given, read_all(...)
  end

  stdin.read = outward(function(_, ...)
    if select("#", ...) == 0 then
      return readers.l()
    end
    return read_all(...)
  end)
  function stdin:lines(...)
    local formats = table.pack(...)
    return function()
      return self:read(table.unpack(formats, 1, formats.n))
    end
  end
  stdin.close = stdout.close
end

local streams = { [stdin] = true, [stdout] = true, [stderr] = true }
local files = sandbox and {} or io
local from, to = stdin, stdout
local function opener(open)
  return function(current, file)
    if file == nil or streams[file] then
      return file or current
    end
    if not open then
      error("a sandbox has no files; there are io.stdin, io.stdout and io.stderr")
    end
    return open(file)
  end
end
local open_input, open_output = opener(files.input), opener(files.output)
local open_lines, file_type = files.lines, files.type
files.stdin, files.stdout, files.stderr = stdin, stdout, stderr
files.input = outward(function(file)
  from = open_input(from, file)
  return from
end)
files.output = outward(function(file)
  to = open_output(to, file)
  return to
end)
files.read = outward(function(...)
  return from:read(...)
end)
files.write = outward(function(...)
  return to:write(...)
end)
files.close = outward(function(file)
  return (file or to):close()
end)
files.lines = outward(function(path, ...)
  if path == nil then
    return from:lines(...)
  end
  if not open_lines then
    error("a sandbox has no files; read from io.stdin")
  end
  return open_lines(path, ...)
end)
function files.type(file)
  if streams[file] then
    return "file"
  end
  return file_type and file_type(file) or nil
end
function Stream.__tostring(file)
  return "stream (" .. (file == stdin and "stdin" or file == stdout and "stdout" or "stderr") .. ")"
end
io = files

-- What would end the program.
if os then
  function os.exit()
    error("os.exit would end the program that this shell is a part of; ask the front end to shut the kernel down", 2)
  end
end

-- Displays.
local show = parts.show
local Handle = {}
Handle.__index = Handle
Handle.__name = "display"
Handle.__silent = true
function Handle:update(value)
  show(value, self.id, true)
  return self
end

local helpers = {}
setmetatable(helpers, {
  __call = function(_, value, options)
    local id = show(value, options and options.id, false)
    if id then
      return setmetatable({ id = id }, Handle)
    end
  end,
})
local function helper(name, mime, convert)
  helpers[name] = function(value, options)
    if convert then
      value = convert(value)
    end
    return helpers({ [mime] = value, ["text/plain"] = "<" .. name .. ">" }, options)
  end
end
helper("html", "text/html")
helper("markdown", "text/markdown")
helper("latex", "text/latex")
helper("svg", "image/svg+xml")
helper("png", "image/png")
helper("jpeg", "image/jpeg")
helper("json", "application/json")
helper("vegalite", "application/vnd.vegalite.v5+json", function(spec)
  if type(spec) ~= "table" then
    error("a plot is a table, as Vega-Lite describes it", 3)
  end
  if spec["$schema"] == nil then
    local copy = { ["$schema"] = "https://vega.github.io/schema/vega-lite/v5.json" }
    for key, value in pairs(spec) do
      copy[key] = value
    end
    return copy
  end
  return spec
end)
helpers.list = parts.list
function helpers.text(value, options)
  return helpers({ ["text/plain"] = tostring(value) }, options)
end
display = helpers

function update_display(value, id)
  if type(id) ~= "string" then
    error("update_display needs the id under which something was shown", 2)
  end
  show(value, id, true)
end

-- A progress bar that is redrawn in place.
local clock = parts.clock
local Progress = {}
Progress.__index = Progress
Progress.__name = "progress"
Progress.__silent = true

local function bar(self)
  local total, done = self.total, self.done
  local share = total > 0 and math.max(0, math.min(1, done / total)) or 1
  local width = 30
  local full = math.floor(share * width + 0.5)
  local label = self.label ~= "" and self.label .. " " or ""
  local count = ("%s/%s"):format(done, total)
  local plain = ("%s%s%s %3d%% %s"):format(label, ("█"):rep(full), ("░"):rep(width - full), math.floor(share * 100), count)
  local escaped = label:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" })
  local html = ('<div>%s<progress value="%s" max="%s"></progress> %s</div>'):format(escaped, done, total, count)
  return { ["text/plain"] = plain, ["text/html"] = html }
end

local function draw(self)
  self.drawn = clock()
  parts.ending[self] = nil
  show(bar(self), self.id, true)
end

function Progress:set(done)
  self.done = done
  -- Some twenty times a second is as much as anyone sees; what is left out is drawn at the end of the cell.
  if done >= self.total or clock() - self.drawn >= 0.05 then
    draw(self)
  else
    parts.ending[self] = draw
  end
  return self
end
function Progress:step(n)
  return self:set(self.done + (n or 1))
end
function Progress:close()
  draw(self)
end
Progress.__close = Progress.close

function progress(total, label)
  if type(total) ~= "number" then
    error("progress needs the number of steps", 2)
  end
  local self = setmetatable({ total = total, done = 0, label = label or "", drawn = clock() }, Progress)
  self.id = show(bar(self), true, false)
  return self
end

-- What completion and inspection say of all this.
local doc = parts.doc
doc(display, "display(value, options)", "Shows a value, or a table of data by MIME type. Options: `id`, a text or true for a new one, under which it can be changed: then a handle is returned, with `handle:update(value)`.")
for name, text in pairs({
  html = "Shows HTML.",
  markdown = "Shows Markdown.",
  latex = "Shows LaTeX.",
  svg = "Shows an SVG image, given as text.",
  png = "Shows a PNG image, given as its bytes or as base64 text.",
  jpeg = "Shows a JPEG image, given as its bytes or as base64 text.",
  json = "Shows a table as JSON.",
  vegalite = "Shows a plot, given as the table that Vega-Lite describes.",
  text = "Shows a value as plain text.",
}) do
  doc(display[name], "display." .. name .. "(value, options)", text .. " Options as those of `display`.")
end
doc(display.list, "display.list(table)", "Marks a table as a list for JSON, also when it is empty, and returns it.")
doc(update_display, "update_display(value, id)", "Changes what was shown under this id.")
doc(progress, "progress(total, label)", "Shows a progress bar, and returns it: `bar:step(n)`, `bar:set(done)`, `bar:close()`.")
doc(Progress.step, "progress:step(n)", "Goes on by `n` steps, or by one.")
doc(Progress.set, "progress:set(done)", "Says how many steps are done.")
doc(Progress.close, "progress:close()", "Draws it as it is.")
