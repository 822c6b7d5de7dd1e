--- Lists of checksums as publishers of images make them. Pure.
--
-- Which line is ours is decided by the whole name of the file, never by a part of it: lists also name files that begin
-- with the same letters. A list that says nothing of our file is a failure, and so is one that says two things.
local M = {}

local LONGEST_BYTES <const> = 1 << 20

-- Hexadecimal digits of a digest; others (MD5, SHA-1, SHA-384) are passed over.
local ALGORITHMS = { [64] = "sha256", [128] = "sha512" }

local function is_digest(word) return ALGORITHMS[#word] ~= nil and word:find("^%x+$") ~= nil end

-- "*./images/a.img" of a list is the file "a.img": "*" marks bytes, directories are the publisher's.
local function base_name(name)
  return (name:gsub("^%*", ""):gsub("^%./", ""):match("[^/]*$"))
end

-- Name and digest of a line: "<hex>  name", "<hex> *name", or "SHA256 (name) = <hex>".
local function read_line(line)
  local label, name, digest = line:match("^%s*(%w+)%s*%((.-)%)%s*=%s*(%x+)%s*$")
  if label then
    local algorithm = ALGORITHMS[#digest]
    if not algorithm or label:lower():gsub("-", "") ~= algorithm then return end
    return base_name(name), digest
  end
  digest, name = line:match("^%s*(%x+)[ \t]+(.-)%s*$")
  if digest and is_digest(digest) and name ~= "" then return base_name(name), digest end
end

-- The lines that a list consists of: in a signed text the part that is signed, without its escapes.
local function lines_of(text)
  local lines, is_signed, state = {}, text:find("-----BEGIN PGP SIGNED MESSAGE-----", 1, true) ~= nil, "outside"
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    if line:find("^%-%-%-%-%-BEGIN PGP SIGNED MESSAGE") then state = "header"
    elseif line:find("^%-%-%-%-%-BEGIN PGP SIGNATURE") then state = "signature"
    elseif line:find("^%-%-%-%-%-END PGP") then state = "outside"
    elseif state == "header" then state = line == "" and "signed" or "header"
    elseif state == "signed" or state == "outside" and not is_signed then lines[#lines + 1] = line:gsub("^%- ", "") end
  end
  return lines
end

-- The digest of a file that holds nothing else: one word, and only one.
local function bare(lines)
  local words = {}
  for _, line in ipairs(lines) do
    for word in line:gmatch("%S+") do words[#words + 1] = word end
  end
  return #words == 1 and is_digest(words[1]) and words[1] or nil
end

local function missing(lines, file_name)
  local close = {}
  for _, line in ipairs(lines) do
    local name = read_line(line)
    if name and #close < 3 and name:find(file_name, 1, true) then close[#close + 1] = name end
  end
  local others = #close > 0 and (" (it has others: %s)"):format(table.concat(close, ", ")) or ""
  return nil, ("the list of checksums has no line for %s%s"):format(file_name, others)
end

local function differ(file_name, algorithm)
  return nil, ("the list of checksums has two different %s digests for %s"):format(algorithm, file_name)
end

-- The digests that a list has for a file, by algorithm.
local function collect(lines, file_name)
  local found = {}
  for _, line in ipairs(lines) do
    local name, digest = read_line(line)
    if name == file_name then
      local algorithm, hex = ALGORITHMS[#digest], digest:lower()
      if found[algorithm] and found[algorithm] ~= hex then return differ(file_name, algorithm) end
      found[algorithm] = hex
    end
  end
  return found
end

--- What a list of checksums says of a file: its strongest digest.
---@param text string  of the list
---@param file_name string  without directories
---@param algorithm ("sha256"|"sha512")?  wanted; nil: the longest one
---@return {algorithm: "sha256"|"sha512", hex: string}? checksum
---@return string? message
function M.find(text, file_name, algorithm)
  if #text > LONGEST_BYTES then return nil, "the list of checksums is longer than 1 MiB" end
  if text:find("\0", 1, true) then return nil, "the list of checksums is no text" end
  local lines = lines_of(text)
  local lone = bare(lines)
  local found, message = lone and { [ALGORITHMS[#lone]] = lone:lower() }
  if not found then found, message = collect(lines, file_name) end
  if not found then return nil, message end
  for _, name in ipairs { "sha512", "sha256" } do
    if found[name] and (algorithm == nil or algorithm == name) then return { algorithm = name, hex = found[name] } end
  end
  if next(found) then return nil, ("the list of checksums has no %s digest for %s"):format(algorithm, file_name) end
  return missing(lines, file_name)
end

return M
