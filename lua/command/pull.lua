--- holos pull
local err = require "holos.core.err"
local out = require "holos.command.out"
local project = require "holos.use.project"
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
    { "--pinned", help = "the build that holos names, instead of the newest one" },
    { "--ignore-pull-failures", help = "fetch what can be fetched, and succeed" },
    { "--parallel", value = "NUMBER", kind = "integer", least = 1, help = "fetch so many at a time (default: 4)" },
    { "-q", "--quiet", help = "print the digests, and nothing else" },
  },
}

-- The services of the file in reach; nil where no words could mean one.
local function services_of(world, options, words)
  if #words > 0 and not project.in_reach(world, options) then return nil end
  return project.from_file(world, options).project.services
end

-- What is to be fetched, in the order of the words.
local function texts_of(world, options)
  local words = options.arguments
  local services = services_of(world, options, words)
  if #words > 0 then return pull.names(services, words) end
  return pull.of_services(services)
end

function M.run(world, options)
  local known, list = pull.catalogue(world), {}
  for i, text in ipairs(texts_of(world, options)) do list[i] = pull.wanted(world, known, text) end
  local talk = transfers.new(world)
  if options.quiet then talk.progress, talk.done, talk.say = function() end, function() end, function() end end
  local results = pull.all(world, state.locate(world, options), list, { newest = not options.pinned, signed = options.signed,
    parallel = options.parallel }, talk)
  for _, result in ipairs(results) do
    if result.image then out.result(result.image.digest) end
  end
  local ok, problem = pcall(pull.require_all, results)
  if not ok and not (options.ignore_pull_failures and err.is_failure(problem)) then error(problem, 0) end
  return 0
end

return M
