--- Test vectors of other projects: data beside the repository, or where HOLOS_CONFORMANCE says. A suite whose vectors are
--- not there is one counted skip.

local check = require "tests.support.check"
local files = require "tests.support.files"
local found, json = pcall(require, "sys.json")

local M = {}

M.directory = files.environment "HOLOS_CONFORMANCE" or "../shared/conformance"

--- The text of a vector file; ends the suite as skipped when it is not there.
---@param path string  "dotenv/fixtures/plain.env"
function M.text(path)
  return files.read(M.directory .. "/" .. path) or check.skip("no conformance vectors in " .. M.directory)
end

--- The data of a vector file in JSON.
function M.json(path)
  if not found then check.skip "this Lua has no sys.json" end
  return assert(json.decode(M.text(path)))
end

return M
