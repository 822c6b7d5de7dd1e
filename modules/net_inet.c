/* TCP and UDP sockets by numeric address, and the kernel's IPv4 routes. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct endpoint {
    struct sockaddr_storage address;
    socklen_t length;
};

static int make_endpoint(struct endpoint *endpoint, const char *address, uint16_t port)
{
    memset(endpoint, 0, sizeof *endpoint);
    struct sockaddr_in *four = (struct sockaddr_in *)&endpoint->address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&endpoint->address;
    if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        endpoint->length = sizeof *four;
        return 0;
    }
    memset(endpoint, 0, sizeof *endpoint);
    if (inet_pton(AF_INET6, address, &six->sin6_addr) != 1)
        return -EINVAL;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    endpoint->length = sizeof *six;
    return 0;
}

static int new_socket(struct endpoint *endpoint, int type, const char *address, uint16_t port)
{
    int result = make_endpoint(endpoint, address, port);
    if (result < 0)
        return result;
    int fd = socket(endpoint->address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

static int allow_reuse(int fd)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ? -errno : 0;
}

static int bind_to(int fd, const struct endpoint *endpoint)
{
    return bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->length) < 0 ? -errno : 0;
}

static int close_unless(int result, int fd)
{
    if (result < 0)
        close(fd);
    return result < 0 ? result : fd;
}

/* A user of a TCP port that sets SO_REUSEADDR, as QEMU does, can bind over the reservation; nobody else can. Without it
 * connections in TIME_WAIT would be in our way as well. libslirp sets it for UDP after its own bind only, so a held UDP
 * port would be lost to QEMU: it is tried, and let go at once. */
int net_reserve(int type, const char *address, uint16_t port)
{
    struct endpoint endpoint;
    int fd = new_socket(&endpoint, type, address, port);
    if (fd < 0)
        return fd;
    int result = type == SOCK_STREAM ? allow_reuse(fd) : 0;
    if (!result)
        result = bind_to(fd, &endpoint);
    fd = close_unless(result, fd);
    if (fd < 0 || type == SOCK_STREAM)
        return fd;
    close(fd);
    return new_socket(&endpoint, type, address, port);
}

int net_listen_tcp(const char *address, uint16_t port, int backlog)
{
    int fd = net_reserve(SOCK_STREAM, address, port);
    if (fd < 0)
        return fd;
    return close_unless(listen(fd, backlog) < 0 ? -errno : 0, fd);
}

int net_connect_tcp(const char *address, uint16_t port)
{
    struct endpoint endpoint;
    int fd = new_socket(&endpoint, SOCK_STREAM, address, port);
    if (fd < 0)
        return fd;
    int result = connect(fd, (const struct sockaddr *)&endpoint.address, endpoint.length) < 0 ? -errno : 0;
    return close_unless(result == -EINPROGRESS ? 0 : result, fd);
}

int net_connect_result(int fd)
{
    struct pollfd state = { .fd = fd, .events = POLLOUT };
    if (poll(&state, 1, 0) == 0)
        return -EINPROGRESS;
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return -errno;
    return -error;
}

int net_bound_port(int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return -errno;
    if (address.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return -EAFNOSUPPORT;
}

/* Splits a line at blanks into at most `most` fields; gives their number. */
static int split_fields(char *line, char *fields[], int most)
{
    int count = 0;
    char *rest = NULL;
    for (char *field = strtok_r(line, " \t\n", &rest); field && count < most; field = strtok_r(NULL, " \t\n", &rest))
        fields[count++] = field;
    return count;
}

static bool read_hex(const char *text, uint32_t *number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 16);
    *number = (uint32_t)value;
    return *text && !*end && value <= UINT32_MAX;
}

/* proc_net(5), "route": Iface Destination Gateway Flags RefCnt Use Metric Mask …; numbers are hexadecimal, addresses in
 * network byte order as the host reads them. RTF_UP is 1. */
int net_parse_route(const char *line, struct net_route *route)
{
    char copy[256], *fields[8];
    uint32_t destination, flags, mask;
    snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
    if (split_fields(copy, fields, 8) != 8 || !read_hex(fields[1], &destination) || !read_hex(fields[3], &flags) ||
        !read_hex(fields[7], &mask) || !(flags & 1))
        return 0;
    snprintf(route->interface, sizeof route->interface, "%s", fields[0]);
    route->destination = ntohl(destination);
    route->prefix = __builtin_popcount(mask);
    return 1;
}
