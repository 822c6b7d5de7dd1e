/* sys.net: unix sockets of any path length, loopback sockets, reserved ports, the host's routes. */
#include "sys.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net.h"

/* Linux' own upper limit for listen's backlog since 5.4 (net.core.somaxconn). */
#define BACKLOG_MAX 4096
#define BACKLOG_DEFAULT 16

/* Pushes what an opening function gave, into the closed object at the top of the stack. */
static int give_fd(lua_State *L, int *object, int result, const char *what)
{
    if (result < 0)
        return sys_fail(L, -result, "%s", what);
    *object = result;
    return 1;
}

static uint16_t check_port(lua_State *L, int index)
{
    lua_Integer port = luaL_checkinteger(L, index);
    luaL_argcheck(L, port >= 0 && port <= 65535, index, "a port is 0..65535");
    return (uint16_t)port;
}

/* net.listen_unix(directory, name [, {mode=0600, backlog=16}]) -> fd | nil, message, code
 * Replaces a socket that nobody listens on. EADDRINUSE: somebody does. EEXIST: the name is something else. */
static int l_listen_unix(lua_State *L)
{
    static const char *const known[] = { "mode", "backlog", NULL };
    const char *directory = luaL_checkstring(L, 1), *name = luaL_checkstring(L, 2);
    lua_Integer mode = 0600, backlog = BACKLOG_DEFAULT;
    if (!lua_isnoneornil(L, 3)) {
        sys_check_keys(L, 3, known);
        mode = sys_option_integer(L, 3, "mode", mode, 0, 0777);
        backlog = sys_option_integer(L, 3, "backlog", backlog, 1, BACKLOG_MAX);
    }
    int *fd = sys_fd_new(L);
    int result = net_listen_unix(directory, name, (mode_t)mode, (int)backlog);
    return result < 0 ? sys_fail(L, -result, "%s/%s", directory, name) : give_fd(L, fd, result, name);
}

/* net.connect_unix(directory, name) -> fd | nil, message, code
 * ENOENT: no such socket. ECONNREFUSED: nobody listens any more. EBUSY: too many wait for the listener already. */
static int l_connect_unix(lua_State *L)
{
    const char *directory = luaL_checkstring(L, 1), *name = luaL_checkstring(L, 2);
    int *fd = sys_fd_new(L);
    int result = net_connect_unix(directory, name);
    if (result == -EAGAIN)
        result = -EBUSY;
    return result < 0 ? sys_fail(L, -result, "%s/%s", directory, name) : give_fd(L, fd, result, name);
}

/* net.pair() -> fd, fd | nil, message, code. Connected stream sockets without a name, non-blocking. */
static int l_pair(lua_State *L)
{
    int *first = sys_fd_new(L), *second = sys_fd_new(L);
    int ends[2];
    int result = net_pair(ends);
    if (result < 0)
        return sys_fail(L, -result, "socketpair");
    *first = ends[0];
    *second = ends[1];
    return 2;
}

