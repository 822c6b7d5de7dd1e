--- Lists of checksums: as the publishers write them, and as an attacker or an accident would.

local checksum = require "holos.image.checksum"

local A, B = ("a1"):rep(32), ("b2"):rep(32)
local LONG, OTHER = ("c3"):rep(64), ("d4"):rep(64)

local UBUNTU = ("%s *ubuntu-24.04-server-cloudimg-amd64.img\n%s *ubuntu-24.04-server-cloudimg-amd64.img.manifest\n"):format(A, B)
local DEBIAN = ("%s  debian-12-generic-amd64.qcow2\n%s  debian-12-genericcloud-amd64.qcow2\n"):format(LONG, OTHER)
local CENTOS = "# CentOS-10.qcow2: 1234567 bytes\nSHA256 (CentOS-10.qcow2) = " .. A
  .. "\n# b.qcow2: 9 bytes\nSHA256 (b.qcow2) = " .. B .. "\n"

local SIGNED = table.concat({
  "-----BEGIN PGP SIGNED MESSAGE-----", "Hash: SHA256", "",
  "# Fedora-44.qcow2: 583 bytes", "SHA256 (Fedora-44.qcow2) = " .. A,
  "- SHA256 (-dashed.qcow2) = " .. B,
  "-----BEGIN PGP SIGNATURE-----", "", "iQIzBAEBCAAdFiEE", "SHA256 (in-signature.qcow2) = " .. B, "-----END PGP SIGNATURE-----", "",
}, "\n")

local FOUND = {
  { "ubuntu: not the manifest", UBUNTU, "ubuntu-24.04-server-cloudimg-amd64.img", "sha256", A },
  { "ubuntu: the manifest is another file", UBUNTU, "ubuntu-24.04-server-cloudimg-amd64.img.manifest", "sha256", B },
  { "debian", DEBIAN, "debian-12-generic-amd64.qcow2", "sha512", LONG },
  { "debian: a longer name", DEBIAN, "debian-12-genericcloud-amd64.qcow2", "sha512", OTHER },
  { "BSD form with sizes", CENTOS, "CentOS-10.qcow2", "sha256", A },
  { "BSD form without blanks", "SHA256(a.img)=" .. A, "a.img", "sha256", A },
  { "names with brackets", ("SHA256 (a (1).img) = %s\n"):format(A), "a (1).img", "sha256", A },
  { "signed text", SIGNED, "Fedora-44.qcow2", "sha256", A },
  { "signed text: an escaped dash", SIGNED, "-dashed.qcow2", "sha256", B },
  { "carriage returns", UBUNTU:gsub("\n", "\r\n"), "ubuntu-24.04-server-cloudimg-amd64.img", "sha256", A },
  { "no newline at the end", A .. "  a.img", "a.img", "sha256", A },
  { "directories before the name", A .. "  ./images/x/a.img", "a.img", "sha256", A },
  { "star and directory", A .. " *./a.img", "a.img", "sha256", A },
  { "capitals", A:upper() .. "  a.img", "a.img", "sha256", A },
  { "the same line twice", ("%s  a.img\n%s  a.img\n"):format(A, A:upper()), "a.img", "sha256", A },
  { "a name with blanks", A .. "  a b.img", "a b.img", "sha256", A },
  { "both digests: the longer one", ("%s  a.img\n%s  a.img\n"):format(A, LONG), "a.img", "sha512", LONG },
  { "bare", LONG .. "\n", "alpine.qcow2", "sha512", LONG },
  { "bare in capitals and with blanks", "  " .. A:upper() .. " \r\n\n", "x", "sha256", A },
  { "other algorithms are passed over", ("%s  a.img\n%s  a.img\n"):format(("e5"):rep(20), A), "a.img", "sha256", A },
}

