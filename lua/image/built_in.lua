--- The distributions of the catalogue that is built in, each loaded when it is needed first. Pure.
local lazy = require "holos.core.lazy"

local M = {}

M.distributions = {
  almalinux = lazy "holos.image.catalogue.almalinux", alpine = lazy "holos.image.catalogue.alpine",
  arch = lazy "holos.image.catalogue.arch", ["centos-stream"] = lazy "holos.image.catalogue.centos_stream",
  debian = lazy "holos.image.catalogue.debian", fedora = lazy "holos.image.catalogue.fedora",
  opensuse = lazy "holos.image.catalogue.opensuse", rocky = lazy "holos.image.catalogue.rocky",
  ubuntu = lazy "holos.image.catalogue.ubuntu",
}

--- Other names that people use; here, so that finding one loads no other distribution.
M.also = { alma = "almalinux", archlinux = "arch", centos = "centos-stream", leap = "opensuse", rockylinux = "rocky" }

return M
