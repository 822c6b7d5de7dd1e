--- AlmaLinux OS: https://wiki.almalinux.org/cloud/Generic-cloud.html. Pure data.
--
-- Images of older points move to the vault when a new point comes; "latest" is the newest one. The kernel has no 9p.
local ROOT = "https://repo.almalinux.org/almalinux/"

return {
  name = "almalinux", also = { "alma" }, default = "10", user = "almalinux", family = "rhel", os = "systemd",
  share_driver = "virtiofs", least_memory_mib = 1024, architectures = { x86_64 = "x86_64", aarch64 = "aarch64" },
  checksums = "{directory}/CHECKSUM", algorithm = "sha256",
  signature = { kind = "list", suffix = ".asc", keyring = "almalinux.gpg" },
  note = "address and least memory are as published elsewhere, not tried; version 10 wants a CPU of x86-64-v3",
  versions = {
    { tag = "10", build = "10.2-20260817.0", quirks = { needs_x86_64_v3 = true },
      url = ROOT .. "10/cloud/{architecture}/images/AlmaLinux-10-GenericCloud-{build}.{architecture}.qcow2",
      latest = { url = ROOT .. "10/cloud/{architecture}/images/AlmaLinux-10-GenericCloud-latest.{architecture}.qcow2" } },
    { tag = "9", build = "9.7-20260518", note = "address and least memory are as published elsewhere, not tried",
      url = ROOT .. "9/cloud/{architecture}/images/AlmaLinux-9-GenericCloud-{build}.{architecture}.qcow2",
      latest = { url = ROOT .. "9/cloud/{architecture}/images/AlmaLinux-9-GenericCloud-latest.{architecture}.qcow2" } },
  },
}
