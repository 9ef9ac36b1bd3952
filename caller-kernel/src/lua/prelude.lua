-- The part of the shell that is written in Lua. It is given a table of parts that are written in Rust, and whether the
-- state is a sandbox.
local parts, sandbox = ...

local error, select, setmetatable, tostring, type = error, select, setmetatable, tostring, type
local concat = table.concat

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

local function stream(write, name)
  local file = {}
  function file:write(...)
    for i = 1, select("#", ...) do
      local part = select(i, ...)
      if type(part) ~= "string" and type(part) ~= "number" then
        error(("bad argument #%d to 'write' (string expected, got %s)"):format(i, type(part)), 2)
      end
    end
    write(line("", "", ...))
    return self
  end
  function file:flush()
    return self
  end
  function file:setvbuf()
    return true
  end
  function file:close()
    return nil, "the streams of a cell stay open"
  end
  return setmetatable(file, {
    __name = "stream",
    __silent = true,
    __tostring = function()
      return "stream (" .. name .. ")"
    end,
  })
end

local stdout, stderr = stream(out, "stdout"), stream(err, "stderr")
local files = sandbox and {} or io
local open_output, file_type = files.output, files.type
local current = stdout
files.stdout, files.stderr = stdout, stderr
function files.write(...)
  return current:write(...)
end
function files.output(file)
  if file == stdout or file == stderr then
    current = file
  elseif file ~= nil then
    if not open_output then
      error("a sandbox has no files; write to io.stdout or io.stderr", 2)
    end
    current = open_output(file)
  end
  return current
end
function files.read()
  return input("")
end
function files.type(file)
  if file == stdout or file == stderr then
    return "file"
  end
  return file_type and file_type(file) or nil
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

local function redraw(self, always)
  local now = clock()
  -- Some twenty times a second is as much as anyone sees.
  if always or now - self.drawn >= 0.05 then
    self.drawn = now
    show(bar(self), self.id, true)
  end
end

function Progress:set(done)
  self.done = done
  redraw(self, done >= self.total)
  return self
end
function Progress:step(n)
  return self:set(self.done + (n or 1))
end
function Progress:close()
  redraw(self, true)
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
