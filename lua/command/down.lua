--- holos down
local down = require "holos.use.down"
local err = require "holos.core.err"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local stopping = require "holos.command.stopping"
local table_ = require "holos.core.table"
local talk_ = require "holos.command.talk"
local trash = require "holos.use.trash"
local units = require "holos.core.units"

local M = {
  summary = "stop instances and move their root disks to the trash; volumes stay",
  arguments = { shared.SERVICES },
  options = {
    { "-v", "--volumes", help = "move the project's volumes to the trash too" },
    stopping.PURGE, stopping.TIMEOUT, stopping.NO_PRE_STOP, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

---@param cure string?  of a damaged one, its name to be put in
local function words_of(volumes, cure)
  return table_.map(table_.keys(volumes), function(name)
    local bytes = volumes[name].size_bytes
    return ("volume %s (%s)"):format(name, bytes and units.format_bytes(bytes) or "damaged" .. (cure or ""):format(name))
  end)
end

--- What is gone: volumes, which is always said.
function M.taken(context, result)
  local words = words_of(result.taken)
  if #words == 0 then return nil end
  if context.options.purge then return "deleted: " .. table.concat(words, " · ") end
  return ("in the trash for %d days: %s"):format(trash.KEEP_DAYS, table.concat(words, " · "))
end

--- What is left: volumes, and disks in the trash.
function M.kept(context, result)
  local words = words_of(result.kept, ": holos volumes rm %s")
  if not context.options.purge and next(result.chosen) then
    words[#words + 1] = ("root disks for %d days (holos trash restore %s)"):format(trash.KEEP_DAYS, context.name)
  end
  return #words > 0 and "kept: " .. table.concat(words, " · ") or nil
end

-- nil where the project of the file in reach was not made, or is gone already.
local function recorded(world, options, verb)
  local ok, context = pcall(shared.recorded, world, options, verb)
  if ok then return context end
  if not err.is(context) or not context.is_of_file then error(context, 0) end
end

--- Takes down what is named, as the command `verb`.
function M.carry_out(world, options, verb)
  local context <close> = recorded(world, options, verb)
  if not context then
    out.talk "nothing to take down"
    return 0
  end
  local talk <close> = talk_.new(world, verb, context)
  local result = down.down(context, context.words, talk, "project." .. verb)
  talk:close()
  for _, line in ipairs { M.taken(context, result) or false, M.kept(context, result) or false } do
    if line then out.talk(line) end
  end
  return 0
end

function M.run(world, options) return M.carry_out(world, options, "down") end

return M
