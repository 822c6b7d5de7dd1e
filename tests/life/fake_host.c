/* What QEMU does to the host: its command line, its locks on images, its listening ports. */
#include "fake.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("qemu-system-x86_64: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

/* The value of `name` in "driver,name=value,…"; true when it is there. */
bool option_value(const char *options, const char *name, char *value, size_t size)
{
    size_t length = strlen(name);
    for (const char *at = options; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, name, length) || at[length] != '=')
            continue;
        snprintf(value, size, "%.*s", (int)strcspn(at + length + 1, ","), at + length + 1);
        return true;
    }
    return false;
}

static int option_number(const char *options, const char *name, int fallback)
{
    char value[32];
    return option_value(options, name, value, sizeof value) ? atoi(value) : fallback;
}

/* -- settings -------------------------------------------------------------------------------------------------------
 */

static void take_text(char *field, size_t size, const char *value)
{
    snprintf(field, size, "%s", value);
}

static void set(struct settings *settings, const char *key, const char *value)
{
    struct {
        const char *key;
        char *text;
        size_t size;
        int *number;
    } fields[] = {
        { "report", settings->report, sizeof settings->report, NULL },
        { "greeting", settings->greeting, sizeof settings->greeting, NULL },
        { "answer", settings->answer, sizeof settings->answer, NULL },
        { "powerdown", settings->powerdown, sizeof settings->powerdown, NULL },
        { "status", settings->status, sizeof settings->status, NULL },
        { "sigterm", settings->sigterm, sizeof settings->sigterm, NULL },
        { "reason", settings->reason, sizeof settings->reason, NULL },
        { "halt", settings->halt, sizeof settings->halt, NULL },
        { "job", settings->job, sizeof settings->job, NULL },
        { "fail", settings->fail, sizeof settings->fail, NULL },
        { "report_delay_ms", NULL, 0, &settings->report_delay_ms },
        { "shutdown_ms", NULL, 0, &settings->shutdown_ms },
        { "exit_after_ms", NULL, 0, &settings->exit_after_ms },
        { "halt_after_ms", NULL, 0, &settings->halt_after_ms },
        { "exit_code", NULL, 0, &settings->exit_code },
        { "ssh", NULL, 0, &settings->ssh },
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].key, key))
            continue;
        if (fields[i].text)
            take_text(fields[i].text, fields[i].size, value);
        else
            *fields[i].number = atoi(value);
        return;
    }
    die("fake-qemu.conf: unknown setting '%s'", key);
}

/* "web-1", or "web-1@TEXT" where one of the arguments has TEXT in it. */
static bool is_meant(const struct fake *fake, char *who)
{
    char *text = strchr(who, '@');
    if (text)
        *text++ = 0;
    if (strcmp(who, fake->name))
        return false;
    for (int i = 1; text && fake->argv[i]; i++)
        if (strstr(fake->argv[i], text))
            return true;
    return !text;
}

/* "key=value" or "instance: key=value". */
static void take_line(struct fake *fake, char *line)
{
    line[strcspn(line, "#\n")] = 0;
    char *value = strchr(line, '='), *colon = strchr(line, ':'), *key = line;
    if (!value)
        return;
    *value++ = 0;
    if (colon && colon < value) {
        *colon = 0;
        key = colon + 1 + strspn(colon + 1, " ");
        if (!is_meant(fake, line))
            return;
    }
    set(&fake->settings, key, value);
}

void read_settings(struct fake *fake)
{
    char path[4096], line[1024];
    fake->settings = (struct settings){ .report = "auto",
                                        .greeting = "normal",
                                        .answer = "normal",
                                        .powerdown = "obey",
                                        .status = "running",
                                        .halt = "io-error",
                                        .job = "done",
                                        .sigterm = "obey" };
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 32);
    if (length < 0)
        return;
    path[length] = 0;
    strcpy(strrchr(path, '/') + 1, "fake-qemu.conf");
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        take_line(fake, line);
    if (file)
        fclose(file);
    if (fake->settings.fail[0])
        die("%s", fake->settings.fail);
}

/* -- connections to a guest -----------------------------------------------------------------------------------------
 */

/* Bytes from one to the other; false at the end. */
static bool pass_on(int from, int to)
{
    char bytes[16384];
    ssize_t count = read(from, bytes, sizeof bytes), sent = 0;
    while (count > sent) {
        ssize_t written = write(to, bytes + sent, (size_t)(count - sent));
        if (written <= 0)
            return false;
        sent += written;
    }
    return count > 0;
}

