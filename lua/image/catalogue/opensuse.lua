--- openSUSE: https://get.opensuse.org/leap/. Pure data.
--
-- The Minimal-VM images for clouds. Of Leap 16.0 a numbered build is known for x86_64; what has no number in its name is
-- replaced in place, with the checksum beside it. Leap 15.6 has a kernel without 9p and virtiofs.
local ROOT = "https://download.opensuse.org/"

return {
  name = "opensuse", also = { "leap" }, default = "16.0", user = "opensuse", family = "suse", os = "systemd",
  share_driver = "virtiofs", least_memory_mib = 1024, architectures = { x86_64 = "x86_64", aarch64 = "aarch64" },
  checksums = "{url}.sha256", algorithm = "sha256", signature = { kind = "list", suffix = ".asc", keyring = "opensuse.gpg" },
  note = "address, user and least memory are as published elsewhere, not tried",
  versions = {
    { tag = "16.0", also = { "16", "leap16" }, build = "18.68",
      urls = {
        x86_64 = ROOT .. "distribution/leap/16.0/appliances/Leap-16.0-Minimal-VM.x86_64-Cloud-Build{build}.qcow2",
        aarch64 = ROOT .. "distribution/leap/16.0/appliances/Leap-16.0-Minimal-VM.aarch64-Cloud.qcow2",
      },
      latest = { url = ROOT .. "distribution/leap/16.0/appliances/Leap-16.0-Minimal-VM.{architecture}-Cloud.qcow2" },
      digests = { x86_64 = "sha256:6cd286b06cb065ed65287d3b86cf2676b5972eabe4792c2c841f2a40a33138d6" } },
    { tag = "15.6", also = { "15", "leap15" }, quirks = { no_shares = true },
      note = "as published elsewhere, not tried; its kernel is said to lack 9p and virtiofs (kernel-default has them)",
      url = ROOT .. "distribution/leap/15.6/appliances/openSUSE-Leap-15.6-Minimal-VM.{architecture}-Cloud.qcow2" },
    { tag = "tumbleweed",
      url = ROOT .. "tumbleweed/appliances/openSUSE-Tumbleweed-Minimal-VM.{architecture}-Cloud.qcow2" },
  },
}
