--- services.*.build: images made from a Dockerfile. Data.
local process = require "holos.compose.schema.process"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local NO_BUILDER = "it is for the builder of containers"
local any_text = schema.either { text = rules.line, boolean = schema.boolean {} }

local build = schema.record({
  { "context", schema.text {}, default_text = ".", meaning = "Directory with what the Dockerfile copies." },
  { "dockerfile", schema.text {}, default_text = "Dockerfile", meaning = "The file, seen from the context." },
  { "dockerfile_inline", schema.text {}, meaning = "The text of a Dockerfile." },
  { "args", rules.environment, meaning = "Values for ARG." },
  { "target", rules.line, meaning = "Stage to build." },
  { "additional_contexts", rules.pairs, class = "later", meaning = "Further directories, by name." },
  { "secrets", schema.list { of = schema.any {} }, class = "later", meaning = "Secrets for RUN --mount." },
  { "no_cache", schema.boolean {}, class = "later", meaning = "Run every step anew." },
  { "pull", schema.boolean {}, class = "later", meaning = "Fetch the base image anew." },
  { "tags", rules.lines, class = "later", meaning = "Further names for the image." },
  { "labels", rules.pairs, class = "later", meaning = "Labels of the image." },
  { "network", rules.line, class = "later", meaning = "Network for the steps." },
  { "extra_hosts", schema.any {}, class = "later", meaning = "Names for the steps." },
  { "shm_size", schema.size {}, class = "later", unit = "bytes", meaning = "Size of /dev/shm for the steps." },
  { "ulimits", process.ulimits, class = "later", meaning = "Limits for the steps." },
  { "platforms", rules.lines, class = "later", meaning = "Platforms to build for." },
  { "ssh", rules.pairs, class = "later", meaning = "SSH agents for RUN --mount." },
  { "cache_from", rules.lines, class = "ignored", reason = NO_BUILDER },
  { "cache_to", rules.lines, class = "ignored", reason = NO_BUILDER },
  { "no_cache_filter", rules.texts, class = "ignored", reason = NO_BUILDER },
  { "entitlements", rules.lines, class = "ignored", reason = NO_BUILDER },
  { "isolation", rules.line, class = "ignored", reason = "it is for Windows containers" },
  { "privileged", schema.boolean {}, class = "ignored", reason = "a VM has a kernel of its own" },
  { "provenance", any_text, class = "ignored", reason = NO_BUILDER },
  { "sbom", any_text, class = "ignored", reason = NO_BUILDER },
}, {
  canonical = function(value, at)
    if value.dockerfile and value.dockerfile_inline then
      at:report("dockerfile and dockerfile_inline exclude each other; keep one")
    end
    return value
  end,
})

return schema.either {
  text = schema.text { wanted = "the path of a directory" }, map = build,
  canonical = function(value) return type(value) == "string" and { context = value } or value end,
}
