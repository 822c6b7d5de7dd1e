--- Fedora Cloud Base: https://fedoraproject.org/cloud/download. Pure data.
--
-- A release keeps its images. The list of checksums holds its own signature; https://fedoraproject.org/fedora.gpg has the
-- keys. The lists are taken from the master, the images from what mirror it names.
local IMAGES = "https://download.fedoraproject.org/pub/fedora/linux/releases/{tag}/Cloud/{architecture}/images/"
local LISTS = "https://dl.fedoraproject.org/pub/fedora/linux/releases/{tag}/Cloud/{architecture}/images/"

return {
  name = "fedora", default = "44", user = "fedora", family = "fedora", os = "systemd", share_driver = "virtiofs",
  least_memory_mib = 1024, architectures = { x86_64 = "x86_64", aarch64 = "aarch64" }, algorithm = "sha256",
  checksums = LISTS .. "Fedora-Cloud-{build}-{architecture}-CHECKSUM", signature = { kind = "inline", keyring = "fedora.gpg" },
  note = "address, checksum and least memory are as published elsewhere, not tried",
  versions = {
    { tag = "44", build = "44-1.7", url = IMAGES .. "Fedora-Cloud-Base-Generic-{build}.{architecture}.qcow2",
      digests = {
        x86_64 = "sha256:28680fe5b371a5a82ebf43a31926e086a168e59949d03969c5093e7071f90b7f",
        aarch64 = "sha256:55c60a3b80d3616a08705afd0459e75fe9f03c54aba7a46e4002a41a72fa0d5b",
      } },
    { tag = "43", build = "43-1.6", url = IMAGES .. "Fedora-Cloud-Base-Generic-{build}.{architecture}.qcow2",
      digests = {
        x86_64 = "sha256:846574c8a97cd2d8dc1f231062d73107cc85cbbbda56335e264a46e3a6c8ab2f",
        aarch64 = "sha256:66031aea9ec61e6d0d5bba12b9454e80ca94e8a79c913d37ded4c60311705b8b",
      } },
  },
}
