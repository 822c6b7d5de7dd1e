--- The sheet that a plan is written on: rows to be read, a DAG of actions, intents, and what stands in the way. Pure.
local image = require "holos.plan.image"
local table_ = require "holos.core.table"

local M = {}

--- What a plan is made of.
---@class holos.Plan
---@field rows      {mark: string, name: string, text: string, where: string?, disk: table?}[]  what will happen, to be read;
---                             disk: one that is not the project's own, {path, size_bytes, content, fs: what it is formatted with}
---@field actions   holos.Action[]     in an order that respects `after`
---@field questions holos.Question[]   what only the user may decide
---@field refusals  {instance: string, change: table, cure: string?}[]  what cannot be done whatever the user says
---@field kept      {name: string, text: string, where: string?}[]  changes that the user has decided not to make
---@field warnings  string[]
---@field promises  {text: string, where: string?}[]  what happens when something fails
---@field intents   table<string, holos.Intent>  by instance: what is written down before anything is done
---@field specs     table[]            of all instances that the plan is about, as they are to be

---@class holos.Action   plain data
---@field id       string
---@field kind     string    volume.create, .grow or .detach, disk.create, disk.grow, instance.launch, .resume, .await, .stop,
---                          .trash, .set_aside, .settle, .go_back or .apply, ports.close, rollout.wait, .monitor, .settle
---                          or .back
---@field instance string?
---@field volume   string?
---@field holder   string?   the running machine that has the volume
---@field takes_volumes boolean?  of instance.apply: disks are put into the machine
---@field after    string[]  ids of actions that must have ended well
---@field after_any string[]? ids of actions that must have ended, well or not
---@field optional boolean?   its failure keeps those from starting that come after it, and nobody else
---@field rollout  {service: string, may_fail: integer, goes_back: boolean?}?  when so many instances of the service have
---                          failed, no other failure is borne; goes_back: that ends the change of this service alone
---@field undo     boolean?   when it fails, the disk that was replaced is put back
---@field because  string

---@class holos.Question
---@field service   string
---@field instances string[]
---@field target    string    what names just these: the service, where it is about all of it
---@field text      string    the changes
---@field where     string?
---@field image     string    what a new disk would be made from
---@field answers   string[]  of plan/consent

---@class holos.Intent
---@field spec     table
---@field kept     table?    the spec that was wanted when its changes were declined
---@field replaced table?    what is recorded of an instance whose disk is being replaced, until that has succeeded
---@field previous holos.Previous?  where it goes back to when the change of its service fails
---@field is_new_disk boolean?  the disk that is recorded as made is not the one that is wanted
---@field desired  string?   "running" unless said
---@field provision_runs integer?  how often the first steps were asked to run again

--- An empty plan.
---@return holos.Plan
function M.new()
  return { rows = {}, actions = {}, questions = {}, refusals = {}, kept = {}, warnings = {}, promises = {},
    intents = {}, specs = {} }
end

--- Adds an action; gives its id.
function M.add(plan, action)
  action.after, action.after_any = table_.list(action.after), action.after_any and table_.list(action.after_any)
  plan.actions[#plan.actions + 1] = action
  return action.id
end

function M.row(plan, mark, name, text, where)
  plan.rows[#plan.rows + 1] = { mark = mark, name = name, text = text, where = where }
end

function M.refuse(plan, refusal) plan.refusals[#plan.refusals + 1] = refusal end

function M.warn(plan, text) plan.warnings[#plan.warnings + 1] = text end

--- "memory 512 MiB → 1 GiB, cloud_init.packages + php-fpm"
function M.change_text(changes)
  local shown = {}
  for i, change in ipairs(changes) do
    local is_same = change.from == change.to
    shown[i] = change.name .. " " .. (is_same and change.to or ("%s → %s"):format(change.from, change.to))
  end
  return table.concat(shown, ", ")
end

--- Where the file says what the first of some changes is about.
function M.where_of(context, spec, changes)
  local change = changes[1]
  return change and context.where(("services.%s.%s"):format(spec.service, change.key))
    or context.where("services." .. spec.service)
end

--- Asks what is to become of an instance; those of a service that are asked the same are asked once.
---@param decision holos.Decision
---@param besides string?  what is done whatever is answered
function M.ask(plan, context, decision, besides)
  local spec, answers, text = decision.spec, decision.answers, M.change_text(decision.grave)
  for _, question in ipairs(plan.questions) do
    if question.service == spec.service and question.text == text and question.besides == besides
      and #question.answers == #answers then
      question.instances[#question.instances + 1] = spec.name
      return
    end
  end
  plan.questions[#plan.questions + 1] = { service = spec.service, instances = { spec.name }, text = text, answers = answers,
    besides = besides, where = M.where_of(context, spec, decision.grave), image = image.name(spec.image) or "nothing" }
end

--- Says how the answer to each question is to be addressed, so that it is given for nothing that was not asked about.
---@param specs table[]  all that the plan is about
function M.address_questions(plan, specs)
  local counts = {}
  for _, spec in ipairs(specs) do counts[spec.service] = (counts[spec.service] or 0) + 1 end
  for _, question in ipairs(plan.questions) do
    local is_all = #question.instances == counts[question.service]
    question.target = is_all and question.service or table.concat(question.instances, ",")
  end
end

return M
