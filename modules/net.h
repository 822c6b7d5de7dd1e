/* Sockets and routes for sys.net. No lua.h here. All functions give >= 0 or -errno; descriptors close on exec. */
#ifndef HOLOS_NET_H
#define HOLOS_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A listening stream socket `name` in `directory`, of any path length. One that nobody listens on any more is replaced;
 * -EADDRINUSE when somebody does, -EEXIST when something else has the name. */
int net_listen_unix(const char *directory, const char *name, mode_t mode, int backlog);

/* Connected and non-blocking; -EAGAIN when the listener's backlog is full. */
int net_connect_unix(const char *directory, const char *name);

/* Two ends that are connected with each other and have no name. */
int net_pair(int ends[2]);

/* `type` is SOCK_STREAM or SOCK_DGRAM, `address` numeric IPv4 or IPv6. A TCP socket is bound, not
 * listening; a UDP port is only looked at, and the socket given is not bound. */
int net_reserve(int type, const char *address, uint16_t port);

int net_listen_tcp(const char *address, uint16_t port, int backlog);

/* Non-blocking; the connection may still be on its way. */
int net_connect_tcp(const char *address, uint16_t port);

/* 0 when the connection stands, -EINPROGRESS while it is on its way, else why it failed. */
int net_connect_result(int fd);

/* The port a socket is bound to. */
int net_bound_port(int fd);

struct net_route {
    uint32_t destination; /* host byte order */
    int prefix;
    char interface[16];
};

/* Reads one line of /proc/net/route: 1 and `route` filled, 0 when it is no usable route. */
int net_parse_route(const char *line, struct net_route *route);

#endif
