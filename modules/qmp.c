/* sys.qmp: lines over a stream socket, in both directions, bounded. What the lines mean is Lua's business. */
#include "sys.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "qmp_frame.h"

#define QMP_TYPE "sys.qmp"

/* QEMU's longest answer, query-qmp-schema, takes 0.2 MiB with 7.2. */
#define FRAME_BYTES_DEFAULT ((lua_Integer)4 << 20)
#define FRAME_BYTES_MAX ((lua_Integer)256 << 20)

/* Reads for one try_receive: after that the other tasks get their turn. */
#define READS_PER_CALL 16

struct qmp {
    int fd;
    size_t sent; /* bytes of the line being sent that are on their way */
    struct qmp_frame frame;
};

static struct qmp *check_qmp(lua_State *L)
{
    struct qmp *qmp = luaL_checkudata(L, 1, QMP_TYPE);
    luaL_argcheck(L, qmp->fd >= 0, 1, "closed");
    return qmp;
}

/* qmp.attach(fd [, {max_frame_bytes=4194304}]) -> connection
 * Takes the descriptor over: the object given, when it is one, is closed. It must not block. */
static int l_attach(lua_State *L)
{
    static const char *const known[] = { "max_frame_bytes", NULL };
    int *given = luaL_testudata(L, 1, SYS_FD);
    int fd = sys_fd_check(L, 1);
    lua_Integer limit = FRAME_BYTES_DEFAULT;
    if (!lua_isnoneornil(L, 2)) {
        sys_check_keys(L, 2, known);
        limit = sys_option_integer(L, 2, "max_frame_bytes", limit, 1, FRAME_BYTES_MAX);
    }
    struct qmp *qmp = lua_newuserdatauv(L, sizeof *qmp, 0);
    *qmp = (struct qmp){ .fd = -1 };
    qmp_frame_init(&qmp->frame, (size_t)limit);
    luaL_setmetatable(L, QMP_TYPE);
    qmp->fd = given ? sys_steal_fd(given) : fd;
    return 1;
}

/* Sends some of a text and a line's end; with the first byte goes a descriptor, when `passed` is one. */
static ssize_t send_some(int fd, const char *text, size_t length, int passed)
{
    struct iovec parts[] = { { .iov_base = (void *)text, .iov_len = length }, { .iov_base = "\n", .iov_len = 1 } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    if (passed >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &passed, sizeof passed);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool is_gone(int errnum)
{
    return errnum == EPIPE || errnum == ECONNRESET || errnum == ENOTCONN;
}

/* connection:try_send(line [, fd]) -> true | nil, "EAGAIN", "w" | nil, message, code ("EPIPE": the peer has closed)
 * The line's end is added. After EAGAIN call again with the same line: what was sent is not sent twice. `fd` is passed
 * along (SCM_RIGHTS), as the command add-fd wants it. */
static int l_try_send(lua_State *L)
{
    struct qmp *qmp = check_qmp(L);
    size_t length;
    const char *line = luaL_checklstring(L, 2, &length);
    int passed = lua_isnoneornil(L, 3) ? -1 : sys_fd_check(L, 3);
    luaL_argcheck(L, !memchr(line, '\n', length), 2, "one line");
    while (qmp->sent <= length) {
        ssize_t put = send_some(qmp->fd, line + qmp->sent, length - qmp->sent, qmp->sent ? -1 : passed);
        if (put < 0 && (errno == EAGAIN || errno == EINTR))
            return sys_again(L, "w");
        if (put < 0)
            return sys_fail(L, is_gone(errno) ? EPIPE : errno, "QMP");
        qmp->sent += (size_t)put;
    }
    qmp->sent = 0;
    lua_pushboolean(L, true);
    return 1;
}

/* 1 = bytes came, 0 = none now, else -errno; the peer's end is -EPIPE. */
static int read_more(struct qmp *qmp)
{
    char *space;
    long size = qmp_frame_space(&qmp->frame, &space);
    if (size < 0)
        return (int)size;
    ssize_t got = recv(qmp->fd, space, (size_t)size, MSG_DONTWAIT);
    if (got > 0) {
        qmp_frame_filled(&qmp->frame, (size_t)got);
        return 1;
    }
    if (!got || is_gone(errno)) /* QEMU that dies with our bytes unread makes a reset of its end */
        return -EPIPE;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* connection:try_receive() -> line without its end | nil, "EAGAIN", "r" | nil, message, code
 * EPIPE: the peer has closed; EMSGSIZE: its line is over the limit, and nothing more can be read. */
static int l_try_receive(lua_State *L)
{
    struct qmp *qmp = check_qmp(L);
    const char *line;
    size_t length;
    int result = qmp_frame_next(&qmp->frame, &line, &length);
    for (int reads = 0; !result && reads < READS_PER_CALL; reads++) {
        int came = read_more(qmp);
        result = came > 0 ? qmp_frame_next(&qmp->frame, &line, &length) : came;
        if (!came)
            break;
    }
    if (result < 0)
        return result == -EMSGSIZE ? sys_refuse(L, "EMSGSIZE", "QMP: a line of more than %zu bytes", qmp->frame.limit)
                                   : sys_fail(L, -result, "QMP");
    if (!result)
        return sys_again(L, "r");
    lua_pushlstring(L, line, length);
    return 1;
}

/* connection:fileno() -> the descriptor's number */
static int l_fileno(lua_State *L)
{
    lua_pushinteger(L, check_qmp(L)->fd);
    return 1;
}

/* connection:shutdown() -> true. Both directions: who waits for this connection reads its end. */
static int l_shutdown(lua_State *L)
{
    shutdown(check_qmp(L)->fd, SHUT_RDWR); /* a peer that has gone already is just as well */
    lua_pushboolean(L, true);
    return 1;
}

/* connection:close() -> true. Idempotent; also __close and __gc. */
static int l_close(lua_State *L)
{
    struct qmp *qmp = luaL_checkudata(L, 1, QMP_TYPE);
    int fd = sys_steal_fd(&qmp->fd);
    if (fd >= 0)
        close(fd);
    qmp_frame_free(&qmp->frame);
    lua_pushboolean(L, true);
    return 1;
}

static const luaL_Reg qmp_functions[] = { { "attach", l_attach }, { NULL, NULL } };
static const luaL_Reg qmp_methods[] = {
    { "try_send", l_try_send }, { "try_receive", l_try_receive },
    { "fileno", l_fileno },     { "shutdown", l_shutdown },
    { "close", l_close },       { NULL, NULL },
};
static const luaL_Reg qmp_meta[] = { { "__gc", l_close }, { "__close", l_close }, { NULL, NULL } };

int luaopen_sys_qmp(lua_State *L)
{
    luaL_newmetatable(L, QMP_TYPE);
    luaL_setfuncs(L, qmp_meta, 0);
    luaL_newlib(L, qmp_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, qmp_functions);
    return 1;
}
