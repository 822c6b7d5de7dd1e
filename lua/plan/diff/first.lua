--- The first part of a seed, field by field: together what plan/seed hashes into the instance-id. Pure.
local copied = require "holos.plan.diff.copied"
local table_ = require "holos.core.table"

local M = {}

local function text_of(item) return type(item) == "table" and table.concat(item, " ") or tostring(item) end

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[text_of(item)] = true end
  return set
end

--- "+ php-fpm, - nginx"; what only stands elsewhere in the list is "in another order".
local function tell_items(from, to)
  local before, now, told = set_of(from), set_of(to), {}
  for _, item in ipairs(to) do
    if not before[text_of(item)] then told[#told + 1] = "+ " .. text_of(item) end
  end
  for _, item in ipairs(from) do
    if not now[text_of(item)] then told[#told + 1] = "- " .. text_of(item) end
  end
  local text = #told > 0 and table.concat(told, ", ") or "in another order"
  return text, text
end

--- The same of what may be long or secret: how many, and which by `name_of`.
local function tell_named(name_of)
  return function(from, to)
    local before, told = {}, {}
    for _, item in ipairs(from) do before[name_of(item)] = item end
    for _, item in ipairs(to) do
      local name = name_of(item)
      local known = before[name]
      before[name] = nil
      if not known then told[#told + 1] = "+ " .. name end
      if known and not table_.deep_equal(known, item) then told[#told + 1] = name .. " changed" end
    end
    for _, name in ipairs(table_.keys(before)) do told[#told + 1] = "- " .. name end
    local text = #told > 0 and table.concat(told, ", ") or "in another order"
    return text, text
  end
end

local function tell_commands(from, to)
  if #from ~= #to then return ("%d commands"):format(#from), ("%d commands"):format(#to) end
  for i, command in ipairs(to) do
    if not table_.deep_equal(command, from[i]) then
      local text = ("command %d of %d"):format(i, #to)
      return text, text
    end
  end
end

local function tell_keys(from, to)
  local told = {}
  for _, key in ipairs(table_.keys(table_.merge(from, to))) do
    if not table_.deep_equal(from[key], to[key]) then told[#told + 1] = key end
  end
  local text = table.concat(told, ", ")
  return text, text
end

-- The names of variables that are not alike: their values may be secret.
local function tell_variables(from, to)
  local before, now, names = {}, {}, {}
  for _, pair in ipairs(from or {}) do before[pair.name] = pair.value end
  for _, pair in ipairs(to or {}) do now[pair.name] = pair.value end
  for _, name in ipairs(table_.keys(table_.merge(before, now))) do
    if before[name] ~= now[name] then names[#names + 1] = name end
  end
  return table.concat(names, ", ")
end

local IS_NO_PART = { line = true, title = true, files = true }

-- What of a step is not alike, but where it stands, how it is spelled, and the files it copies; nil: nothing.
local function tell_step(from, to)
  local told = {}
  for _, key in ipairs(table_.keys(table_.merge(from, to))) do
    if not IS_NO_PART[key] and not table_.deep_equal(from[key], to[key]) then
      told[#told + 1] = key == "env" and "variables " .. tell_variables(from.env, to.env) or key
    end
  end
  return #told > 0 and table.concat(told, ", ") or nil
end

-- The first step that is another one, by its place; what it takes along may have changed alone.
local function tell_build(from, to)
  local before, now = from and from.steps or {}, to and to.steps or {}
  if not from or not to then
    return from and ("%d steps"):format(#before) or "none", to and ("%d steps"):format(#now) or "none"
  end
  for position = 1, math.max(#before, #now) do
    local old, new = before[position], now[position]
    if not old or not new or old.title ~= new.title then
      return old and ("step %d: %s"):format(position, old.title) or ("%d steps"):format(#before),
        new and ("step %d: %s"):format(position, new.title) or ("%d steps"):format(#now)
    end
    local part = tell_step(old, new)
    if part then
      local text = ("step %d of %d: %s (its %s)"):format(position, #now, new.title, part)
      return text, text
    end
  end
  local text = copied.tell(from, to) or from.context ~= to.context and "what it copies" or "its steps"
  return text, text
end

local function list(name)
  return function(spec) return spec.cloud_init[name] or {} end
end

local function contents() return "its contents" end

--- As plan/diff's; `same(from, to)` is asked where not all of both counts.
M.FIELDS = {
  { name = "cloud_init.user", key = "cloud_init.user", get = function(s) return s.cloud_init.user end,
    show = function(user) return user or "the image's" end },
  { name = "cloud_init.packages", key = "cloud_init.packages", get = list "packages", tell = tell_items },
  { name = "cloud_init.write_files", key = "cloud_init.write_files", get = list "write_files",
    tell = tell_named(function(file) return file.path end) },
  { name = "cloud_init.runcmd", key = "cloud_init.runcmd", get = list "runcmd", tell = tell_commands },
  { name = "build", key = "build", get = function(s) return s.build end,
    same = function(from, to) return (from and from.digest) == (to and to.digest) end, tell = tell_build },
  { name = "cloud_init.ssh_authorized_keys", key = "cloud_init.ssh_authorized_keys", get = list "ssh_authorized_keys",
    tell = tell_named(function(key) return key:match("(%S+)%s*$") or key end) },
  { name = "cloud_init.user_data", key = "cloud_init.user_data", get = function(s) return s.cloud_init.user_data or "" end,
    show = contents },
  { name = "cloud_init", key = "cloud_init", get = list "extra", tell = tell_keys },
}

return M
