--- holos init
local init = require "holos.use.init"
local out = require "holos.command.out"
local text = require "holos.core.text"

local M = {
  summary = "write a holos.yaml to start from, with its keys explained",
  arguments = {},
  options = {
    { "--image", value = "IMAGE", help = "a file or a name to start from (default: the only file that is one, else debian:12)" },
    { "-o", "--output", value = "FILE", help = "where to write, - for standard output (default: holos.yaml)" },
    { "--force", help = "write also where a file is, which is kept under another name" },
  },
}

-- The commands that come next, for the file that was written.
local function next_steps(options, made)
  local named = options.output and "-f " .. text.shell_quote(made.file) .. " " or ""
  return ("holos %splan · holos %sup"):format(named, named)
end

function M.run(world, options)
  if options.output == "-" then
    out.bytes(init.text(world, options).text)
    return 0
  end
  local made = init.run(world, options)
  if made.kept then out.talk("kept what was there as " .. made.kept) end
  out.talk(("wrote %s (one service, %s, %d lines)"):format(made.file, made.image, #text.lines(made.text)))
  if made.notice then out.warn(made.notice) end
  if made.is_missing then
    out.talk(made.image .. " is not here yet; put it there, or name another one in the file. Then: "
      .. next_steps(options, made))
  else
    out.talk("next: " .. next_steps(options, made))
  end
  return 0
end

return M