/* net.peer(fd) -> {pid=, uid=, gid=} | nil, message, code. Who called connect, or listen, on the other end. */
static int l_peer(lua_State *L)
{
    struct {
        pid_t pid;
        uid_t uid;
        gid_t gid;
    } peer; /* unix(7): struct ucred */
    socklen_t length = sizeof peer;
    if (getsockopt(sys_fd_check(L, 1), SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return sys_fail(L, errno, "peer");
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, peer.pid);
    lua_setfield(L, -2, "pid");
    lua_pushinteger(L, peer.uid);
    lua_setfield(L, -2, "uid");
    lua_pushinteger(L, peer.gid);
    lua_setfield(L, -2, "gid");
    return 1;
}

/* net.reserve_port("tcp"|"udp", address, port) -> fd | nil, message, code ("EADDRINUSE", "EACCES", "EADDRNOTAVAIL")
 * A TCP port is held until the descriptor is closed, against all but users that set SO_REUSEADDR, which QEMU does.
 * A UDP port is only found to be free: QEMU could not take one that is held. */
static int l_reserve_port(lua_State *L)
{
    static const char *const names[] = { "tcp", "udp", NULL };
    int type = luaL_checkoption(L, 1, NULL, names) ? SOCK_DGRAM : SOCK_STREAM;
    const char *address = luaL_checkstring(L, 2);
    uint16_t port = check_port(L, 3);
    int *fd = sys_fd_new(L);
    int result = net_reserve(type, address, port);
    return result < 0 ? sys_fail(L, -result, "%s:%d", address, port) : give_fd(L, fd, result, address);
}

/* net.listen_tcp(address, port [, {backlog=16}]) -> fd | nil, message, code. Port 0: any free one, see bound_port. */
static int l_listen_tcp(lua_State *L)
{
    static const char *const known[] = { "backlog", NULL };
    const char *address = luaL_checkstring(L, 1);
    uint16_t port = check_port(L, 2);
    lua_Integer backlog = BACKLOG_DEFAULT;
    if (!lua_isnoneornil(L, 3)) {
        sys_check_keys(L, 3, known);
        backlog = sys_option_integer(L, 3, "backlog", backlog, 1, BACKLOG_MAX);
    }
    int *fd = sys_fd_new(L);
    int result = net_listen_tcp(address, port, (int)backlog);
    return result < 0 ? sys_fail(L, -result, "%s:%d", address, port) : give_fd(L, fd, result, address);
}

/* net.connect_tcp(address, port) -> fd | nil, message, code. On its way: wait for "w", then net.connect_result(fd). */
static int l_connect_tcp(lua_State *L)
{
    const char *address = luaL_checkstring(L, 1);
    uint16_t port = check_port(L, 2);
    int *fd = sys_fd_new(L);
    int result = net_connect_tcp(address, port);
    return result < 0 ? sys_fail(L, -result, "%s:%d", address, port) : give_fd(L, fd, result, address);
}

/* net.connect_result(fd) -> true | nil, "EAGAIN", "w" | nil, message, code ("ECONNREFUSED", …) */
static int l_connect_result(lua_State *L)
{
    int result = net_connect_result(sys_fd_check(L, 1));
    if (result == -EINPROGRESS)
        return sys_again(L, "w");
    if (result < 0)
        return sys_fail(L, -result, "connect");
    lua_pushboolean(L, true);
    return 1;
}

/* net.accept(fd) -> fd, non-blocking | nil, "EAGAIN", "r" | nil, message, code */
static int l_accept(lua_State *L)
{
    int listener = sys_fd_check(L, 1);
    int *fd = sys_fd_new(L);
    *fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (*fd >= 0)
        return 1;
    /* A client that has gone again before it was accepted is none. */
    bool again = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    return again ? sys_again(L, "r") : sys_fail(L, errno, "accept");
}

/* net.bound_port(fd) -> port | nil, message, code */
static int l_bound_port(lua_State *L)
{
    int port = net_bound_port(sys_fd_check(L, 1));
    if (port < 0)
        return sys_fail(L, -port, "bound port");
    lua_pushinteger(L, port);
    return 1;
}

static void push_route(lua_State *L, const struct net_route *route)
{
    char text[INET_ADDRSTRLEN];
    uint32_t destination = htonl(route->destination);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, inet_ntop(AF_INET, &destination, text, sizeof text));
    lua_setfield(L, -2, "destination");
    lua_pushinteger(L, route->prefix);
    lua_setfield(L, -2, "prefix");
    lua_pushstring(L, route->interface);
    lua_setfield(L, -2, "interface");
}

static int push_routes(lua_State *L, const char *text)
{
    struct net_route route;
    lua_Integer count = 0;
    lua_newtable(L);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (net_parse_route(line, &route)) {
            push_route(L, &route);
            lua_rawseti(L, -2, ++count);
        }
    return 1;
}

/* net.parse_routes(text) -> { {destination="10.0.0.0", prefix=8, interface="eth0"}, … }, of a text like /proc/net/route
 */
static int l_parse_routes(lua_State *L)
{
    return push_routes(L, luaL_checkstring(L, 1));
}

/* net.routes() -> as parse_routes | nil, message, code. The IPv4 routes that are up, the default one as 0.0.0.0/0. */
static int l_routes(lua_State *L)
{
    static const char path[] = "/proc/net/route";
    int *fd = sys_fd_new(L);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return sys_fail(L, errno, "%s", path);
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    ssize_t got;
    while ((got = read(*fd, luaL_prepbuffer(&text), LUAL_BUFFERSIZE)) > 0)
        luaL_addsize(&text, (size_t)got);
    int error = got < 0 ? errno : 0;
    luaL_pushresult(&text);
    close(sys_steal_fd(fd));
    return error ? sys_fail(L, error, "%s", path) : push_routes(L, lua_tostring(L, -1));
}

static const luaL_Reg net_functions[] = {
    { "listen_unix", l_listen_unix },
    { "connect_unix", l_connect_unix },
    { "pair", l_pair },
    { "peer", l_peer },
    { "reserve_port", l_reserve_port },
    { "listen_tcp", l_listen_tcp },
    { "connect_tcp", l_connect_tcp },
    { "connect_result", l_connect_result },
    { "accept", l_accept },
    { "bound_port", l_bound_port },
    { "routes", l_routes },
    { "parse_routes", l_parse_routes },
    { NULL, NULL },
};

int luaopen_sys_net(lua_State *L)
{
    luaL_newlib(L, net_functions);
    return 1;
}
