--- Where a guest asks for names: dns, dns_search, dns_opt. Pure.
--- Guests with cloud-init have servers and domains by their network's configuration (see cloudinit), and options here:
--- no network configuration knows them. Plain guests have all of it here.
local library = require "holos.plan.seed.library"
local table_ = require "holos.core.table"

local M = {}

M.FUNCTIONS = [[

# What was there before us is kept, and put back while nobody else has written a file since. It may be a link.
holos_restore_resolver() {
    holos_kept=$holos_books/resolv.conf
    if [ ! -L /etc/resolv.conf ] && cmp -s /etc/resolv.conf "$holos_kept.ours"; then
        rm -f /etc/resolv.conf.new
        if [ -L "$holos_kept" ] || [ -e "$holos_kept" ]; then
            cp -P "$holos_kept" /etc/resolv.conf.new && mv /etc/resolv.conf.new /etc/resolv.conf || return 1
        else
            rm -f /etc/resolv.conf
        fi
    fi
    rm -f "$holos_kept.ours" && rm -f "$holos_kept"
}

# Lines of ours win over lines of that kind that are there; without servers of ours those that DHCP gave stay. A link can
# lead to a file that this boot has not made yet: then the servers are those of the last one.
holos_write_resolver() {
    holos_resolver=/run/holos/resolv.conf
    cat /etc/resolv.conf >"$holos_resolver.last" 2>/dev/null
    holos_restore_resolver || return 1
    cat "$holos_here/resolver" >"$holos_resolver" || return 1
    for holos_word in nameserver search options; do
        grep -q "^$holos_word " "$holos_resolver" || grep "^$holos_word " /etc/resolv.conf >>"$holos_resolver" 2>/dev/null
    done
    if ! grep -q '^nameserver ' "$holos_resolver" && ! grep '^nameserver ' "$holos_resolver.last" >>"$holos_resolver"; then
        echo "/etc/resolv.conf names no server to add to"
        return 1
    fi
    if cmp -s "$holos_resolver" /etc/resolv.conf; then return 0; fi
    if [ -L /etc/resolv.conf ] || [ -e /etc/resolv.conf ]; then cp -P /etc/resolv.conf "$holos_kept" || return 1; fi
    cp "$holos_resolver" "$holos_kept.ours" && sync || return 1
    if [ -L /etc/resolv.conf ]; then rm -f /etc/resolv.conf; fi
    cat "$holos_resolver" >/etc/resolv.conf
}
]]

local function is_written(spec)
  if spec.image.os == "plain" then return spec.dns or spec.dns_search or spec.dns_options end
  return spec.dns_options
end

--- The line of boot.sh. Also where nothing is asked for: it may have been before.
function M.line(spec)
  return library.attempt("resolver", is_written(spec) and "holos_write_resolver" or "holos_restore_resolver")
end

local function text(spec)
  local lines = {}
  if spec.image.os == "plain" then
    for _, server in ipairs(spec.dns or {}) do lines[#lines + 1] = "nameserver " .. server end
  end
  if spec.dns_search then lines[#lines + 1] = "search " .. table.concat(spec.dns_search, " ") end
  if spec.dns_options then lines[#lines + 1] = "options " .. table.concat(spec.dns_options, " ") end
  return table.concat(lines, "\n") .. "\n"
end

---@return {name: string, data: string}[]
function M.files(spec)
  return is_written(spec) and { { name = "holos/resolver", data = text(spec) } } or {}
end

--- What network-config says of it, for the card to the outside.
function M.configure(spec, card)
  if not spec.dns and not spec.dns_search then return end
  card.nameservers = { addresses = spec.dns and table_.copy(spec.dns), search = spec.dns_search and table_.copy(spec.dns_search) }
  if spec.dns then card["dhcp4-overrides"] = { ["use-dns"] = false } end
end

return M
