--- CentOS Stream: https://cloud.centos.org/centos/. Pure data.
--
-- Dated images are removed after some months; "latest" is the newest one. The user is cloud-user. The kernel has no 9p.
local ROOT = "https://cloud.centos.org/centos/"

return {
  name = "centos-stream", also = { "centos" }, default = "10", user = "cloud-user", family = "rhel", os = "systemd",
  share_driver = "virtiofs", least_memory_mib = 1024, architectures = { x86_64 = "x86_64", aarch64 = "aarch64" },
  checksums = "{url}.SHA256SUM", algorithm = "sha256",
  note = "address, checksum and least memory are as published elsewhere, not tried",
  versions = {
    { tag = "10", also = { "stream10" }, build = "20260901.0", quirks = { needs_x86_64_v3 = true },
      note = "address, checksum and least memory are as published elsewhere, not tried; wants a CPU of x86-64-v3",
      url = ROOT .. "10-stream/{architecture}/images/CentOS-Stream-GenericCloud-10-{build}.{architecture}.qcow2",
      latest = { url = ROOT .. "10-stream/{architecture}/images/CentOS-Stream-GenericCloud-10-latest.{architecture}.qcow2" },
      digests = { x86_64 = "sha256:d33095d9bb4b3f5a168794b92f174e5e71c031210e63ef75bfd91d9d13a7de01" } },
    { tag = "9", also = { "stream9" }, build = "20260901.0",
      url = ROOT .. "9-stream/{architecture}/images/CentOS-Stream-GenericCloud-9-{build}.{architecture}.qcow2",
      latest = { url = ROOT .. "9-stream/{architecture}/images/CentOS-Stream-GenericCloud-9-latest.{architecture}.qcow2" },
      digests = { x86_64 = "sha256:96cd8355802bd6454f8df8363cc899660a7cd9becf0af947675835e945eb7155" } },
  },
}
