#!/bin/sh
# Served by busybox httpd in each web VM, out of a directory of the host's. It asks the database by name.
printf 'Content-Type: text/plain\r\n\r\n'
printf 'Hello from %s. This page lies on the host, in www/, and is mounted read-only.\n' "$(hostname)"
printf 'The host called "db" (%s) says it is: ' "$(busybox nslookup db 2>/dev/null | sed -n 's/^Address.*: *\(10\.[0-9.]*\).*/\1/p' | tail -n 1)"
busybox wget -qO- http://db:5432/name
