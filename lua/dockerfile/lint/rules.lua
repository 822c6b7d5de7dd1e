--- What can be said of a Dockerfile that works: Docker's build checks, by their names. Pure.
--
-- Each rule gets the instructions and the recipe (nil when there is none), and calls `found(line, message)`.
local text_ = require "holos.core.text"

local M = {}

local function each(ast, name, visit)
  for _, node in ipairs(ast.instructions) do
    if node.name == name then visit(node) end
  end
end

local function case_of(word)
  if word == word:lower() then return "lowercase" end
  return word == word:upper() and "uppercase" or "mixed"
end

function M.ConsistentInstructionCasing(ast, _, found)
  local lower, upper = 0, 0
  for _, node in ipairs(ast.instructions) do
    local case = case_of(node.written)
    lower, upper = lower + (case == "lowercase" and 1 or 0), upper + (case == "uppercase" and 1 or 0)
  end
  local majority = lower > upper and "lowercase" or "uppercase"
  for _, node in ipairs(ast.instructions) do
    if case_of(node.written) ~= majority then
      found(node.line, ("Command '%s' should match the case of the command majority (%s)"):format(node.written, majority))
    end
  end
end

local function stage_name(node)
  return #node.words == 3 and node.words[2]:lower() == "as" and node.words[3] or nil
end

function M.StageNameCasing(ast, _, found)
  each(ast, "FROM", function(node)
    local name = stage_name(node)
    if name and name ~= name:lower() then found(node.line, ("Stage name '%s' should be lowercase"):format(name)) end
  end)
end

function M.FromAsCasing(ast, _, found)
  each(ast, "FROM", function(node)
    local as = stage_name(node) and node.words[2]
    if as and case_of(as) ~= case_of(node.written) then
      found(node.line, ("'%s' and '%s' keywords' casing do not match"):format(as, node.written))
    end
  end)
end

function M.DuplicateStageName(ast, _, found)
  local seen = {}
  each(ast, "FROM", function(node)
    local name = (stage_name(node) or ""):lower()
    if seen[name] then found(node.line, ("Duplicate stage name %q, stage names should be unique"):format(name)) end
    seen[name] = name ~= "" or nil
  end)
end

local RESERVED = { context = true, scratch = true }

function M.ReservedStageName(ast, _, found)
  each(ast, "FROM", function(node)
    local name = (stage_name(node) or ""):lower()
    if RESERVED[name] then found(node.line, ("Stage name should not use the same name as reserved stage %q"):format(name)) end
  end)
end

function M.JSONArgsRecommended(ast, _, found)
  local has_shell = false
  for _, node in ipairs(ast.instructions) do
    if node.name == "FROM" or node.name == "SHELL" then has_shell = node.name == "SHELL" end
    local is_command = node.name == "CMD" or node.name == "ENTRYPOINT"
    if is_command and not node.is_json and not has_shell then
      found(node.line, ("JSON arguments recommended for %s to prevent unintended behavior related to OS signals"):format(node.name))
    end
  end
end

function M.LegacyKeyValueFormat(ast, _, found)
  for _, node in ipairs(ast.instructions) do
    if node.pairs and node.pairs[1] and node.pairs[1].is_legacy then
      found(node.line, ('"%s key=value" should be used instead of legacy "%s key value" format'):format(node.name, node.name))
    end
  end
end

local SECRETS = {
  apikey = true, auth = true, credential = true, credentials = true, key = true, password = true, pword = true, passwd = true,
  secret = true, token = true,
}

local function is_secret(name)
  local is_one = false
  for part in name:lower():gmatch("[^_]+") do
    if part == "public" then return false end
    is_one = is_one or SECRETS[part] == true
  end
  return is_one
end

function M.SecretsUsedInArgOrEnv(ast, _, found)
  local function check(node, name)
    if is_secret(name) then
      found(node.line, ("Do not use ARG or ENV instructions for sensitive data (%s %q)"):format(node.name, name))
    end
  end
  each(ast, "ARG", function(node)
    for _, word in ipairs(node.words) do check(node, word:match("^[^=]*")) end
  end)
  each(ast, "ENV", function(node)
    for _, pair in ipairs(node.pairs) do check(node, pair.name) end
  end)
end

local function platform_of(node)
  for _, flag in ipairs(node.flags) do
    local value = flag:match("^%-%-platform=(.*)$")
    if value then return value end
  end
end

function M.RedundantTargetPlatform(ast, _, found)
  each(ast, "FROM", function(node)
    local platform = platform_of(node)
    if platform == "$TARGETPLATFORM" or platform == "${TARGETPLATFORM}" then
      found(node.line,
        ("Setting platform to predefined %s in FROM is redundant as this is the default behavior"):format(platform))
    end
  end)
end

function M.FromPlatformFlagConstDisallowed(ast, _, found)
  each(ast, "FROM", function(node)
    local platform = platform_of(node)
    if platform and not platform:find("$", 1, true) then
      found(node.line, ('FROM --platform flag should not use constant value "%s"'):format(platform))
    end
  end)
end

local function undefined(recipe, is_from, say)
  local names, seen = { "PATH" }, {}
  for _, pair in ipairs(recipe and recipe.env or {}) do names[#names + 1] = pair.name end
  for _, name in ipairs(recipe and recipe.arguments or {}) do names[#names + 1] = name end
  for _, item in ipairs(recipe and recipe.undefined or {}) do
    local key = item.line .. " " .. item.name
    if item.is_from == is_from and item.name:find("^[%a_]") and not seen[key] then
      seen[key] = true
      local nearest = text_.nearest(item.name, names)
      say(item.line, item.name, nearest and (" (did you mean $%s?)"):format(nearest) or "")
    end
  end
end

function M.UndefinedVar(_, recipe, found)
  undefined(recipe, false, function(line, name, guess)
    found(line, ("Usage of undefined variable '$%s'%s"):format(name, guess))
  end)
end

function M.UndefinedArgInFrom(_, recipe, found)
  undefined(recipe, true, function(line, name, guess)
    found(line, ("FROM argument '%s' is not declared%s"):format(name, guess))
  end)
end

return M