local REFUSED = {
  { "nothing", "", "a.img", "no line for a.img" },
  { "only comments", "# a.img\n", "a.img", "no line for a.img" },
  { "another name that contains ours", A .. "  a.img.manifest\n" .. A .. "  b-a.img\n", "a.img",
    "it has others: a.img.manifest, b-a.img" },
  { "our name contains theirs", A .. "  a.img\n" .. A .. "  b\n", "xa.img", "no line for xa.img" },
  { "two digests", ("%s  a.img\n%s  a.img\n"):format(A, B), "a.img", "two different sha256 digests for a.img" },
  { "two digests by directories", ("%s  x/a.img\n%s  y/a.img\n"):format(A, B), "a.img", "two different" },
  { "two forms that differ", ("%s  a.img\nSHA256 (a.img) = %s\n"):format(A, B), "a.img", "two different" },
  { "a lone digest of another file", A .. "  b.img\n", "a.img", "no line for a.img" },
  { "two bare digests", A .. "\n" .. A .. "\n", "a.img", "no line for a.img" },
  { "a bare digest and a word", A .. " \n-\n", "a.img", "no line for a.img" },
  { "MD5 only", ("e5"):rep(16) .. "  a.img\n", "a.img", "no line for a.img" },
  { "a digest too short by one", A:sub(2) .. "  a.img\n", "a.img", "no line for a.img" },
  { "the label does not fit", "SHA512 (a.img) = " .. A, "a.img", "no line for a.img" },
  { "another family", "SHA3-256 (a.img) = " .. A, "a.img", "no line for a.img" },
  { "in the signature, not in what is signed", SIGNED, "in-signature.qcow2", "no line" },
  { "before what is signed", A .. "  a.img\n" .. SIGNED, "a.img", "no line" },
  { "after what is signed", SIGNED .. A .. "  a.img\n", "a.img", "no line" },
  { "in the header of what is signed", SIGNED:gsub("Hash: SHA256\n", "%0" .. A .. "  a.img\n", 1), "a.img", "no line" },
  { "a page instead", "<html><a href=\"a.img\">" .. A .. "</a></html>", "a.img", "no line" },
  { "a zero byte", A .. "  a.img\0.manifest\n", "a.img", "is no text" },
  { "too long", (A .. "  b.img\n"):rep(20000), "a.img", "longer than 1 MiB" },
}

test("digests are found by the whole name of a file", function()
  for _, case in ipairs(FOUND) do
    local got, message = checksum.find(case[2], case[3])
    ok(got, case[1] .. ": " .. tostring(message))
    equal(got, { algorithm = case[4], hex = case[5] }, case[1])
  end
end)

test("a list that says nothing certain of a file is a failure", function()
  for _, case in ipairs(REFUSED) do
    local got, message = checksum.find(case[2], case[3])
    equal(got, nil, case[1])
    ok(message:find(case[4], 1, true), case[1] .. ": " .. message)
  end
end)

test("an algorithm that is asked for is found, or missed by name", function()
  local both = ("%s  a.img\n%s  a.img\n"):format(A, LONG)
  equal(checksum.find(both, "a.img", "sha256"), { algorithm = "sha256", hex = A })
  equal(select(2, checksum.find(DEBIAN, "debian-12-generic-amd64.qcow2", "sha256")),
    "the list of checksums has no sha256 digest for debian-12-generic-amd64.qcow2")
end)

-- What the rule is, in the fewest words: the lines whose name is ours, all alike.
local function model(lines, name)
  local found
  for _, line in ipairs(lines) do
    if line.name == name then
      if found and found ~= line.digest then return nil end
      found = line.digest
    end
  end
  return found
end

test("random lists say what the rule in ten lines says", function()
  local state = 20261121
  local function random(most)
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return state % most + 1
  end
  local names, digests = { "a.img", "a.img.asc", "xa.img", "a.im", "A.img" }, { A, B }
  local forms = { "%s  %s", "%s *%s", "%s  ./%s", "%s *dir/%s" }
  local agreed, refused = 0, 0
  for _ = 1, 2000 do
    local lines, written = {}, { "# list" }
    for position = 1, random(4) do
      lines[position] = { name = names[random(#names)], digest = digests[random(2)] }
      written[#written + 1] = random(5) == 5 and ("SHA256 (%s) = %s"):format(lines[position].name, lines[position].digest)
        or forms[random(#forms)]:format(lines[position].digest, lines[position].name)
    end
    local want, got = model(lines, "a.img"), checksum.find(table.concat(written, "\n"), "a.img")
    equal(got and got.hex, want, table.concat(written, "\n"))
    if want then agreed = agreed + 1 else refused = refused + 1 end
  end
  ok(agreed > 500 and refused > 300, ("%d found, %d refused"):format(agreed, refused))
end)
