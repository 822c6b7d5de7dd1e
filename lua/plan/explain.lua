--- Which line of a user's file each option of QEMU is there for. Pure: the causes stand beside the options.
local sizes = require "holos.compose.normalize.sizes"
local table_ = require "holos.core.table"

local M = {}

---@class holos.Reason
---@field from "file"|"default"|"holos"|"script"|"record"
---@field where string?  "holos.yaml:7:3"
---@field key string?    "services.web.vm.vcpu"
---@field why string?

---@class holos.Explained
---@field service table?  of the project; nil when no file is in reach
---@field name string     of the service
---@field place (fun(path: string): string?, string?)?  where a value is written, and its path there; nil when it is not

-- What can also be said by other keys than the one that a cause names.
local function keys_of(cause, explained)
  if cause.number == "memory" then
    return table_.extend(M.places "memory", M.places "reservation")
  end
  if cause.number then return M.places(cause.number) end
  local cdroms = explained.service and explained.service.cdroms
  local position = cdroms and cdroms[1] and cdroms[1].is_iso and cause.keys[1]:match("^cdrom%[(%d+)%]$")
  if not position then return cause.keys end
  return { position == "1" and "iso" or ("cdrom[%d]"):format(math.tointeger(position) - 1) }
end

--- The keys that can say a number, the one that wins first.
---@param number string  a key of holos.compose.normalize.sizes.places
---@return string[]
function M.places(number)
  return table_.map(sizes.places[number], function(place) return table.concat(place, ".") end)
end

--- One cause, looked up in the file.
---@param cause holos.Cause
---@param explained holos.Explained
---@return holos.Reason
function M.reason(cause, explained)
  if cause.kind == "holos" or cause.kind == "script" then return { from = cause.kind, why = cause.why } end
  local prefix = cause.kind == "key" and ("services.%s."):format(explained.name) or ""
  local keys = keys_of(cause, explained)
  if not explained.place then return { from = "record", key = prefix .. keys[1], why = cause.why } end
  for _, key in ipairs(keys) do
    local where, written = explained.place(prefix .. key)
    if where then return { from = "file", where = where, key = written } end
  end
  return cause.why and { from = "default", key = prefix .. keys[1], why = cause.why } or nil
end

--- The options of a command with their reasons. A cause that is not in the file, and is no default, is none.
---@param options {words: string[], causes: holos.Cause[]}[]  of plan/qemu
---@param explained holos.Explained
---@return {words: string[], reasons: holos.Reason[]}[]
function M.options(options, explained)
  return table_.map(options, function(option)
    local reasons = table_.list {}
    for _, cause in ipairs(option.causes) do reasons[#reasons + 1] = M.reason(cause, explained) end
    return { words = table_.list(option.words), reasons = reasons }
  end)
end

--- "holos.yaml:7:3  services.web.vm.vcpu", "default: one, unless the file asks for more (services.web.vm.vcpu)"
---@param reason holos.Reason
function M.line(reason)
  if reason.from == "file" then return ("%s  %s"):format(reason.where, reason.key) end
  if reason.from == "record" then return "record  " .. reason.key end
  local words = ("%s  %s"):format(reason.from, reason.why)
  return reason.key and ("%s  (%s)"):format(words, reason.key) or words
end

return M
