--- Ubuntu: https://cloud-images.ubuntu.com/releases/. Pure data.
--
-- Dated directories are removed after some months; "release" is the newest one. The lists are signed with the UEC Image
-- Automatic Signing Key D2EB 4462 6FDD C30B 513D 5BB7 1A5D 6C4C 7DB8 7C81.
local ROOT = "https://cloud-images.ubuntu.com/releases/"

return {
  name = "ubuntu", default = "24.04", user = "ubuntu", family = "debian", os = "systemd", share_driver = "virtiofs",
  least_memory_mib = 512, architectures = { x86_64 = "amd64", aarch64 = "arm64" }, checksums = "{directory}/SHA256SUMS",
  format = "qcow2", signature = { kind = "list", suffix = ".gpg", keyring = "ubuntu-cloudimage-keyring.gpg" },
  note = "address, checksum and least memory are as published elsewhere, not tried",
  versions = {
    { tag = "24.04", also = { "noble", "24" }, build = "20260911",
      url = ROOT .. "noble/release-{build}/ubuntu-24.04-server-cloudimg-{architecture}.img",
      latest = { url = ROOT .. "noble/release/ubuntu-24.04-server-cloudimg-{architecture}.img" },
      digests = {
        x86_64 = "sha256:612b2c0cc1bc413a6cb8c38fd611794caf0f2b436c50013d8b3794db12ad7354",
        aarch64 = "sha256:7b682958a67ff5de068e36de6af8b75fa645d296af5a70d6500527f6a33781db",
      } },
    { tag = "26.04", also = { "resolute", "26" }, build = "20260918",
      url = ROOT .. "resolute/release-{build}/ubuntu-26.04-server-cloudimg-{architecture}.img",
      latest = { url = ROOT .. "resolute/release/ubuntu-26.04-server-cloudimg-{architecture}.img" },
      digests = {
        x86_64 = "sha256:4908fb59ccd4e87ae4e8e973b7ef56f535448eacb24a87fd787270c0048987bc",
        aarch64 = "sha256:8dc812bc6356d0abf825d8029f25f1b71f02cb103e1d0cc5c17fbb2572322972",
      } },
    { tag = "22.04", also = { "jammy", "22" }, build = "20260913",
      url = ROOT .. "jammy/release-{build}/ubuntu-22.04-server-cloudimg-{architecture}.img",
      latest = { url = ROOT .. "jammy/release/ubuntu-22.04-server-cloudimg-{architecture}.img" },
      digests = {
        x86_64 = "sha256:9144540e8af7637d258b50dbabe82ce1aa6752c9574fedfb048270da0e087899",
        aarch64 = "sha256:ab5fcc80611a98bf999018045119d87b3a0e7c78f3b43b254b93d5c22bae3ff6",
      } },
  },
}
