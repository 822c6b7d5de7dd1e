--- Where paths of the host stand in a document as it is written: `fields` by key, `each` for every key of a mapping, and
--- at the end the form, one of holos.compose.relocate.forms. Data.
local service = { fields = {
  image = "image", volumes = "mounts", vm = { fields = { allow_paths = "paths" } },
  cloud_init = { fields = { user_data = "paths" } }, env_file = "paths", label_file = "paths", build = "build",
  dockerfile = "paths", cdrom = "paths", iso = "paths",
  boot = { fields = { kernel = "paths", initrd = "paths", firmware = "firmware" } },
} }

local sourced = { each = { fields = { file = "paths" } } }

return { fields = { services = { each = service }, volumes = { each = { fields = { device = "paths" } } }, configs = sourced,
  secrets = sourced } }
