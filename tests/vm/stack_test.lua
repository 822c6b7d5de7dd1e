-- Two services on real guests: names, volumes, shares, health, exec, stop and start, trash.
local stack_ = require "tests.support.stack"
local fs = require "sys.fs"

local STACK = [[
name: pair
services:
  db:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    volumes: ["data:/var/lib/db"]
    stop_grace_period: 20s
    cloud_init:
      runcmd: ["echo kept > /var/lib/db/file", "echo root > /root/file"]
    healthcheck: {test: [test, -s, /var/lib/db/file], interval: 1s, retries: 20}
  web:
    image: IMAGE
    image_os: plain
    depends_on: [db]
    vm: {memory_mb: 256}
    ports: ["0:80"]
    volumes: ["./www:/srv/www:ro", "./rw:/srv/rw"]
    stop_grace_period: 20s
    cloud_init:
      bootcmd: ["busybox httpd -p 80 -h /srv/www"]
volumes:
  data: {size: 256M}
]]

test("a stack of two services lives its whole life on real guests", function()
  local stack <close> = stack_.new { yaml = STACK, image = stack_.image("tiny") }
  assert(fs.mkdir_all(stack.directory .. "/www", 493))
  assert(fs.mkdir_all(stack.directory .. "/rw", 511))
  assert(fs.chmod(stack.directory .. "/rw", 511))
  assert(fs.write_atomic(stack.directory .. "/www/index.html", "hello from the host\n", { mode = 420 }))
  stack:expect { "up" }

  local rows = stack:ps()
  equal(rows["db-0"].status, "healthy")
  equal(rows["web-0"].status, "provisioned")
  local port = rows["web-0"].ports[1].host
  local page = run_tool { "curl", "-s", "--max-time", "20", ("http://127.0.0.1:%d/"):format(port) }
  equal(page.stdout, "hello from the host\n")

  -- names, quoting, exit status, streams
  ok(stack:expect { "exec", "web", "--", "busybox", "ping", "-c", "1", "db" })
  equal(stack:expect { "exec", "web-0", "--", "printf", "%s|", "two words", "it's" }.stdout, "two words|it's|")
  stack:expect({ "exec", "web-0", "--", "sh", "-c", "exit 7" }, 7)
  equal(stack:expect({ "exec", "web-0", "--", "cat" }, 0, { stdin = "piped\0bytes" }).stdout, "piped\0bytes")
  equal(stack_.stderr_of(stack:expect { "exec", "web-0", "--", "sh", "-c", "echo out; echo err >&2" }), "err\n")

  -- a read-only share is readable and nothing else
  equal(stack:expect { "exec", "web-0", "--", "cat", "/srv/www/index.html" }.stdout, "hello from the host\n")
  ok(stack:run { "exec", "web-0", "--", "sh", "-c", "echo x > /srv/www/new" }.status ~= 0)
  ok(stack:run { "exec", "web-0", "--", "chmod", "600", "/srv/www/index.html" }.status ~= 0)
  stack:expect { "exec", "web-0", "--", "sh", "-c", "echo guest > /srv/rw/from-guest" }
  equal(fs.read(stack.directory .. "/rw/from-guest", { max_bytes = 100 }), "guest\n")

  local logs = stack:expect { "logs", "db" }.stdout
  ok(logs:find("is up after", 1, true), "the console is in the logs")
  ok(logs:find("provisioned", 1, true), "the report is in the logs")

  -- the root disk survives stop and start
  stack:expect { "exec", "db-0", "--", "sh", "-c", "echo more >> /root/file" }
  stack:expect { "stop" }
  equal(#stack:pids(), 0)
  stack:expect { "start" }
  equal(stack:expect { "exec", "db-0", "--", "cat", "/root/file" }.stdout, "root\nmore\n")
  equal(stack:ps()["web-0"].ports[1].host, port)

  -- down keeps the volume, the trash keeps the root disk
  stack:expect { "exec", "db-0", "--", "sh", "-c", "echo again >> /var/lib/db/file; sync" }
  stack:expect { "down" }
  equal(#stack:pids(), 0)
  stack:expect { "trash", "restore", "pair" }
  stack:expect { "start" }
  equal(stack:expect { "exec", "db-0", "--", "cat", "/root/file" }.stdout, "root\nmore\n")
  equal(stack:expect { "exec", "db-0", "--", "cat", "/var/lib/db/file" }.stdout, "kept\nagain\n")
end, { timeout_ms = 600000 })

test("50 MB come through exec unharmed, and a wrong host key is refused before anything is run", function()
  local stack <close> = stack_.new { image = stack_.image("tiny"), yaml = [[
name: one
services:
  vm: {image: IMAGE, image_os: plain, vm: {memory_mb: 256}, stop_grace_period: 20s}
]] }
  stack:expect { "up" }
  local sent = stack:expect { "exec", "vm", "--", "sh", "-c",
    "dd if=/dev/urandom of=/tmp/x bs=1M count=50 2>/dev/null; sha256sum < /tmp/x" }
  local got = stack:expect { "exec", "vm", "--", "cat", "/tmp/x" }.stdout
  equal(#got, 50 << 20)
  equal(require("sys.hash").sha256(got), sent.stdout:match("^%x+"))

  local keys = stack.state .. "/ssh/one/host-vm-0"
  local other = assert(require("sys.sshkey").generate("another"))
  assert(fs.write_atomic(keys, other.private, { mode = 384 }))
  assert(fs.write_atomic(keys .. ".pub", other.public .. "\n", { mode = 384 }))
  local refused = stack:run { "exec", "vm", "--", "touch", "/root/ran" }
  equal(refused.status, 255)
  ok(refused.stderr:find("host key", 1, true), refused.stderr)
end, { timeout_ms = 300000 })

test("a failing first step ends up with status 4, the step and its log", function()
  local stack <close> = stack_.new { image = stack_.image("tiny"), yaml = [[
name: bad
services:
  vm:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    cloud_init: {runcmd: ["true", "echo seen here; exit 100", "touch /root/never"]}
]] }
  local result = stack:expect({ "up" }, 4)
  ok(result.stderr:find("step 2, exit 100", 1, true), result.stderr)
  ok(result.stderr:find("seen here", 1, true), result.stderr)
  ok(stack:ps()["vm-0"].status:find("failed", 1, true))
  stack:expect({ "exec", "vm", "--", "test", "-e", "/root/never" }, 1)
end, { timeout_ms = 300000 })
