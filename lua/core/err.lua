--- Failures that a user is told about: what is wrong, with what, and the next step. Pure.
--
-- A string raised by `error` means a bug and ends with a traceback; an object raised here is a sentence for the user.
-- Codes are errno names ("ENOENT") or our own in the same style; callers compare codes, never sentences.

local M = {}

---@class holos.Error
---@field message string     one sentence, naming the object and the value seen
---@field code string?       "ENOENT", "ETIMEDOUT", …
---@field hint string?       the next command or step; may have several lines
---@field exit integer       status of the process when nobody catches it (DESIGN §10)
---@field findings table[]?  each {file, line, column, path, message, hint}
---@field traceback string?  only for bugs
---@field where string?      the stack where it was raised, for --debug
---@field quiet boolean?     there is nothing to say, as with a reader that went away

local Error = { __name = "holos.Error" }
Error.__index = Error

function Error:__tostring()
  return self.message
end

--- An error object that is not raised yet.
---@param fields string|table  a message, or the fields of holos.Error; further fields are kept
---@return holos.Error
function M.new(fields)
  local object = {}
  for name, value in pairs(type(fields) == "table" and fields or { message = tostring(fields) }) do
    object[name] = value
  end
  object.message = object.message or object.code or "failed"
  object.exit = object.exit or 1
  return setmetatable(object, Error)
end

--- Raises an error object; `fields` as for `new`. An object made by `new` is raised as it is.
function M.raise(fields)
  error(M.is(fields) and fields or M.new(fields), 0)
end

--- Gives back the results of a primitive, or raises its failure as "context: message".
--
-- `local text = err.check("project record", world.fs.read(path))`
---@param context string?  what was being done, or with what; nil adds nothing
---@param value any        nil means failure; `false` is a result
---@param message string?
---@param code string?
function M.check(context, value, message, code, ...)
  if value ~= nil then return value, message, code, ... end
  local text = tostring(message or "failed without a reason")
  M.raise { message = context and context .. ": " .. text or text, code = code }
end

--- Whether `value` is an error object, and of that code when one is named.
function M.is(value, code)
  return getmetatable(value) == Error and (code == nil or value.code == code)
end

--- Whether `value` is a failure that a caller may deal with: no bug and no cancellation, which are nobody's to swallow.
function M.is_failure(value)
  return M.is(value) and not value.traceback and value.code ~= "ECANCELED"
end

--- Raises all findings in the user's files at once; exit status 2.
---@param list table[]  each {file=, line=, column=, path=, message=, hint=}; only message is needed
---@param hint string?   about all of them
function M.findings(list, hint)
  local count = #list
  M.raise {
    message = count == 1 and "1 error" or ("%d errors"):format(count),
    code = "EINVAL", exit = 2, findings = list, hint = hint,
  }
end

--- One finding as the user sees it: "holos.yaml:14:5: services.web.ports[2]: host port 99999 is above 65535".
function M.render_finding(finding)
  local place = {}
  if finding.file then
    place[1] = finding.file
    place[#place + 1] = finding.line and tostring(finding.line)
    place[#place + 1] = finding.line and finding.column and tostring(finding.column)
  end
  local parts = {}
  if #place > 0 then parts[1] = table.concat(place, ":") end
  if finding.path and finding.path ~= "" then parts[#parts + 1] = finding.path end
  parts[#parts + 1] = finding.message
  return table.concat(parts, ": ")
end

--- Message handler for xpcall: objects pass, and keep in `where` the stack as it stood, for --debug; anything else is a
--- bug and becomes an object with its traceback.
function M.trace(value)
  if M.is(value) and not value.where and value.code ~= "ECANCELED" then value.where = debug.traceback(nil, 2) end
  if type(value) == "table" then return value end
  local message = type(value) == "string" and value or ("error value is a %s"):format(type(value))
  return M.new { message = message, traceback = debug.traceback(message, 2), exit = 70 }
end

return M
