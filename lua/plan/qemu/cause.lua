--- Why an option stands on QEMU's command line, as data beside it: `args --explain` has nothing else to go by. Pure.
local table_ = require "holos.core.table"

local M = {}

---@class holos.Cause
---@field kind "holos"|"key"|"network"|"script"
---@field keys string[]?  of "key": keys of the service, of "network": of the project; the first that is written counts
---@field number string?  instead of keys: what several keys can say
---@field why string?     what it is for; with keys: what holds when none of them is written

--- It is always there.
function M.holos(why) return { kind = "holos", why = why } end

--- A key of the service says so: "vm.vcpu", "ports[1]", or the first of several.
---@param keys string|string[]
---@param why string?  what holds without it
function M.key(keys, why) return { kind = "key", keys = type(keys) == "string" and { keys } or keys, why = why } end

--- A key of the project's network says so.
---@param keys string[]
function M.network(keys, why) return { kind = "network", keys = keys, why = why } end

--- What users' scripts add has no cause of ours.
M.SCRIPT = { kind = "script", why = "a script added it" }

--- A number that several keys can say: "vcpu", "memory", "disk", as holos.compose.normalize.sizes has them.
---@param why string  what holds without any of them
function M.number(name, why) return { kind = "key", number = name, why = why } end

--- Keys of list items: keys("volumes", {1, 3}).
function M.items(name, positions)
  return table_.map(positions, function(position) return M.key(("%s[%d]"):format(name, position)) end)
end

return M
