--- Rules that several parts of the compose schema share. Pure.
local lazy = require "holos.core.lazy"
local json = require "holos.core.json"
local permissions = lazy "holos.compose.permissions"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"
local text_ = lazy "holos.core.text"

local M = {}

-- The nearest name that can be one.
local function advise_label(value)
  local odd = text_.odd_character(value)
  if odd then return odd end
  local name = value:lower():gsub("[_%s.]", "-"):gsub("^%-+", ""):gsub("%-+$", "")
  return name:find("^[a-z0-9][a-z0-9-]*$") and ('write "%s", also where others name it'):format(name) or nil
end

--- RFC 1123 label, lower case: service and instance names become host names and file names.
M.label = schema.text {
  advise = advise_label,
  pattern = "[a-z0-9][a-z0-9-]*", most = 63,
  wanted = "a name of lower-case letters, digits and hyphens",
  check = function(value)
    if value:sub(-1) == "-" then return ('"%s" ends in a hyphen'):format(value) end
  end,
}

--- What networks, volumes, configs, secrets and profiles may be called.
M.name = schema.text {
  pattern = "[%w][%w_.-]*", most = 63, wanted = 'a name of letters, digits, "_", "." and "-"',
  advise = function(value) return value:find("/", 1, true) and "directories and files are not declared here; remove it" or nil end,
}

--- Any text on one line.
M.line = schema.text {
  wanted = "text on one line",
  check = function(value)
    if value:find("[\r\n]") then return "has more than one line" end
  end,
}

M.lines = schema.list { of = M.line }

local function check_path(value)
  if value:find("%c") then return "the path has a control character" end
  if value:find("^~[^/]") then return "the home of another user; write the whole path" end
end

--- A path of the host: relative to the project directory, absolute, or below ~.
M.host_path = schema.text { wanted = "a path", check = check_path }

--- A path in the guest.
M.guest_path = schema.text { pattern = "/.*", wanted = "an absolute path in the guest", check = check_path }

--- USER or USER:GROUP, by name or number, in the guest.
M.user = schema.parsed {
  accepts = { text = true, integer = true }, wanted = "USER or USER:GROUP",
  parse = function(value)
    local text = tostring(value)
    if text:find("^[%w_][%w_.-]*%$?$") or text:find("^[%w_][%w_.-]*:[%w_][%w_.-]*$") then return text end
    return nil, ('expected USER or USER:GROUP, got "%s"'):format(text)
  end,
}

-- A number as text that is the same number again, and no longer than needed.
local function number_text(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  local short = ("%.14g"):format(value)
  return tonumber(short) == value and short or ("%.17g"):format(value)
end

--- Text, number or truth, as text.
M.word = schema.parsed {
  accepts = { text = true, integer = true, number = true, boolean = true },
  wanted = "text",
  parse = function(value)
    return type(value) == "number" and number_text(value) or tostring(value)
  end,
}

-- Text, number or truth, as text; nothing stays nothing.
local word_or_nothing = schema.parsed {
  accepts = { text = true, integer = true, number = true, boolean = true, null = true },
  wanted = "text",
  parse = function(value)
    return value == json.null and value or M.word.parse(value)
  end,
}

-- ["K=V"] → {K = "V"}; what a K alone stands for is `alone`.
local function keyed(alone)
  return function(list, at)
    local map, marks = {}, {}
    for position, item in ipairs(list) do
      if item then
        local key, value = item:match("^([^=]*)=(.*)$")
        key, value = key or item, value or alone
        map[key], marks[key] = value, at.marks[list] and at.marks[list][position]
      end
    end
    at.marks[map] = marks
    return map
  end
end

-- One entry "K=V".
local pair = schema.text {
  is_pair = true, wanted = "text on one line", check = function(value) return M.line.check(value) end,
}

--- {K: V} or ["K=V"] → {K = "V"}; labels and the like.
M.pairs = schema.either {
  map = schema.map { of = M.word, empty = function() return "" end },
  list = schema.list { of = pair, canonical = keyed("") },
}

local function check_variable(name)
  if name == "" then return "a variable without a name" end
  if name:find("[=%c%s]") then
    return ('"%s" cannot be the name of a variable'):format(name), ('write "%s"'):format((name:gsub("[=%c%s]+", "_")))
  end
end

local variable = schema.text { empty = true, check = check_variable }

--- {K: V} or ["K=V"] → {K = "V" or json.null}: a K without a value takes it from the project's environment.
M.environment = schema.either {
  map = schema.map { of = word_or_nothing, key = variable },
  list = schema.list {
    of = schema.text {
      is_pair = true, wanted = "NAME=VALUE or NAME", check = function(value) return check_variable(value:match("^[^=]*")) end,
    },
    canonical = keyed(json.null),
  },
}

local function as_list(value)
  if type(value) == "table" and tables.is_list(value) then return value end
  return tables.list { value }
end

--- One value or a list of them → a list.
function M.one_or_more(rule)
  local text = rule.kind == "text" or rule.kind == "parsed" or rule.kind == "choice"
  return schema.either {
    text = text and rule or rule.text, map = rule.map, list = schema.list { of = rule }, canonical = as_list,
  }
end

--- Text or a list of texts → a list.
M.texts = M.one_or_more(M.line)

--- Access rights in octal → a number.
M.mode = schema.parsed {
  accepts = { text = true, integer = true }, wanted = "octal digits such as 0440", hint = "write octal digits: 0440",
  parse = function(value) return permissions.mode(value) end, form = "octal",
}

--- A number above 0, whole or not: CPUs.
M.cpus = schema.parsed {
  accepts = { text = true, integer = true, number = true }, wanted = "a number of CPUs such as 2 or 1.5",
  parse = function(value)
    local number = tonumber(value)
    if number and number > 0 and number <= 288 then return number end
    return nil, ('expected a number of CPUs above 0 and up to 288, got "%s"'):format(tostring(value))
  end,
}

local service_name = schema.text { wanted = "the name of a service" }

--- extends: NAME or {service, file} → {service, file}.
M.extends = schema.either {
  text = service_name,
  map = schema.record {
    { "service", service_name, required = true, meaning = "The service that this one is laid over." },
    { "file", M.host_path, meaning = "The file it is in; absent: this one." },
  },
  canonical = function(value) return type(value) == "string" and { service = value } or value end,
  hint = "extends: NAME, or extends: {file: FILE, service: NAME}",
}

return M
