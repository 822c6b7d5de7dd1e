--- Arch Linux: https://gitlab.archlinux.org/archlinux/arch-boxes. Pure data.
--
-- For x86_64 only. Dated directories are removed after some months; "latest" is the newest one. Signed is the image, with
-- the key 1B9A 1698 4A4E 8CB4 4871 2D2A E0B7 8BF4 326C 6F8F.
local ROOT = "https://geo.mirror.pkgbuild.com/images/"

return {
  name = "arch", also = { "archlinux" }, default = "latest", user = "arch", family = "arch", os = "systemd",
  share_driver = "virtiofs", least_memory_mib = 512, architectures = { x86_64 = "x86_64" }, checksums = "{url}.SHA256",
  algorithm = "sha256", signature = { kind = "image", suffix = ".sig", keyring = "arch-boxes.gpg" },
  note = "address, checksum and least memory are as published elsewhere, not tried",
  versions = {
    { tag = "latest", also = { "rolling" }, build = "20260515.530093",
      url = ROOT .. "v{build}/Arch-Linux-{architecture}-cloudimg-{build}.qcow2",
      latest = { url = ROOT .. "latest/Arch-Linux-{architecture}-cloudimg.qcow2" },
      digests = { x86_64 = "sha256:604c69ad34c65756377e42567e9eed456599841ea95d645f0e4ac57c6f76c3a6" } },
  },
}
