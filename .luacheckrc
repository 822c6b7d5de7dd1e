-- luacheck: what holos.c gives to scripts, and what the test runner defines.
std = "lua54"
max_line_length = 132
self = false
exclude_files = { "build" }
-- Variables that are held for their __close: leaving the block is their use, which luacheck does not see.
ignore = { "211/_.*", "212/_.*", "211/held", "211/saved" }
files["tests"] = { globals = { "test", "equal", "raises", "failure", "says", "ok", "skip", "golden", "tmpdir", "run_tool" } }
