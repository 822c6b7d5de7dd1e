/* QMP, as much of it as holos uses. Answers are what QEMU 7.2 gives. */
#include "fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* -- reading JSON: the members of one object, values as slices of the text
 * ----------------------------------------------- */

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static const char *skip_string(const char *at)
{
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at ? at + 1 : at;
}

/* Behind one value, which is taken to be well-formed. */
static const char *skip_value(const char *at)
{
    int depth = 0;
    do {
        at = skip_space(at);
        if (*at == '"') {
            at = skip_string(at);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            depth--;
            at++;
        } else if (*at) {
            at += 1 + strcspn(at + 1, ",:{}[]\" \t");
        }
    } while (*at && depth > 0);
    return at;
}

struct slice member(const char *object, const char *name)
{
    size_t length = strlen(name);
    if (*object != '{')
        return (struct slice){ NULL, 0 };
    for (const char *at = skip_space(object + 1); *at == '"'; at = skip_space(at + (*at == ','))) {
        const char *key = at + 1, *end = skip_string(at), *value = skip_space(end);
        value = skip_space(value + (*value == ':'));
        at = skip_value(value);
        if ((size_t)(end - key) == length + 1 && !strncmp(key, name, length))
            return (struct slice){ value, (size_t)(at - value) };
        at = skip_space(at);
        if (*at != ',')
            break;
    }
    return (struct slice){ NULL, 0 };
}

/* A string's text, with \" and \\ undone; enough for command lines. */
void text_of(struct slice value, char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 1; value.at && i + 1 < value.length && used + 1 < size; i++) {
        i += value.at[i] == '\\';
        text[used++] = value.at[i];
    }
    text[used] = 0;
}

/* -- writing ----------------------------------------------------------------------------------------------------------
 */

static void say(struct channel *channel, const char *text, size_t length)
{
    (void)!send(channel->client, text, length, MSG_NOSIGNAL);
    (void)!send(channel->client, "\r\n", 2, MSG_NOSIGNAL);
}

static void answer(struct channel *channel, struct slice id, const char *kind, const char *value)
{
    static char text[2 * LINE_BYTES];
    int length = id.at ? snprintf(text, sizeof text, "{\"%s\": %s, \"id\": %.*s}", kind, value, (int)id.length, id.at)
                       : snprintf(text, sizeof text, "{\"%s\": %s}", kind, value);
    say(channel, text, (size_t)length);
}

void broadcast(struct fake *fake, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text - 2, format, arguments);
    va_end(arguments);
    memcpy(text + length, "\r\n", 2);
    for (int i = 0; i < fake->channel_count; i++)
        if (fake->channels[i].is_monitor && fake->channels[i].client >= 0 && fake->channels[i].negotiated)
            (void)!send(fake->channels[i].client, text, (size_t)length + 2, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void greet(struct fake *fake, struct channel *channel)
{
    static const char greeting[] = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "
                                   "\"package\": \"fake\"}, \"capabilities\": [\"oob\"]}}";
    static const char garbage[] = "SSH-2.0-OpenSSH_9.2";
    const char *how = fake->settings.greeting;
    channel->negotiated = channel->hanging = false;
    channel->used = 0;
    if (!strcmp(how, "normal"))
        say(channel, greeting, sizeof greeting - 1);
    if (!strcmp(how, "garbage"))
        say(channel, garbage, sizeof garbage - 1);
}

/* -- commands
 * ----------------------------------------------------------------------------------------------------------- */

static void list_forwards(const struct fake *fake, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size,
                                   "\"Hub -1 (net0):\\r\\n  Protocol[State]    FD  Source Address  Port   Dest. "
                                   "Address  Port RecvQ SendQ\\r\\n");
    for (int i = 0; i < fake->forward_count; i++) {
        const struct forward *forward = &fake->forwards[i];
        used += (size_t)snprintf(
            text + used, size - used, "  %s[HOST_FORWARD] %3d %15s %5d       10.0.2.15 %5d     0     0\\r\\n",
            forward->is_udp ? "UDP" : "TCP", forward->fd, forward->address, forward->port, forward->guest);
    }
    snprintf(text + used, size - used, "\\r\\n\"");
}

