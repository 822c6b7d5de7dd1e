--- The Dockerfile of docs/dockerfile.md is one, and Docker's own checks have nothing to say about it.

local evaluate = require "holos.dockerfile.evaluate"
local lint = require "holos.dockerfile.lint"
local source = require "tests.support.source"

test("the example of docs/dockerfile.md", function()
  local example = source.file("docs/dockerfile.md").text:match("\n```dockerfile\n(.-)```\n")
  local recipe, ast = evaluate.read(example, { architecture = "x86_64" })
  ok(recipe, "it is refused")
  equal({ #recipe.steps, recipe.from.text, recipe.user, recipe.expose[1].port }, { 3, "debian:12", "www-data", 8000 })
  equal(lint.lint(ast, recipe), {})
end)
