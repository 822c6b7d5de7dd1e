--- Alpine Linux: https://alpinelinux.org/cloud/. Pure data.
--
-- The images with the real cloud-init, not "tiny", which reads a part of it. On x86_64 the one for BIOS. Version and
-- revision are in the name, so an address stays what it is; beside each image is its checksum, alone in a file.
local ROOT = "https://dl-cdn.alpinelinux.org/alpine/"
local BIOS = "releases/cloud/nocloud_alpine-{build}-x86_64-bios-cloudinit-r0.qcow2"
local UEFI = "releases/cloud/nocloud_alpine-{build}-aarch64-uefi-cloudinit-r0.qcow2"

return {
  name = "alpine", default = "3.23", user = "alpine", family = "alpine", os = "openrc", share_driver = "virtiofs",
  least_memory_mib = 256, architectures = { x86_64 = "x86_64", aarch64 = "aarch64" }, checksums = "{url}.sha512",
  algorithm = "sha512", signature = { kind = "image", suffix = ".asc", keyring = "alpine-cloud.gpg" },
  note = "address, least memory and signature are as published elsewhere, not tried",
  versions = {
    { tag = "3.23", build = "3.23.4", urls = { x86_64 = ROOT .. "v3.23/" .. BIOS, aarch64 = ROOT .. "v3.23/" .. UEFI },
      digests = {
        aarch64 = "sha512:737b0eb365944ffcf6da477c059c105bbde222942fd5a8380c07db088365b18d"
          .. "bc60a0f2824ea9a3904d57e194e0d05a7074302c3ebc104d0aecb6ddc6ffd91c",
      } },
    { tag = "3.22", build = "3.22.4", urls = { x86_64 = ROOT .. "v3.22/" .. BIOS, aarch64 = ROOT .. "v3.22/" .. UEFI },
      digests = {
        aarch64 = "sha512:a53620902f99b1fd4591125d348e4385f036d590607f4fa90d6f85fea0248007"
          .. "ec763cc81d025f347ede5bd746b3726cf5eddd461b6c94c35376f71cb7558317",
      } },
    { tag = "3.21", build = "3.21.7", urls = { x86_64 = ROOT .. "v3.21/" .. BIOS, aarch64 = ROOT .. "v3.21/" .. UEFI },
      digests = {
        aarch64 = "sha512:9837b968763c2f620aa81cab3dc26b7f914ffa935245c9e929e339559f0f2fec"
          .. "dfd281e5cf82457ecfd6a9b6726a8a8ec40fb35d99dd8fd9b27d3b76c304dac7",
      } },
  },
}
