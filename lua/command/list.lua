--- The commands of holos, in the order and groups of `holos help`; each is loaded when it is used.
local M = {}

M.TAGLINE = "docker compose for KVM virtual machines"

--- Groups of command names; `holos.command.<name>` is the module.
M.GROUPS = {
  { title = "a project's life", names = {
    "init", "edit", "validate", "config", "build", "plan", "up", "scale", "start", "stop", "restart", "rm", "down" } },
  { title = "looking and going in", names = { "ps", "ls", "graph", "args", "networks", "logs", "events", "exec", "console" } },
  { title = "images", names = { "images", "pull", "verify", "rmi", "prune" } },
  { title = "keeping order", names = { "volumes", "trash", "state", "upgrade-hardware", "supervise", "doctor" } },
  { title = "about holos", names = { "help", "version", "licenses", "schema", "gen", "lua" } },
}

--- Options of every command.
M.OPTIONS = {
  { "-f", "--file", value = "FILE", repeated = true,
    help = "a compose file, - for standard input; several are merged in their order (default: holos.yaml here or above)" },
  { "-p", "--project-name", value = "NAME", help = "the project, by name; many commands then need no file" },
  { "--project-directory", value = "DIR", help = "what relative paths in the file are relative to (default: its own)" },
  { "--env-file", value = "FILE", repeated = true,
    help = "variables for the file (default: HOLOS_ENV_FILES, or .env in the project's directory)" },
  { "--state-dir", value = "DIR",
    help = "where state lives (default: HOLOS_STATE_DIR, /var/lib/holos, ~/.local/state/holos)" },
  { "--profile", value = "NAME", repeated = true, help = "take in services of this profile too; * is all of them" },
  { "--compat", help = "warn of keys that are for containers only, where they would be refused" },
  { "--ansi", value = "WHEN", kind = "choice", choices = { "auto", "always", "never" },
    help = "draw over lines: auto, always, never" },
  { "--progress", value = "HOW", kind = "choice", choices = { "auto", "tty", "plain", "quiet" },
    help = "auto, tty, plain or quiet" },
  { "--debug", help = "tracebacks with errors" },
  { "-h", "--help", help = "this help, or that of a command" },
}

M.EXIT_CODES = {
  { "0", "success" }, { "1", "failure" }, { "2", "the file is wrong" },
  { "3", "refused: consent or trust is needed; nothing was changed" },
  { "4", "not ready in time, or provisioning or a health check failed" }, { "5", "locked by another command" },
  { "10", "plan --exit-code: there is something to do" }, { "64", "wrong usage" },
  { "125", "exec: the command could not be tried" }, { "255", "exec: the connection was lost" },
  { "130, 143", "ended by SIGINT, SIGTERM" }, { "141", "the reader of the results went away" },
}

--- The module of a command; nil when there is none of that name.
function M.load(name)
  for _, group in ipairs(M.GROUPS) do
    for _, known in ipairs(group.names) do
      if known == name then return require("holos.command." .. name) end
    end
  end
end

--- All names, in order.
function M.names()
  local names = {}
  for _, group in ipairs(M.GROUPS) do table.move(group.names, 1, #group.names, #names + 1, names) end
  return names
end

--- All commands as core.manual wants them: {name, summary, options, arguments}.
function M.all()
  local commands = {}
  for i, name in ipairs(M.names()) do
    local command = M.load(name)
    commands[i] = { name = name, summary = command.summary, options = command.options, arguments = command.arguments }
  end
  return commands
end

--- The groups as core.manual wants them.
function M.groups()
  local groups = {}
  for i, group in ipairs(M.GROUPS) do
    groups[i] = { title = group.title, commands = {} }
    for j, name in ipairs(group.names) do
      groups[i].commands[j] = { name = name, summary = M.load(name).summary }
    end
  end
  return groups
end

return M
