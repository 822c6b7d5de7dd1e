--- Debian: https://cloud.debian.org/images/cloud/. Pure data.
--
-- "genericcloud" has the kernel for virtual machines, which is small and lacks 9p; "generic" has the full one. Not
-- "nocloud": that one has no SSH server. The lists of checksums are not signed.
local ROOT = "https://cloud.debian.org/images/cloud/"
local CHECKSUMS = "{directory}/SHA512SUMS"

return {
  name = "debian", default = "12", user = "debian", family = "debian", os = "systemd", share_driver = "virtiofs",
  least_memory_mib = 512, architectures = { x86_64 = "amd64", aarch64 = "arm64" }, checksums = CHECKSUMS,
  note = "address, checksum and least memory are as published elsewhere, not tried",
  versions = {
    { tag = "12", also = { "bookworm" }, build = "20260923-2610",
      url = ROOT .. "bookworm/{build}/debian-12-genericcloud-{architecture}-{build}.qcow2",
      latest = { url = ROOT .. "bookworm/latest/debian-12-genericcloud-{architecture}.qcow2" },
      digests = {
        x86_64 = "sha512:3d94c9dd66d8a283fde060b8810373b7ae04038b956ee00d553d1ae564f6fbde"
          .. "aa2fd6e7404e87e53348b5a9509170f3ea7c0731ba737590c5c4cb8d559a47f8",
        aarch64 = "sha512:89a752d5c7d8e88bee39a57d88d496cca574f7d1e8df5df7a169825435f99feb"
          .. "11ed13ab27ec7bee96fe1584be4ff9479358fbca6cc859efa109f4aba18724c8",
      } },
    { tag = "13", also = { "trixie" }, build = "20260712-2537", quirks = { needs_vga = true },
      note = "address, checksum and least memory are as published elsewhere, not tried; GRUB is said to hang without a VGA card",
      url = ROOT .. "trixie/{build}/debian-13-genericcloud-{architecture}-{build}.qcow2",
      latest = { url = ROOT .. "trixie/latest/debian-13-genericcloud-{architecture}.qcow2" },
      digests = {
        x86_64 = "sha512:7ae53e9dbee282bfc16f289dec483dde3a8598769c38a267948310f7a2a52c66"
          .. "2620198603bc52c142627efba379863d16079698a10b34102d55bcedd40e8d32",
        aarch64 = "sha512:8543d795f2fde630eb66c492f245a8c1da19dedc636e0a8e7b3d0f95920e1a05"
          .. "aa911ef2d82d177d41cc53ced5fccbd2a3945d07fa5e15018914c4d864bb07ed",
      } },
    { tag = "12-generic", also = { "bookworm-generic" }, build = "20260821-2577", share_driver = "9p",
      url = ROOT .. "bookworm/{build}/debian-12-generic-{architecture}-{build}.qcow2",
      latest = { url = ROOT .. "bookworm/latest/debian-12-generic-{architecture}.qcow2" },
      digests = {
        x86_64 = "sha512:ee13344d530f70ca055d880e5c9b61e9af89874af02c5e2a5c26724461c79409"
          .. "e6d76db97c67ab222e71d03c3e33a738a8958fa5c497962f592258e9835cfcb0",
      } },
    { tag = "13-generic", also = { "trixie-generic" }, build = "20260914-2601", share_driver = "9p",
      quirks = { needs_vga = true },
      url = ROOT .. "trixie/{build}/debian-13-generic-{architecture}-{build}.qcow2",
      latest = { url = ROOT .. "trixie/latest/debian-13-generic-{architecture}.qcow2" },
      digests = {
        x86_64 = "sha512:a733e7d49442a03e70d03e4eb5aaf3967f3efc69ef70952f9bb10fc1ee2c4876"
          .. "eb95956b5ad2d31350e5fada768feb651352535fb8cd1233f61998a5a7d2e93c",
      } },
  },
}