static void run_human(struct fake *fake, const char *line, char *text, size_t size)
{
    char rule[256];
    snprintf(text, size, "\"\"");
    if (!strcmp(line, "info usernet")) {
        list_forwards(fake, text, size);
    } else if (sscanf(line, "hostfwd_add %*s %255s", rule) == 1) {
        int result = add_forward(fake, rule);
        if (result == -1)
            snprintf(text, size, "\"Could not set up host forwarding rule '%s'\\r\\n\"", rule);
        else if (result < 0)
            snprintf(text, size, "\"Invalid host forwarding rule '%s' (Bad host port)\\r\\n\"", rule);
    } else if (sscanf(line, "hostfwd_remove %*s %255s", rule) == 1) {
        snprintf(text, size, "\"host forwarding rule for %s %s\\r\\n\"", rule,
                 remove_forward(fake, rule) ? "removed" : "not found");
    } else {
        snprintf(text, size, "\"unknown command: '%s'\\r\\n\"", line);
    }
}

static const struct {
    const char *command, *value;
} constants[] = {
    { "query-version", "{\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"fake\"}" },
    { "query-kvm", "{\"enabled\": false, \"present\": true}" },
    { "query-machines",
      "[{\"name\": \"pc-q35-7.2\", \"alias\": \"q35\", \"cpu-max\": 288, \"hotpluggable-cpus\": true}, "
      "{\"name\": \"pc-i440fx-7.2\", \"alias\": \"pc\", \"is-default\": true, \"cpu-max\": 255}, "
      "{\"name\": \"microvm\", \"cpu-max\": 288}, {\"name\": \"none\", \"cpu-max\": 1}]" },
    { "query-cpu-definitions",
      "[{\"name\": \"max\", \"typename\": \"max-x86_64-cpu\", \"unavailable-features\": [], "
      "\"static\": false, \"migration-safe\": false, \"deprecated\": false}, "
      "{\"name\": \"host\", \"typename\": \"host-x86_64-cpu\", \"unavailable-features\": [\"kvm\"], "
      "\"static\": false, \"migration-safe\": false, \"deprecated\": false}]" },
    { "query-chardev", "[]" },
    { "query-name", "{}" },
};

static void change_status(struct fake *fake, struct channel *channel, struct slice id, const char *status,
                          const char *event)
{
    if (!strcmp(status, "running") && !strcmp(fake->status, "prelaunch"))
        fake->report_at_ms = now_ms() + fake->settings.report_delay_ms;
    fake->status = status;
    broadcast(fake, "{\"event\": \"%s\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 0}}", event);
    answer(channel, id, "return", "{}");
}

/* Commands with effects; false when there is none of that name. */
static bool act(struct fake *fake, struct channel *channel, const char *command, struct slice id)
{
    if (!strcmp(command, "stop")) {
        change_status(fake, channel, id, "paused", "STOP");
    } else if (!strcmp(command, "cont") && !strcmp(fake->status, "internal-error")) {
        answer(channel, id, "error",
               "{\"class\": \"GenericError\", \"desc\": \"Resetting the Virtual Machine is required\"}");
    } else if (!strcmp(command, "cont")) {
        change_status(fake, channel, id, "running", "RESUME");
    } else if (!strcmp(command, "quit")) {
        answer(channel, id, "return", "{}");
        stop_with(fake, "host-qmp-quit", false);
    } else if (!strcmp(command, "system_powerdown")) {
        press_power_button(fake);
        answer(channel, id, "return", "{}");
    } else if (!strcmp(command, "system_reset")) {
        broadcast(fake, "{\"event\": \"RESET\", \"data\": {\"guest\": false, \"reason\": \"host-qmp-system-reset\"}}");
        answer(channel, id, "return", "{}");
    } else {
        return false;
    }
    return true;
}

