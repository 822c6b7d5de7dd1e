--- services.*.cloud_init: what is done in the guest at its first start. Data.
local permissions = require "holos.compose.permissions"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local user = schema.text {
  pattern = "[a-z_][a-z0-9_-]*", most = 32, wanted = "a user name of lower-case letters, digits, \"_\" and \"-\"",
}

local package = schema.text {
  pattern = "[%w][%w.+:~=/*_@<>-]*", wanted = "the name of one package", hint = "one package in an item",
}

local guest_path = schema.text {
  pattern = "/.*", wanted = "an absolute path in the guest",
  check = function(value)
    if value:find("%c") then return "the path has a control character" end
  end,
}

local file = schema.record {
  { "path", guest_path, required = true, meaning = "Where it goes." },
  { "content", schema.text { empty = true }, default = "", meaning = "What is in it." },
  { "permissions", schema.parsed {
      accepts = { text = true }, wanted = "octal digits in quotes such as \"0644\"",
      hint = "write it in quotes, in octal digits: \"0644\"",
      parse = function(value) return permissions.parse(value) end,
    }, default = "0644", meaning = "Access rights in octal." },
  { "owner", schema.text { pattern = "[%w_][%w_.-]*:?[%w_.-]*", wanted = "USER or USER:GROUP" }, default = "root:root",
    meaning = "Owner and group. Files of others than root are written after users and packages exist." },
  { "defer", schema.boolean {},
    meaning = "Write it late, after users and packages; absent: when the owner is not root." },
  { "encoding", rules.line, class = "later", meaning = "How the content is encoded." },
  { "append", schema.boolean {}, class = "later", idle = false, meaning = "Add to the file that is there." },
  { "source", schema.any {}, class = "later", meaning = "Where the content is fetched from." },
}

local commands = schema.list { of = schema.either {
  text = schema.text {},
  list = schema.list { of = rules.word },
} }

-- Keys of cloud-config that holos decides itself.
local OWNED = {
  { "ssh_keys", reason = "holos makes the host keys and pins them" },
  { "ssh_deletekeys", reason = "holos makes the host keys and pins them" },
  { "hostname", reason = "hostname: of the service says it" },
  { "fqdn", reason = "hostname: and domainname: of the service say it" },
  { "network", reason = "holos gives every guest its networks" },
}

-- The other top-level keys that cloud-init's modules read (cloud-init 22.4 to 24.4, "Module reference").
local PASSED = [[
  ansible apk_repos apt apt_pipelining apt_reboot_if_required apt_update apt_upgrade byobu_by_default ca-certs
  ca_certs chef chpasswd create_hostname_file datasource datasource_list debug device_aliases disable_ec2_metadata
  disable_root disable_root_opts disk_setup drivers fan final_message fs_setup groups growpart grub-dpkg grub_dpkg
  keyboard landscape locale locale_configfile lxd manage_etc_hosts manage_resolv_conf mcollective merge_how
  merge_type migrate mount_default_fields mounts no_ssh_fingerprints ntp output package_reboot_if_required
  package_update package_upgrade password phone_home power_state prefer_fqdn_over_hostname preserve_hostname puppet
  random_seed reporting resize_rootfs resolv_conf rh_subscription rsyslog salt_minion snap spacewalk ssh
  ssh_fp_console_blacklist ssh_genkeytypes ssh_import_id ssh_key_console_blacklist ssh_publish_hostkeys ssh_pwauth
  ssh_quiet_keygen swap system_info timezone ubuntu_advantage ubuntu_pro unverified_modules updates users
  vendor_data wireguard yum_repo_dir yum_repos zypper]]

local fields = {
  { "user", user, change = "reprovision", meaning = "The user that is made, and that exec and checks log in as." },
  { "ssh_authorized_keys", rules.lines, default = {}, change = "reprovision",
    meaning = "Public keys that may log in beside the project's own." },
  { "packages", schema.list { of = package, words_hint = "write a list, one package in an item: [nginx, curl]" },
    default = {}, change = "reprovision",
    meaning = "Packages of the guest's distribution to install." },
  { "write_files", schema.list { of = file }, default = {}, change = "reprovision", meaning = "Files to write." },
  { "bootcmd", commands, default = {}, change = "restart",
    meaning = "Commands run early at every start: text for a shell, or a list of words." },
  { "runcmd", commands, default = {}, change = "reprovision",
    meaning = "Commands run once, last: text for a shell, or a list of words." },
  { "user_data", rules.host_path, change = "reprovision",
    meaning = "A cloud-config file of your own that is merged." },
}
for _, owned in ipairs(OWNED) do fields[#fields + 1] = { owned[1], class = "refused", reason = owned.reason } end

-- One field for all of them: there are many, and most files have none.
local passed = { rule = schema.any {}, class = "works", change = "reprovision", passed = true,
  meaning = "Passed to cloud-init as it is." }
local others = {}
for name in PASSED:gmatch("%S+") do others[name] = passed end

return schema.record(fields, { others = others })
