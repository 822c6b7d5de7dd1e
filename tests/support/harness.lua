--- Loads test files, runs their tests one by one, counts, and looks for what each left behind.

local err = require "holos.core.err"
local check = require "tests.support.check"
local files = require "tests.support.files"
local leaks = require "tests.support.leaks"

local M = {}

local DEFAULT_SUITES = { "pure", "golden", "sys", "life" }
local TEST_TIMEOUT_MS = 120000       -- a test that needs longer says so: test(name, fn, { timeout_ms = … })

local totals = { passed = 0, failed = 0, skipped = 0 }
local registered                     -- tests of the file that is being loaded

local function say(...)
  io.stdout:write(...)
  io.stdout:write("\n")
  io.stdout:flush()
end

local function indent(text)
  return "    " .. text:gsub("\n", "\n    ")
end

local function define_globals()
  _G.test = function(name, fn, options)
    registered[#registered + 1] = { name = name, fn = fn, timeout_ms = (options or {}).timeout_ms or TEST_TIMEOUT_MS }
  end
  _G.equal, _G.ok, _G.raises, _G.skip, _G.golden = check.equal, check.ok, check.raises, check.skip, check.golden
  _G.failure, _G.says = check.failure, check.says
  _G.tmpdir = files.tmpdir
  _G.run_tool = function(...) return require("tests.support.tool").run(...) end
end

local function clock_s()
  local found, clock = pcall(require, "sys.clock")
  return found and clock.monotonic_ms() / 1000 or os.clock()
end

-- Tests with effects may wait, so each is the main task of its own scheduler, which reports tasks it leaves.
local function in_scheduler(item)
  local task = require "holos.core.task"
  local poller = require("holos.run.world").poller
  return function()
    return task.run(poller, function() return task.within(item.timeout_ms, item.fn) end)
  end
end

local function body_of(item, file)
  if file:find("pure/", 1, true) or not package.preload["sys.poll"] then return item.fn end
  return in_scheduler(item)
end

-- nil when the test passed; else what was raised, an error object with its traceback when it was no skip.
local function outcome_of(item, file)
  local before = leaks.picture()
  local fine, problem = xpcall(body_of(item, file), err.trace)
  local left = leaks.left_behind(before, leaks.picture())
  files.remove_directories()
  if #left > 0 then collectgarbage() end
  if not fine then return problem end
  return #left > 0 and err.new(table.concat(left, "\n")) or nil
end

-- Lines of a traceback that say nothing about the test.
local NOISE = { "core/task", "tests/support/", "tests/run%.lua", "%(%.%.%.tail calls", "%[C%]: in", "stack traceback:",
  "lua/command/lua%.lua", "lua/main%.lua" }

local function is_noise(line)
  for _, pattern in ipairs(NOISE) do
    if line:find(pattern) then return true end
  end
  return false
end

local function without_noise(traceback)
  local lines = {}
  for line in traceback:gmatch("[^\n]+") do
    if #lines == 0 or not is_noise(line) then lines[#lines + 1] = line end
  end
  return table.concat(lines, "\n")
end

local function text_of(problem)
  local traceback = type(problem) == "table" and problem.traceback
  return traceback and without_noise(traceback) or tostring(problem)
end

local function report(file, name, problem)
  if getmetatable(problem) == check.SKIP then
    totals.skipped = totals.skipped + 1
    return say("skip    ", file, ": ", name, ": ", tostring(problem.reason))
  end
  totals.failed = totals.failed + 1
  say("not ok  ", file, ": ", name)
  for _, finding in ipairs(type(problem) == "table" and problem.findings or {}) do
    say(indent(err.render_finding(finding)))
  end
  say(indent(text_of(problem)))
  if err.is(problem) and problem.hint then say(indent(problem.hint)) end
end

local function matches(item, file, filter)
  return not filter or item.name:find(filter, 1, true) or file:find(filter, 1, true)
end

local function run_tests(file, filter)
  local passed = 0
  for _, item in ipairs(registered) do
    if matches(item, file, filter) then
      local problem = outcome_of(item, file)
      if problem == nil then passed = passed + 1 else report(file, item.name, problem) end
      if err.is(problem, "ECANCELED") and problem.signal then error(problem, 0) end
    end
  end
  totals.passed = totals.passed + passed
  return passed
end

local function run_file(file, filter)
  registered = {}
  local started = clock_s()
  local exports = leaks.exports()
  local chunk, problem = load(files.read(file) or error(file .. ": cannot be read", 0), "@" .. file, "t")
  local fine = chunk ~= nil
  if chunk then fine, problem = xpcall(chunk, err.trace) end
  if not fine then return report(file, "(loading)", problem) end
  for name, functions in pairs(leaks.exports()) do exports[name] = exports[name] or functions end -- what the file has loaded
  local passed = run_tests(file, filter)
  local changed = leaks.changed_exports(exports, leaks.exports())
  if #changed > 0 then report(file, "(all tests)", err.new(table.concat(changed, "\n"))) end
  if passed > 0 then say(("ok      %-44s %4d passed %8.2f s"):format(file, passed, clock_s() - started)) end
end

local function files_to_run(options)
  if #options.files > 0 then return options.files end
  local list = {}
  for _, suite in ipairs(#options.suites > 0 and options.suites or DEFAULT_SUITES) do
    for _, path in ipairs(files.below(options.directory .. "/" .. suite, "_test%.lua$")) do list[#list + 1] = path end
  end
  return list
end

--- Runs everything that `options` ask for; gives the exit status.
---@param options {files: string[], suites: string[], filter: string?, totals: string?, directory: string}
function M.main(options)
  files.directory = options.directory
  define_globals()
  local started = clock_s()
  for _, file in ipairs(files_to_run(options)) do run_file(file, options.filter) end
  say(("%.1f s"):format(clock_s() - started))
  local closing = ("%d passed, %d failed, %d skipped"):format(totals.passed, totals.failed, totals.skipped)
  say(closing)
  if options.totals then files.write(options.totals, closing .. "\n") end
  return totals.failed > 0 and 1 or 0
end

return M
