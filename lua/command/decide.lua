--- Questions that only the user may answer: what becomes of a disk. Effects: talks with the terminal.
local answer = require "holos.use.answer"
local out = require "holos.command.out"
local render = require "holos.plan.render"
local text = require "holos.core.text"

local M = {}

local LETTERS = { reprovision = "p", keep = "k", recreate = "c" }

--- The answer that a line stands for: its letter or its name.
function M.answer_of(line, answers)
  local word = (line or ""):match("^%s*(%a*)%s*$")
  for _, kind in ipairs(answers) do
    if word == kind or word == LETTERS[kind] then return kind end
  end
end

local function ask_one(world, question)
  local cells, letters = {}, {}
  for i, kind in ipairs(question.answers) do
    letters[i] = LETTERS[kind]
    cells[i] = { "      " .. LETTERS[kind], kind, render.meaning(kind, question) }
  end
  local lines = text.columns(cells)
  table.insert(lines, 1, render.question(question))
  lines[#lines + 1] = ("%s? [%s, anything else changes nothing] "):format(question.target, table.concat(letters, "/"))
  return M.answer_of(answer.line(world, function() out.raw(table.concat(lines, "\n")) end), question.answers)
end

--- Shows what is decided of a plan, and asks all questions of it.
---@return table<string, string>? answers  by instance; nil when one was not answered
function M.all(world, plan)
  local answers = {}
  if #plan.rows > 0 then out.raw(table.concat(render.plan(plan), "\n") .. "\n") end
  for _, question in ipairs(plan.questions) do
    local kind = ask_one(world, question)
    if not kind then return nil end
    for _, name in ipairs(question.instances) do answers[name] = kind end
  end
  return answers
end

--- function(plan) that asks; nil where nobody can be asked, or -y was given.
function M.asker(world, options)
  if options.yes or not answer.is_possible(world) then return nil end
  return function(plan) return M.all(world, plan) end
end

return M