/* Gives a connection to a port of the host, in a process of its own that ends with us and holds nothing else of ours. */
void relay(int client, int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    signal(SIGCHLD, SIG_IGN);
    if (fork())
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(client, 0);
    for (int fd = 1; fd < 1024; fd++)
        close(fd);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(server, (struct sockaddr *)&address, sizeof address) < 0)
        _exit(1);
    struct pollfd ends[2] = { { .fd = 0, .events = POLLIN }, { .fd = server, .events = POLLIN } };
    while (poll(ends, 2, -1) > 0)
        for (int i = 0; i < 2; i++)
            if (ends[i].revents && !pass_on(ends[i].fd, ends[1 - i].fd))
                _exit(0);
    _exit(1);
}

/* -- descriptors and locks ------------------------------------------------------------------------------------------
 */

static int set_descriptor(const struct fake *fake, const char *path)
{
    int number = -1;
    if (sscanf(path, "/dev/fdset/%d", &number) == 1)
        return number >= 0 && number < MAX_SETS ? fake->sets[number] : -1;
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* QEMU's locks (block/file-posix.c): byte 100+p is share-locked by who uses permission p, 200+p by who forbids it to
 * others; permission 1 is writing. Each then looks for others' locks that contradict. */
static void lock_byte(int fd, int byte)
{
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    fcntl(fd, F_OFD_SETLK, &lock);
}

static bool others_hold(int fd, int byte)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

bool lock_image(int fd)
{
    bool writes = (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
    lock_byte(fd, 100);
    lock_byte(fd, 201);
    if (writes)
        lock_byte(fd, 101);
    return !(writes && others_hold(fd, 201)) && !others_hold(fd, 101);
}

static void take_blockdev(struct fake *fake, const char *options)
{
    char driver[32], name[64], path[4096];
    text_of(member(options, "node-name"), name, sizeof name);
    if (name[0]) /* as JSON: a format */
        add_node(name, -1);
    if (!option_value(options, "driver", driver, sizeof driver) || (strcmp(driver, "file") && strcmp(driver, "host_device")) ||
        !option_value(options, "filename", path, sizeof path))
        return;
    int number = -1, fd = -1;
    if (sscanf(path, "/dev/fdset/%d", &number) == 1)
        fd = number >= 0 && number < MAX_SETS ? fake->sets[number] : -1;
    else
        fd = open(path, strstr(options, "read-only=on") ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CLOEXEC);
    if (fd < 0 || fcntl(fd, F_GETFL) < 0)
        die("-blockdev %s: Could not open '%s': No such file or directory", options, path);
    if (!lock_image(fd))
        die("-blockdev %s: Failed to get \"write\" lock\nIs another process using the image [%s]?", options, path);
    if (option_value(options, "node-name", name, sizeof name))
        add_node(name, fd);
}

static void take_chardev(struct fake *fake, const char *options)
{
    char path[4096], id[64] = "";
    option_value(options, "id", id, sizeof id);
    if (!strncmp(options, "file,", 5)) {
        if (option_value(options, "path", path, sizeof path) && !strcmp(id, "report"))
            fake->report = set_descriptor(fake, path);
        return;
    }
    int fd = option_number(options, "fd", -1);
    if (strncmp(options, "socket,", 7) || fd < 0 || fake->channel_count == MAX_CHANNELS)
        return;
    if (fcntl(fd, F_GETFD) < 0)
        die("-chardev %s: File descriptor '%d' is not a socket", options, fd);
    struct channel *channel = &fake->channels[fake->channel_count++];
    bool is_server = strstr(options, "server=on");
    channel->listener = is_server ? fd : -1;
    channel->client = is_server ? -1 : fd;
    channel->log = channel->passed = -1;
    snprintf(channel->id, sizeof channel->id, "%s", id);
    if (option_value(options, "logfile", path, sizeof path))
        channel->log = set_descriptor(fake, path);
}

/* -- ports ------------------------------------------------------------------------------------------------------------
 */

/* "tcp:127.0.0.1:8080-:80" */
static bool parse_rule(const char *rule, struct forward *forward)
{
    char protocol[8] = "";
    forward->guest = -1;
    if (sscanf(rule, "%7[a-z]:%63[0-9.]:%d-:%d", protocol, forward->address, &forward->port, &forward->guest) < 3)
        return false;
    forward->is_udp = !strcmp(protocol, "udp");
    return forward->port >= 0 && forward->port <= 65535 && (forward->is_udp || !strcmp(protocol, "tcp"));
}

static int listen_on(struct forward *forward)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)forward->port) };
    socklen_t length = sizeof address;
    int on = 1;
    inet_pton(AF_INET, forward->address, &address.sin_addr);
    forward->fd = socket(AF_INET, (forward->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (!forward->is_udp)
        setsockopt(forward->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(forward->fd, (struct sockaddr *)&address, length) < 0 ||
        (!forward->is_udp && listen(forward->fd, 128) < 0)) {
        close(forward->fd);
        return -1;
    }
    getsockname(forward->fd, (struct sockaddr *)&address, &length);
    forward->port = ntohs(address.sin_port);
    return 0;
}

int add_forward(struct fake *fake, const char *rule)
{
    struct forward *forward = &fake->forwards[fake->forward_count];
    if (fake->forward_count == MAX_FORWARDS || !parse_rule(rule, forward) || forward->guest < 0)
        return -2;
    if (listen_on(forward) < 0)
        return -1;
    fake->forward_count++;
    return 0;
}

bool remove_forward(struct fake *fake, const char *rule)
{
    struct forward wanted;
    if (!parse_rule(rule, &wanted))
        return false;
    for (int i = 0; i < fake->forward_count; i++) {
        struct forward *forward = &fake->forwards[i];
        if (forward->is_udp != wanted.is_udp || forward->port != wanted.port ||
            strcmp(forward->address, wanted.address))
            continue;
        close(forward->fd);
        *forward = fake->forwards[--fake->forward_count];
        return true;
    }
    return false;
}

static void take_netdev(struct fake *fake, const char *options)
{
    char rule[128];
    if (strncmp(options, "user,", 5))
        return;
    for (const char *at = strstr(options, "hostfwd="); at; at = strstr(at + 1, "hostfwd=")) {
        snprintf(rule, sizeof rule, "%.*s", (int)strcspn(at + 8, ","), at + 8);
        int result = add_forward(fake, rule);
        if (result == -1)
            die("-netdev %s: Could not set up host forwarding rule '%s'", options, rule);
        if (result < 0)
            die("-netdev %s: Invalid host forwarding rule '%s' (Bad host port)", options, rule);
    }
}

/* -- the command line
 * --------------------------------------------------------------------------------------------------- */

static void take_name(struct fake *fake, const char *options)
{
    char guest[256] = "";
    option_value(options, "guest", guest, sizeof guest);
    char *slash = strrchr(guest, '/');
    snprintf(fake->name, sizeof fake->name, "%.63s", slash ? slash + 1 : guest);
}

static void take_set(struct fake *fake, const char *options)
{
    int number = option_number(options, "set", -1), fd = option_number(options, "fd", -1);
    if (number < 0 || number >= MAX_SETS || fcntl(fd, F_GETFD) < 0)
        die("-add-fd %s: fd is not valid", options);
    fake->sets[number] = fd;
}

static void take_monitor(struct fake *fake, const char *options)
{
    char id[64] = "";
    option_value(options, "chardev", id, sizeof id);
    for (int i = 0; i < fake->channel_count; i++)
        if (!strcmp(fake->channels[i].id, id))
            fake->channels[i].is_monitor = true;
}

void read_arguments(struct fake *fake, int argc, char **argv)
{
    static const struct {
        const char *flag;
        void (*take)(struct fake *, const char *);
    } first[] = {
        { "-name", take_name }, { "-add-fd", take_set },
    }, second[] = {
        { "-chardev", take_chardev }, { "-blockdev", take_blockdev }, { "-netdev", take_netdev },
    };
    memset(fake->sets, -1, sizeof fake->sets);
    for (int i = 1; i + 1 < argc; i++)
        for (size_t k = 0; k < 2; k++)
            if (!strcmp(argv[i], first[k].flag))
                first[k].take(fake, argv[i + 1]);
    fake->argv = argv;
    read_settings(fake);
    for (int i = 1; i < argc; i++) {
        for (size_t k = 0; i + 1 < argc && k < 3; k++)
            if (!strcmp(argv[i], second[k].flag))
                second[k].take(fake, argv[i + 1]);
        if (!strcmp(argv[i], "-smbios") && i + 1 < argc)
            option_value(argv[i + 1], "serial", fake->instance_id, sizeof fake->instance_id);
        if (!strcmp(argv[i], "-S"))
            fake->status = "prelaunch";
    }
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], "-mon"))
            take_monitor(fake, argv[i + 1]);
}
