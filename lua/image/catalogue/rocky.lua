--- Rocky Linux: https://rockylinux.org/download. Pure data.
--
-- Images of older points move to the vault when a new point comes; "latest" is the newest one. Beside each image is its
-- checksum. The kernel has no 9p.
local ROOT = "https://dl.rockylinux.org/pub/rocky/"

return {
  name = "rocky", also = { "rockylinux" }, default = "10", user = "rocky", family = "rhel", os = "systemd",
  share_driver = "virtiofs", least_memory_mib = 1024, architectures = { x86_64 = "x86_64", aarch64 = "aarch64" },
  checksums = "{url}.CHECKSUM", algorithm = "sha256",
  note = "address, checksum and least memory are as published elsewhere, not tried",
  versions = {
    { tag = "10", build = "10.2-20260525.0", quirks = { needs_vga = true, needs_x86_64_v3 = true },
      note = "as published elsewhere, not tried; GRUB is said to hang without a VGA card; wants a CPU of x86-64-v3",
      url = ROOT .. "10/images/{architecture}/Rocky-10-GenericCloud-Base-{build}.{architecture}.qcow2",
      latest = { url = ROOT .. "10/images/{architecture}/Rocky-10-GenericCloud-Base.latest.{architecture}.qcow2" },
      digests = {
        x86_64 = "sha256:9fc9e9ff16888bb68ac39b0392e25c9c92684d50c85f1cce6ab549363bbc4b48",
        aarch64 = "sha256:457c8375e19496f43a25c4a6169fa11237536c53cef6f85a20ea3c5a751aa0f5",
      } },
    { tag = "9", build = "9.8-20260525.0",
      url = ROOT .. "9/images/{architecture}/Rocky-9-GenericCloud-Base-{build}.{architecture}.qcow2",
      latest = { url = ROOT .. "9/images/{architecture}/Rocky-9-GenericCloud-Base.latest.{architecture}.qcow2" } },
  },
}
