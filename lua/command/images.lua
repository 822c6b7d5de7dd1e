--- holos images
local catalogue = require "holos.use.catalogue"
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local image_build = lazy "holos.command.image_build"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local state_ = require "holos.use.state"
local store = require "holos.use.store"
local text = require "holos.core.text"
local transfers = require "holos.command.transfers"
local units = require "holos.core.units"

local M = {
  summary = "list the images that are here, or that can be had; take one in from a file; copy one out; make one",
  arguments = {
    { name = "ACTION", optional = true, choices = { "ls", "known", "import", "export", "build" },
      help = "ls (the default), known: what the catalogue has, import FILE [NAME[:TAG]], export NAME FILE, "
        .. "build debian|ubuntu: from packages" },
    { name = "WHAT", optional = true, help = "import: the file; export: the image; build: debian or ubuntu" },
    { name = "TO", optional = true, help = "import: the name it gets; export: the file to write" },
  },
  options = { shared.FORMAT,
    { "--image-format", value = "FORMAT", kind = "choice", choices = { "qcow2", "raw" },
      of = "import, export", help = "what the file is, or is to be (default: by its name; import: or by its first bytes)" },
    { "--user", value = "NAME", of = "import", help = "the user that the image's own cloud-init makes" },
    { "--os", value = "KIND", kind = "choice", choices = { "systemd", "openrc", "plain" }, of = "import",
      help = "what runs in it" },
    { "--family", value = "NAME", of = "import", help = "whose packages it has: debian, alpine, fedora, …" },
    { "--share-driver", value = "DRIVER", kind = "choice", choices = { "9p", "virtiofs" },
      of = "import", help = "how directories are shared with it" },
    { "--memory", value = "SIZE", kind = "size", of = "import", help = "the least memory that it starts with" },
    { "--force", of = "export", help = "replace the file" },
    { "-o", "--output", value = "FILE", of = "build", help = "write FILE (a qcow2 image), and put nothing into the image store" },
    { "--tag", value = "NAME[:TAG]", of = "build", help = "what the image is called in the store (default: debian:local)" },
    { "--suite", value = "NAME", of = "build", help = "bookworm, trixie, noble, … (default: this machine's)" },
    { "--mirror", value = "URL", of = "build", help = "where packages come from (default: this machine's apt sources)" },
    { "--package", value = "NAME", repeated = true, of = "build", help = "a package that is to be in it, too" },
    { "--emulated", of = "build", help = "for guests without KVM; they boot faster, and without mitigations" },
  },
}

local function show_problems(problems)
  for _, problem in ipairs(problems) do out.warn(text.escape_terminal(problem)) end
end

local function cells_of(image)
  local from = image.source.url and (image.source.url:match("^%a+://([^/?#]+)")) or image.source.kind or "-"
  return { #image.tags > 0 and table.concat(image.tags, " ") or "-", image.digest:sub(8, 19), image.format,
    units.format_bytes(image.size_bytes), units.format_bytes(image.virtual_bytes),
    image.users and tostring(#image.users) or "?", from,
    image.is_own and "" or image.layer }
end

local actions = {}

function actions.ls(world, state, options)
  local images, problems = store.list(world, state)
  local cells = { { "NAME", "DIGEST", "FORMAT", "SIZE", "DISK", "USERS", "FROM", #images > 0 and "LAYER" or "" } }
  for _, image in ipairs(images) do
    if options.format == "json" then out.result(world.json.encode(store.shown(image), {})) end
    cells[#cells + 1] = cells_of(image)
  end
  show_problems(problems)
  if options.format == "json" then return end
  out.results(text.columns(cells))
  if #images == 0 then out.talk("none so far; holos images known lists what can be had by name") end
end

function actions.known(world, _, options)
  local cells = { { "NAME", "ALSO", "USER", "MEMORY", "FROM", "CHECKED" } }
  for _, entry in ipairs(catalogue.list(world)) do
    if options.format == "json" then out.result(world.json.encode(entry, {})) end
    cells[#cells + 1] = { entry.name .. ":" .. entry.tag, table.concat(entry.aliases, " "), entry.user,
      units.format_bytes(entry.least_memory_mib << 20), entry.url:match("^%a+://([^/]+)") or "-",
      entry.is_checked and "yes" or "no" .. (entry.note and ": " .. entry.note or "") }
  end
  if options.format == "json" then return end
  out.results(text.columns(cells))
end

local function require_word(word, action, usage)
  if word then return word end
  err.raise { message = action .. " what?", code = "EUSAGE", exit = 64, hint = "holos images " .. action .. " " .. usage }
end

function actions.import(world, state, options, file, name)
  require_word(file, "import", "FILE [NAME[:TAG]]")
  local transfer = transfers.new(world)
  local image, shown = store.import(world, state, file, name, { format = options.image_format, facts = { user = options.user,
    os = options.os, family = options.family, share_driver = options.share_driver,
    least_memory_mib = options.memory and math.max(1, options.memory >> 20) },
    lock = { on_wait = transfer.waiting },
    on_progress = function(done_bytes, total_bytes, phase)
      transfer.progress(name or file, { phase = phase, done_bytes = done_bytes, total_bytes = total_bytes })
    end })
  transfer:erase()
  out.result(image.digest)
  out.talk(("%s: %s, a disk of %s"):format(shown or "imported without a name", units.format_bytes(image.size_bytes),
    units.format_bytes(image.virtual_bytes)))
end

function actions.export(world, state, options, name, file)
  require_word(name and file, "export", "NAME FILE")
  local transfer = transfers.new(world)
  local image, format = store.export(world, state, name, file, { force = options.force, format = options.image_format,
    on_progress = function(at) transfer.progress(name, at) end })
  transfer:erase()
  out.talk(("%s: %s of %s, as %s"):format(file, units.format_bytes(image.virtual_bytes), name, format))
end

function actions.build(world, state, options, name) image_build.run(world, state, options, name) end

-- How many words go behind each action. One more would be what somebody believes to have said.
local WORDS = { ls = 0, known = 0, import = 2, export = 2, build = 1 }

function M.run(world, options)
  local words = options.arguments
  local action = words[1] or "ls"
  local surplus = words[WORDS[action] + 2]
  if surplus then
    err.raise { message = ("images %s: %q is one argument too many"):format(action, surplus), code = "EUSAGE", exit = 64,
      hint = action == "build" and "the suite is an option: --suite NAME" or "holos help images" }
  end
  actions[action](world, state_.locate(world, options), options, words[2], words[3])
  return 0
end

return M
