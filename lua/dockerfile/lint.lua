--- Looks at a Dockerfile for what works and should not be so; `# check=skip=RULE,…;error=true` is obeyed. Pure.
local directives = require "holos.dockerfile.directives"
local parse = require "holos.dockerfile.parse"
local rules = require "holos.dockerfile.lint.rules"
local table_ = require "holos.core.table"
local text_ = require "holos.core.text"

local M = {}

--- The names of all rules, those that are found while a file is read and evaluated too.
function M.names()
  local names = {
    "CarriageReturn", "CopyIgnoredFile", "ExposeInvalidFormat", "ExposeProtoCasing", "JSONArgsInvalid", "MaintainerDeprecated",
    "MultipleInstructionsDisallowed", "NoEmptyContinuation", "NoMeaning", "UnusedBuildArg", "WorkdirRelativePath",
  }
  for name in pairs(rules) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- What was found, by line, without what the file says is to be skipped.
---@param ast holos.dockerfile.Ast
---@param recipe holos.dockerfile.Recipe?  nil when the file makes none: what it says itself is looked at all the same
---@param more {rule: string, line: integer, message: string}[]?  what others found: CopyIgnoredFile is known to who sees files
---@return {rule: string, line: integer, message: string}[] warnings
---@return boolean is_error  the file wants them taken for errors
function M.lint(ast, recipe, more)
  local check, found = directives.check(ast.directives.check), {}
  local function add(rule, line, message)
    if check.skips_all or check.skip[rule] then return end
    found[#found + 1] = { rule = rule, line = line, message = text_.escape_terminal(message) }
  end
  for name, rule in table_.sorted_pairs(rules) do
    rule(ast, recipe, function(line, message) add(name, line, message) end)
  end
  for _, list in ipairs { recipe and recipe.warnings or ast.warnings, more or {} } do
    for _, item in ipairs(list) do add(item.rule, item.line, item.message) end
  end
  return parse.sort(found), check.is_error and #found > 0
end

return M
