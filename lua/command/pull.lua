--- holos pull
local err = require "holos.core.err"
local out = require "holos.command.out"
local locked = require "holos.use.locked"
local project_ = require "holos.use.project"
local pull = require "holos.use.pull"
local state = require "holos.use.state"
local transfers = require "holos.command.transfers"

local M = {
  summary = "fetch images, or newer builds of them, into the image store",
  arguments = {
    { name = "IMAGE", optional = true, repeated = true,
      help = "names, addresses, or services of the file in reach (default: the images of all its services)" },
  },
  options = {
    { "--signed", help = "take it only with a good signature of its publisher; needs gpgv and the publisher's keys" },
    { "--policy", value = "POLICY", kind = "choice", choices = { "missing", "always" },
      help = "missing: fetch only what is not here (default: always)" },
    { "--pinned", help = "the build that holos names, instead of the newest one" },
    { "--lock", help = "write the digests of the project's images to holos.lock, which `up` then goes by" },
    { "--ignore-pull-failures", help = "fetch what can be fetched, and succeed" },
    { "--parallel", value = "NUMBER", kind = "integer", least = 1, help = "fetch so many at a time (default: 4)" },
    { "-q", "--quiet", help = "print the digests, and nothing else" },
  },
}

-- The project of the file in reach; nil where there is none and words say what is meant.
local function project_of(world, options)
  if #options.arguments > 0 and not project_.in_reach(world, options) then return nil end
  return project_.from_file(world, options).project
end

-- What is to be fetched, in the order of the words.
local function texts_of(project, words)
  if #words > 0 then return pull.names(project and project.services, words) end
  return pull.of_services(project.services)
end

-- All of it, or all that names nothing.
local function wanted_of(world, where, texts)
  local known, list, problems = pull.catalogue(world), {}, {}
  for i, text in ipairs(texts) do
    local ok, wanted = pcall(pull.wanted, world, where, known, text)
    if not ok and not err.is_failure(wanted) then error(wanted, 0) end
    if ok then list[i] = wanted else problems[#problems + 1] = wanted end
  end
  if #problems == 0 then return list end
  if #problems == 1 then error(problems[1], 0) end
  local lines = {}
  for i, problem in ipairs(problems) do
    lines[i] = problem.message .. (problem.hint and (" (%s)"):format(problem.hint) or "")
  end
  err.raise { message = table.concat(lines, "\n"), code = problems[1].code, exit = problems[1].exit }
end

local function require_sense(options)
  if not options.lock or #options.arguments == 0 then return end
  err.raise { message = "--lock is for all images of a project, and takes no names", code = "EUSAGE", exit = 64,
    hint = "holos pull --lock" }
end

-- Only what is all there is locked.
local function write_lock(world, project, results)
  pull.require_all(results)
  local images = {}
  for _, result in ipairs(results) do
    images[result.wanted.key] = result.image
    if pull.is_moving(result.wanted, result.image) then
      out.talk(("%s: the publisher replaces what is at %s; --pinned locks a build whose address stays"):format(result.wanted.key,
        result.image.source.url))
    end
  end
  out.talk("wrote " .. locked.write(world, project.directory, images, pull.dormant(world, project.services)))
end

function M.run(world, options)
  require_sense(options)
  local project, where = project_of(world, options), state.locate(world, options)
  local list = wanted_of(world, where, texts_of(project, options.arguments))
  local talk = transfers.new(world)
  if options.quiet then talk.progress, talk.done, talk.say = function() end, function() end, function() end end
  local results = pull.all(world, where, list, { newest = not options.pinned, signed = options.signed,
    only_missing = options.policy == "missing",
    parallel = options.parallel }, talk)
  for _, result in ipairs(results) do
    if result.image then out.result(result.image.digest) end
  end
  if options.lock then write_lock(world, project, results) end
  local ok, problem = pcall(pull.require_all, results)
  if not ok and not (options.ignore_pull_failures and err.is_failure(problem)) then error(problem, 0) end
  return 0
end

return M
