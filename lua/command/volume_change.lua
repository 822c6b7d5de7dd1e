--- volumes rm and resize, told; what can never be undone is asked about. Effects: through use/volumes/change.
local ask = require "holos.command.ask"
local change = require "holos.use.volumes.change"
local err = require "holos.core.err"
local out = require "holos.command.out"
local units = require "holos.core.units"

local M = {}

function M.remove(context, names, talk)
  change.remove(context, names, talk)
  out.talk(("moved to the trash: %s (holos trash restore %s)"):format(table.concat(names, " "), context.name))
end

-- Asks a person who is there about what is refused otherwise.
local function resize(world, context, name, wanted, talk)
  local ok, done = pcall(change.resize, context, name, wanted, talk)
  if ok then return done end
  if not err.is(done, "EHUGE") or not ask.is_possible(world) then error(done, 0) end
  if ask.letter(world, done.message .. ". Is it meant? [y/N]", "nyn") ~= "y" then error(done, 0) end
  context.options.yes = true
  return change.resize(context, name, wanted, talk)
end

---@param wanted string  "20G", "+5G"
function M.resize(world, context, name, wanted, talk)
  local done = resize(world, context, name, wanted, talk)
  if done.from_bytes == done.to_bytes then
    out.talk(("%s: has %s already"):format(name, units.format_bytes(done.to_bytes)))
  else
    out.talk(("%s: %s → %s; %s"):format(name, units.format_bytes(done.from_bytes), units.format_bytes(done.to_bytes), done.holder
      and ("%s runs on (%s)"):format(done.holder, done.result) or "the file system in it follows at the next start"))
  end
  if done.where then out.talk(("%s says less: write size: %s there"):format(done.where, units.write_bytes(done.to_bytes))) end
end

return M
