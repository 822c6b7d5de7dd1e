#!/bin/sh
# Served by busybox httpd in each web VM, out of a directory of the host's. It asks the database VM by its name.
printf 'Content-Type: text/plain\r\n\r\n'
printf 'Hello from %s. This page lies on the host, in www/, and is mounted read-only.\n' "$(hostname)"
printf 'The database "db" at %s answers: I am ' "$(awk '/ db$/ || / db / {print $1; exit}' /etc/hosts)"
busybox wget -qO- http://db:5432/name
