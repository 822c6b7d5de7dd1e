--- Instance specs as seeds take them, for tests. Pure.
local tables = require "holos.core.table"

local M = {}

M.KEYS = { user_public = "ecdsa-sha2-nistp256 AAAAuser holos-demo",
  host_public = "ecdsa-sha2-nistp256 AAAAhost web-0.demo",
  host_private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg==\n-----END OPENSSH PRIVATE KEY-----\n" }

M.HOSTS = { { address = "10.10.0.2", names = { "db-0", "db" } },
  { address = "10.10.0.3", names = { "web-0", "web" } } }

--- Texts that break careless quoting, and the bytes that no text holds.
M.NAUGHTY = {
  "", " ", "it's", '"', "\\", "\\n", "a\nb\n", "\n\n", "\t", "$HOME `id` $(id) ${x}", "-n", "--",
  "*?[a]{b,c}", "!#&|;<>()",
  "# no comment", "key: value", "- item", "%s %d %%", "null", "~", "yes", "0644", "1e3", "{{ jinja }}", "EOF\n", "\r\n",
  "ümlaut 日本 🦊", "\u{85}\u{2028}\u{2029}\u{feff}\u{fffe}\u{80}", "\1\27[31m\127", "a\0b",
  "\255\254\128", "\u{10ffff}",
  ("long "):rep(14000), "'\"'\"'", "\\u0041", "@", "`", "[]", "trailing \\",
}

local PIECES = { "'", '"', "\\", "$", "`", "%", "\n", "\t", "\r", " ", ";", "#", "=", "{", "}", "(", ")", "*", "!", "~",
  "n", "x41", "0", "$HOME", "${A}", "%n", "\\\n", "ü", "\27", "\127", "-", "@", "" }

--- Words made of what breaks quoting, others in every run; a failure names the seed.
---@return string[] words
---@return string seed
function M.random_words(count)
  local first, second = math.randomseed()
  local words = {}
  for i = 1, count do
    local parts = {}
    for j = 1, math.random(1, 8) do parts[j] = PIECES[math.random(#PIECES)] end
    words[i] = table.concat(parts)
  end
  return words, ("seed %d %d"):format(first, second)
end

--- A spec with something of everything; `changes` are laid over it.
---@param os "systemd"|"openrc"|"plain"
function M.new(os, changes)
  return tables.merge({
    generation = 1, project = "demo", service = "web", index = 0, name = "web-0", hostname = "web-0",
    instance_id = "i-0123456789abcdef", user = os == "plain" and "root" or "debian", image = { os = os },
    nics = { { kind = "user", mac = "52:54:01:00:00:01" },
      { kind = "mcast", mac = "52:54:11:00:00:01", address = "10.10.0.3", prefix = 24 } },
    mounts = { { kind = "volume", volume = "data", serial = "vol-data", target = "/srv/my data", read_only = false },
      { kind = "bind", tag = "share1", target = "/srv/www", read_only = true, driver = "9p" },
      { kind = "bind", tag = "share2", target = "/srv/rw", read_only = false, driver = "virtiofs" } },
    console_login = "autologin",
    cloud_init = { ssh_authorized_keys = { "ssh-ed25519 AAAA me@there" }, packages = { "nginx", { "curl", "7.88" } },
      write_files = { { path = "/etc/motd", content = "it's\n", permissions = "0600", owner = "root:root" },
        { path = "/srv/own", content = "x", permissions = "0644", owner = "www-data:www-data" } },
      bootcmd = { "echo early" }, extra = { timezone = "UTC" },
      runcmd = { "systemctl restart nginx", { "touch", "/a b" } } },
  }, changes or {})
end

--- The files of a seed by name.
function M.by_name(files)
  local named = {}
  for _, file in ipairs(files) do named[file.name] = file.data end
  return named
end

return M
