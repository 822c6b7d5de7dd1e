"""Ends TLS for a test: each connection to a loopback port is passed on, without TLS, to a unix socket.

Arguments: unix socket, certificate, key, "1.1" for a server that knows nothing newer than that. Prints its port; ends with
its standard input."""
import os
import socket
import ssl
import sys
import threading

target, certificate, key, version = sys.argv[1:5]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
if version == "1.1":
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
print(listener.getsockname()[1], flush=True)


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass


def serve(connection):
    try:
        connection.settimeout(60)
        tls = context.wrap_socket(connection, server_side=True)
        inner = socket.socket(socket.AF_UNIX)
        inner.connect(target)
    except OSError:
        connection.close()
        return
    def upwards():
        pump(tls, inner)
        try:
            inner.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    threading.Thread(target=upwards, daemon=True).start()
    pump(inner, tls)
    try:
        tls.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    tls.close()
    inner.close()


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
os._exit(0)
