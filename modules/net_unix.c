/* Unix sockets by directory and name. sun_path holds 108 bytes, so the kernel is given /proc/self/fd/N/name, where N is
 * the open directory: any depth works. */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int make_address(struct sockaddr_un *address, int directory, const char *name)
{
    if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return -EINVAL;
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", directory, name);
    return (size_t)length < sizeof address->sun_path ? 0 : -ENAMETOOLONG;
}

static int open_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int connect_in(int directory, const char *name)
{
    struct sockaddr_un address;
    int result = make_address(&address, directory, name);
    if (result < 0)
        return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        result = -errno;
        close(fd);
        return result;
    }
    return fd;
}

/* Removes the socket file that a dead listener left. */
static int remove_stale(int directory, const char *name)
{
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    int fd = connect_in(directory, name);
    if (fd >= 0)
        close(fd);
    if (fd != -ECONNREFUSED)
        return -EADDRINUSE;
    return unlinkat(directory, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* The mode of a socket file is the socket's own, less the umask: set before bind, there is no moment with a wider one.
 */
static int bind_in(int fd, int directory, const char *name, mode_t mode)
{
    struct sockaddr_un address;
    int result = make_address(&address, directory, name);
    if (result < 0)
        return result;
    if (fchmod(fd, mode) < 0)
        return -errno;
    if (!bind(fd, (const struct sockaddr *)&address, sizeof address))
        return 0;
    if (errno != EADDRINUSE)
        return -errno;
    result = remove_stale(directory, name);
    if (result < 0)
        return result;
    return bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

int net_listen_unix(const char *directory, const char *name, mode_t mode, int backlog)
{
    int parent = open_directory(directory);
    if (parent < 0)
        return parent;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = fd < 0 ? -errno : bind_in(fd, parent, name, mode);
    if (!result && listen(fd, backlog) < 0)
        result = -errno;
    close(parent);
    if (result < 0 && fd >= 0)
        close(fd);
    return result < 0 ? result : fd;
}

int net_connect_unix(const char *directory, const char *name)
{
    int parent = open_directory(directory);
    if (parent < 0)
        return parent;
    int fd = connect_in(parent, name);
    close(parent);
    return fd;
}

int net_pair(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0 ? -errno : 0;
}
