-- sys.yaml: the shape of events, limits, encodings; Python's own YAML parser judges what the events are.

local files = require "tests.support.files"
local json = require "sys.json"
local yaml = require "sys.yaml"

local NAMES = {}
for name, kind in pairs(yaml.kinds) do NAMES[kind] = name end

local function list_of(text, options)
  local events = assert(yaml.parse(text, options))
  local lines = {}
  for index, head in ipairs(events.heads) do
    local line, column = head >> 15, head >> 3 & 4095
    local parts = { ("%d:%d %s"):format(line, column, NAMES[head & 7]) }
    parts[#parts + 1] = events.anchors[index] and "&" .. events.anchors[index] or nil
    parts[#parts + 1] = events.tags[index] and "<" .. events.tags[index] .. ">" or nil
    parts[#parts + 1] = events.texts[index] and ("%q"):format(events.texts[index]) or nil
    lines[index] = table.concat(parts, " ")
  end
  return lines
end

test("events in flat arrays, each with its place, anchor, tag and text", function()
  equal(list_of "a: &x 1\nb: [*x, 'q', !!str 2, !reset {}]\nä: |\n  two\n  lines\n", {
    '1:1 document', '1:1 mapping', '1:1 plain "a"', '1:4 plain &x "1"', '2:1 plain "b"', '2:4 sequence',
    '2:5 alias "x"',
    '2:9 quoted "q"', '2:14 plain <tag:yaml.org,2002:str> "2"', '2:23 mapping <!reset>', '2:31 end', '2:32 end',
    '3:1 plain "ä"', '3:4 quoted "two\\\nlines\\\n"', '6:1 end',
  })
end)

test("nothing gives no events", function()
  equal(list_of "", {})
  equal(list_of "# only a comment\n", {})
  equal(yaml.parse("").heads, {})
end)

local function refusal(text, options)
  local events, message, code = yaml.parse(text, options)
  equal(events, nil)
  equal(code, "EINVAL")
  return message
end

test("what is refused, and where", function()
  local cases = {
    { "a: b: c", "1:5: a second" }, { "a:\n\tb: 1", "2:1: a value cannot start with a tab" },
    { "a: 'x", "1:6: the quoted text is not closed" },
    { "a: {b", "2:1: expected \",\" or \"}\"" }, { "[1, 2", "2:1: expected \",\" or \"]\"" },
    { "a: 1\n- b\n", "2:1: expected a key" }, { '"\\q"', "1:2: unknown escape" }, { '"\\ud800"', "1:4: this escape" },
    { '"\\uZZZZ"', "1:4: expected hexadecimal" }, { "%TAG !e! tag:x:\n---\n!e!x y\n", "1:1: a %TAG directive" },
    { "%YAML 3.0\n---\na", "1:1: expected YAML 1.1 or 1.2" },
    { "!<tag:" .. ("x"):rep(300) .. "> a", "1:1: this tag is too long" },
    { '"a\\0b"', "1:1: a NUL character" }, { "a: &\n", "1:5: expected a name" },
    { "!x!y z", "1:1: unknown tag handle" },
    { "a\0b", "1:2: a NUL byte" }, { "ä\n é\1", "2:3: the character U+0001" }, { "a\127", "1:2: the character U+007F" },
    { "a: \194\155", "1:4: the character U+009B" }, { "a\255b", "1:2: this byte is not UTF-8" },
    { "\237\160\128", "1:1: this byte is not UTF-8" }, { "\192\128", "1:1: this byte is not UTF-8" },
    { "\244\144\128\128", "1:1: this byte is not UTF-8" }, { "ab\195", "1:3: this byte is not UTF-8" },
    { "\255\254a\0", "1:1: this is UTF-16" }, { "\254\255\0a", "1:1: this is UTF-16" },
    { "a\239\187\191b", "1:2: the character U+FEFF" },
  }
  for _, case in ipairs(cases) do
    local message = refusal(case[1])
    ok(message:sub(1, #case[2]) == case[2], ("%q: %s"):format(case[1], message))
  end
end)

test("accepted: a byte order mark, CRLF, no newline at the end, NEL and emoji, YAML 1.1 and 1.2", function()
  equal(#list_of "\239\187\191a: 1", 5)
  equal(list_of("a: 1\r\nb: 2\r\n"), list_of("a: 1\nb: 2\n"))
  equal(#list_of "a: '\194\133b 😀'", 5)
  equal(#list_of "%YAML 1.1\n---\na", 2)
  equal(#list_of "%YAML 1.2\n---\na", 2)
end)

test("limits: bytes, values, depth", function()
  equal(refusal("a: 1", { max_bytes = 3 }), "1:1: 4 bytes; at most 3 are read")
  equal(refusal("[a, b, c]", { max_nodes = 3 }), "1:8: more than 3 values in one file")
  equal(#list_of("[a, b, c]", { max_nodes = 4 }), 6)
  equal(refusal("[[[a]]]", { max_depth = 2 }), "1:3: nested deeper than 2 levels")
  equal(refusal(("["):rep(100000)), "1:101: nested deeper than 100 levels")
  equal(refusal(("- "):rep(100000)), "1:201: nested deeper than 100 levels")
  equal(refusal(("{a: "):rep(100000)), "1:401: nested deeper than 100 levels")
  local block = {}
  for level = 1, 200 do block[level] = (" "):rep(level) .. "a:" end
  equal(refusal(table.concat(block, "\n")), "101:102: nested deeper than 100 levels")
end)

test("a megabyte of anything ends soon", function()
  local size = 1 << 20
  for _, piece in ipairs { "a", " ", "\n", "- ", "a: 1\n", "? ", "&a ", "*a ", "!a ", "'", '"\\x41', "#", "---\n",
    "[]\n", "a,", "|\n " } do
    local before = os.clock()
    yaml.parse(piece:rep(size // #piece))
    ok(os.clock() - before < 5, ("%q took %.1f s"):format(piece, os.clock() - before))
  end
end)

test("wrong arguments raise", function()
  raises("unknown option 'max_byte'", yaml.parse, "", { max_byte = 1 })
  raises("integer expected", yaml.parse, "", { max_bytes = "1" })
  raises("string expected", yaml.parse, nil)
end)

local JUDGE = [[
import json, sys
try:
    import yaml
except ImportError:
    sys.exit(77)
for line in sys.stdin:
    out = []
    for e in yaml.parse(json.loads(line), Loader=yaml.SafeLoader):
        name = type(e).__name__
        where = "%d:%d" % (e.start_mark.line + 1, e.start_mark.column + 1)
        if name == "ScalarEvent":
            kind = "plain" if e.style is None else "quoted"
            out.append([where if e.value else "", kind, e.value, e.anchor or "", e.tag or ""])
        elif name == "AliasEvent":
            out.append([where, "alias", e.anchor, "", ""])
        elif name in ("SequenceStartEvent", "MappingStartEvent"):
            out.append([where, name[:-10].lower(), "", e.anchor or "", e.tag or ""])
        elif name in ("SequenceEndEvent", "MappingEndEvent"):
            out.append(["", "end", "", "", ""])
        elif name == "DocumentStartEvent":
            out.append(["", "document", "", "", ""])
    print(json.dumps(out))
]]

local UNPLACED = { ["end"] = true, document = true }

-- Our events in the judge's words. Places of ends, documents and empty values are each parser's own affair.
local function in_judges_words(text)
  local events = assert(yaml.parse(text))
  local rows = {}
  for index, head in ipairs(events.heads) do
    local kind, words = NAMES[head & 7], events.texts[index] or ""
    local scalar = kind == "plain" or kind == "quoted"
    local placed = not UNPLACED[kind] and not (scalar and words == "")
    rows[index] = {
      placed and ("%d:%d"):format(head >> 15, head >> 3 & 4095) or "", kind, words, events.anchors[index] or "",
      events.tags[index] or "",
    }
  end
  return rows
end

local function judge(texts)
  local lines = {}
  for position, text in ipairs(texts) do lines[position] = json.encode(text) end
  local result = run_tool({ "python3", "-c", JUDGE }, { stdin = table.concat(lines, "\n") .. "\n" })
  if result.status == 77 then skip "python3 has no yaml module" end
  equal(result.stderr, "")
  local position = 0
  for line in result.stdout:gmatch("[^\n]+") do
    position = position + 1
    equal(in_judges_words(texts[position]), json.decode(line), texts[position])
  end
  equal(position, #texts)
end

test("an independent parser finds the same events at the same places", function()
  local texts = {
    "a: 1\n", "- a\n- b: c\n  d: e\n-\n", "{a: [b, {c: d}], e: }\n",
    "a: |\n  x\n   y\nb: >-\n  folded\n  text\n\n  more\n",
    "'it''s': \"tab\\there \\u00e4\"\n", "? complex\n: value\n", "a: &x [1]\nb: *x\n<<: {c: d}\n",
    "!!str a: !local b\n",
    "--- a\n--- b\n...\n", "a:\n- b\n-   c\n", "key:    spaced   # comment\n# x\nother: x#y\n", "a: 'multi\n  line'\n",
    "key: plain over\n two lines\n", "http://x:80/y: 22:22\n", "ä: ö\nüü: [é, ñ]\n", "a: |2\n    x\n  y\n",
    "\"a\": 'b'\n'c': \"d\"\n",
  }
  for _, name in ipairs { "my_stack", "health", "everything" } do
    texts[#texts + 1] = files.read(files.directory .. "/golden/right/" .. name .. ".yaml")
  end
  judge(texts)
end)

-- Random nested values in random spelling, valid by construction.
local function spell(depth)
  local kind = math.random(depth > 3 and 3 or 5)
  if kind == 1 then return ("%d"):format(math.random(-1000, 1000)) end
  if kind == 2 then return ("w%x y"):format(math.random(65535)) end
  if kind == 3 then return ('"q\\t%d"'):format(math.random(9)) end
  local items = {}
  for item = 1, math.random(0, 4) do
    items[item] = kind == 4 and spell(depth + 1) or ("k%d: %s"):format(item, spell(depth + 1))
  end
  local open, close = table.unpack(kind == 4 and { "[", "]" } or { "{", "}" })
  return open .. table.concat(items, math.random(2) == 1 and ", " or ",\n  ") .. close
end

test("two hundred random documents, judged", function()
  math.randomseed(20)
  local texts = {}
  for position = 1, 200 do texts[position] = ("a: %s\nb:\n- %s\n-  %s\n"):format(spell(0), spell(0), spell(0)) end
  judge(texts)
end)