/* Commands on disks. */
static bool act_below(struct fake *fake, struct channel *channel, const char *line, const char *command, struct slice id)
{
    char text[512];
    const char *value;
    const char *problem = act_on_blocks(fake, channel, command, member(line, "arguments"), &value);
    if (problem)
        snprintf(text, sizeof text, "{\"class\": \"GenericError\", \"desc\": \"%s\"}", problem);
    if (value)
        answer(channel, id, problem ? "error" : "return", problem ? text : value);
    return value;
}

static void execute(struct fake *fake, struct channel *channel, const char *line, const char *command, struct slice id)
{
    static char text[LINE_BYTES];
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
        if (!strcmp(constants[i].command, command))
            return answer(channel, id, "return", constants[i].value);
    if (!strcmp(command, "query-block")) {
        snprintf(text, sizeof text,
                 "[{\"device\": \"\", \"qdev\": \"/machine/peripheral/root-disk/virtio-backend\", \"io-status\": \"%s\", "
                 "\"inserted\": {\"node-name\": \"root\", \"drv\": \"qcow2\", \"ro\": false}, \"removable\": false, "
                 "\"locked\": false, \"type\": \"unknown\"}]",
                 strcmp(fake->status, "io-error") ? "ok" : "nospace");
        answer(channel, id, "return", text);
    } else if (!strcmp(command, "query-status")) {
        snprintf(text, sizeof text, "{\"status\": \"%s\", \"singlestep\": false, \"running\": %s}", fake->status,
                 strcmp(fake->status, "running") ? "false" : "true");
        answer(channel, id, "return", text);
    } else if (!strcmp(command, "human-monitor-command")) {
        char human[1024];
        struct slice arguments = member(line, "arguments");
        text_of(arguments.at ? member(arguments.at, "command-line") : arguments, human, sizeof human);
        run_human(fake, human, text, sizeof text);
        answer(channel, id, "return", text);
    } else if (act_on_jobs(fake, command, member(line, "arguments"), text, sizeof text)) {
        answer(channel, id, "return", text);
    } else if (!act(fake, channel, command, id) && !act_below(fake, channel, line, command, id)) {
        snprintf(text, sizeof text, "{\"class\": \"CommandNotFound\", \"desc\": \"The command %s has not been found\"}",
                 command);
        answer(channel, id, "error", text);
    }
}

static void take_line(struct fake *fake, struct channel *channel, const char *line)
{
    char command[128];
    struct slice id = member(line, "id");
    text_of(member(line, "execute"), command, sizeof command);
    if (!command[0])
        return answer(channel, id, "error",
                      "{\"class\": \"GenericError\", \"desc\": \"QMP input lacks member 'execute'\"}");
    if (channel->hanging)
        return;
    if (!strcmp(command, "qmp_capabilities")) {
        channel->negotiated = true;
        channel->hanging = strcmp(fake->settings.answer, "normal");
        answer(channel, id, "return", "{}");
    } else if (!channel->negotiated) {
        answer(channel, id, "error",
               "{\"class\": \"CommandNotFound\", \"desc\": "
               "\"Expecting capabilities negotiation with 'qmp_capabilities'\"}");
    } else {
        execute(fake, channel, line, command, id);
    }
}

/* With the descriptor that comes along. */
static ssize_t receive(struct channel *channel, char *text, size_t size)
{
    char space[CMSG_SPACE(sizeof(int))];
    struct iovec part = { text, size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
    ssize_t got = recvmsg(channel->client, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(&channel->passed, CMSG_DATA(header), sizeof channel->passed);
    return got;
}

void read_monitor(struct fake *fake, struct channel *channel)
{
    ssize_t got = receive(channel, channel->line + channel->used, LINE_BYTES - 1 - channel->used);
    if (got <= 0) {
        close(channel->client);
        channel->client = -1;
        return;
    }
    channel->used += (size_t)got;
    channel->line[channel->used] = 0;
    char *start = channel->line, *end;
    while ((end = memchr(start, '\n', channel->used - (size_t)(start - channel->line)))) {
        *end = 0;
        take_line(fake, channel, skip_space(start));
        start = end + 1;
    }
    channel->used -= (size_t)(start - channel->line);
    memmove(channel->line, start, channel->used);
}
