--- Plans as text. Pure.
local lazy = require "holos.core.lazy"
local build = lazy "holos.plan.build"
local consent = require "holos.plan.consent"
local image = require "holos.plan.image"
local path = require "holos.core.path"
local table_ = require "holos.core.table"
local text = require "holos.core.text"
local units = require "holos.core.units"

local M = {}

M.describe = {}

function M.describe.bytes(count) return units.format_bytes(count) end

--- "20 GiB, ext4"
---@param guest_path string?  where guests have it, when its name does not say so
function M.describe.volume(volume, guest_path)
  return ("%s, %s%s"):format(units.format_bytes(volume.size_bytes), volume.fs or "ext4",
    guest_path and ", in guests " .. guest_path or "")
end

local function port_words(ports)
  local words = {}
  for i, port in ipairs(ports) do
    local host = port.host_to and ("%d-%d"):format(port.host, port.host_to) or port.host == 0 and "any" or tostring(port.host)
    words[i] = ("%s:%s → %d%s"):format(port.host_ip, host, port.guest, port.protocol == "udp" and "/udp" or "")
  end
  return words
end

local function mount_words(mounts, directory)
  local words = {}
  for i, mount in ipairs(mounts) do
    local what = mount.volume or mount.source and path.short(mount.source, directory) or mount.kind
    words[i] = ("%s at %s%s"):format(what, mount.target, mount.read_only and " read-only" or "")
  end
  return words
end

--- "tiny.qcow2, 1 vCPU, 512 MiB, disk 20 GiB, 127.0.0.1:8080 → 80, ./www at /srv/www read-only"
---@param directory string?  the project's, for short paths
---@param provisioned string?  what makes it out of its image
function M.describe.instance(spec, directory, provisioned)
  local words = { image.label(spec.image), spec.vm.vcpu .. " vCPU",
    units.format_bytes(spec.vm.memory_mib << 20), "disk " .. units.format_bytes(spec.disk_bytes) }
  words[#words + 1] = provisioned
  if spec.boot and spec.boot.kernel then words[#words + 1] = "kernel " .. path.short(spec.boot.kernel, directory) end
  for _, cdrom in ipairs(spec.cdroms or {}) do words[#words + 1] = "CD-ROM " .. path.short(cdrom.path, directory) end
  table_.extend(words, port_words(spec.ports))
  table_.extend(words, mount_words(spec.mounts, directory))
  if spec.vm.accel == "tcg" then words[#words + 1] = "emulated (tcg)" end
  if #spec.vm.extra_args > 0 and #spec.vm.allow_paths == 0 then words[#words + 1] = "Landlock off (extra_args)" end
  return table.concat(words, ", ")
end

--- The same of a project's instances, each with what makes it.
---@param builds table<string, holos.Build>?  by service
function M.describer(project, builds)
  return table_.merge(M.describe, { instance = function(spec, directory)
    local made = (builds or {})[spec.service]
    return M.describe.instance(spec, directory, made and build.told(project.services[spec.service].build, made))
  end })
end

--- The counts under a plan: what is added, changed, removed.
---@return integer added
---@return integer changed
---@return integer removed
function M.counts(plan)
  local counts = { ["+"] = 0, ["~"] = 0, ["-"] = 0 }
  for _, row in ipairs(plan.rows) do counts[row.mark] = (counts[row.mark] or 0) + 1 end
  return counts["+"], counts["~"], counts["-"]
end

local TAKES_DISKS = { ["instance.trash"] = true, ["instance.set_aside"] = true, ["instance.go_back"] = true }

--- Whether a plan takes a disk away.
local function takes_disks(plan)
  for _, action in ipairs(plan.actions) do
    if TAKES_DISKS[action.kind] then return true end
  end
  return false
end

--- The rows of a plan as lines that line up, with where each comes from, and their count.
---@return string[] lines
function M.plan(plan)
  local rows = {}
  for i, row in ipairs(plan.rows) do rows[i] = { "  " .. row.mark .. " " .. row.name, row.text, row.where or "" } end
  for _, kept in ipairs(plan.kept) do
    rows[#rows + 1] = { "  = " .. kept.name, "config changed, kept as it is   " .. kept.text, kept.where or "" }
  end
  local lines = table_.map(text.columns(rows), text.escape_terminal)
  for _, promise in ipairs(plan.promises or {}) do
    lines[#lines + 1] = text.escape_terminal("  " .. promise.text .. (promise.where and "   " .. promise.where or ""))
  end
  local added, changed, removed = M.counts(plan)
  lines[#lines + 1] = ("%d to add, %d to change, %d to remove.%s"):format(added, changed, removed,
    changed > 0 and not takes_disks(plan) and " No disk is lost." or "")
  return lines
end

--- "  ! web-0, web-1: cloud_init.packages + php-fpm   holos.yaml:15", and what is done besides.
function M.question(question)
  return ("  ! %s: %s%s%s"):format(table.concat(question.instances, ", "), question.text,
    question.where and "   " .. question.where or "",
    question.besides and ("\n    whatever is answered: %s"):format(question.besides) or "")
end

--- What an answer to a question comes to: "new disks from debian.qcow2 (old ones go to the trash)".
function M.meaning(answer, question) return consent.MEANING[answer]:format(question.image) end

local function questions_text(questions, verdict)
  local lines, cells = {}, {}
  for _, question in ipairs(questions) do lines[#lines + 1] = M.question(question) end
  lines[#lines + 1] = verdict
  for _, question in ipairs(questions) do
    for _, answer in ipairs(question.answers) do
      cells[#cells + 1] = { ("  --%s=%s"):format(answer, question.target), M.meaning(answer, question) }
    end
  end
  return table.concat(table_.extend(lines, text.columns(cells)), "\n")
end

local function refusals_text(refusals)
  local lines, cures = {}, {}
  for _, refusal in ipairs(refusals) do
    cures[#cures + 1] = refusal.cure
    local change = refusal.change
    lines[#lines + 1] = ("%s%s: %s: %s"):format(refusal.where and refusal.where .. ": " or "", refusal.instance,
      change.name, change.from == change.to and change.to or change.from .. " → " .. change.to)
  end
  table_.extend(lines, cures)
  if #cures < #refusals then
    lines[#lines + 1] = "refused: undo the change, or take the instances down first (root disks go to the trash): holos down"
  end
  return table.concat(lines, "\n")
end

--- Why a plan is refused, and what to do instead.
---@return string text
function M.refusals(plan)
  if #plan.refusals > 0 then return refusals_text(plan.refusals) end
  return questions_text(plan.questions, "refused: this needs a decision, and there is nobody to ask.")
end

--- What keeps a plan that is only looked at from being carried out as it is.
---@return string text
function M.open(plan)
  if #plan.refusals > 0 then return refusals_text(plan.refusals) end
  return questions_text(plan.questions, "This needs a decision: `holos up` asks, or is told by one of")
end

--- A plan as plain data for programs.
function M.data(plan)
  return { rows = table_.list(plan.rows), actions = table_.list(plan.actions), refusals = table_.list(plan.refusals),
    questions = table_.list(plan.questions), kept = table_.list(plan.kept), warnings = table_.list(plan.warnings),
    promises = table_.list(plan.promises) }
end

return M
