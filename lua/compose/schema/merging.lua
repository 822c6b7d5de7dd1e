--- What is merged in a way of its own, by place: `fields` by key, `each` for every key of a mapping. Data.
--
-- Without a word here mappings are merged key by key, lists are appended, scalars are replaced. `how` names one of
-- holos.compose.merge.ways; `unique` what an item of a list is known by, one of holos.compose.unicity's functions.

-- Both sides as they are written: ["K=V"] or {K: V}.
local pairs_ = { how = "pairs" }
-- A text or a list of texts.
local words = { how = "words", unique = "value" }
local replaced = { how = "replace" }

local values = { unique = "value" }
local hosts = { how = "hosts", unique = "host" }
local labelled = { each = { fields = { labels = pairs_ } } }

local build = { how = "build", fields = {
  args = pairs_, labels = pairs_, additional_contexts = pairs_, extra_hosts = hosts, platform = values, platforms = values,
  tags = values, ulimits = { each = replaced },
} }

local cloud_init = { fields = {
  packages = values, ssh_authorized_keys = values, write_files = { unique = "file" },
} }

local network = { fields = { aliases = values, link_local_ips = values } }

local service = { fields = {
  annotations = pairs_, build = build, cap_add = values, cap_drop = values, cdrom = { how = "words", unique = "file" },
  cloud_init = cloud_init, command = replaced,
  configs = { unique = "config" }, depends_on = { how = "names" }, deploy = { fields = { labels = pairs_ } },
  devices = { unique = "device" }, dns = words, dns_opt = words, dns_search = words, entrypoint = replaced,
  env_file = { how = "words", unique = "file" }, environment = pairs_, expose = values, extra_hosts = hosts,
  group_add = values, healthcheck = { fields = { test = replaced } }, label_file = { how = "words", unique = "file" },
  labels = pairs_,
  links = { unique = "name" }, logging = { how = "logging" }, models = { how = "names" },
  networks = { how = "names", each = network }, ports = { unique = "port" }, profiles = values,
  secrets = { unique = "secret" }, sysctls = pairs_, tmpfs = { how = "words", unique = "memory" }, ulimits = { each = replaced },
  vm = { fields = { allow_paths = values } }, volumes = { unique = "mount" },
} }

local networks = { each = { fields = {
  labels = pairs_, ipam = { fields = { config = { how = "join", by = "subnet" } } },
} } }

return { fields = {
  services = { each = service }, networks = networks, volumes = labelled, configs = labelled, secrets = labelled,
} }
