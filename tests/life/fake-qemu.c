/* fake-qemu: a stand-in for qemu-system-x86_64, for tests of the life of VMs that need thousands of them.
 *
 * Any command line is taken. Heeded are -name, -smbios type=1,serial=ID, -add-fd, -chardev socket|file with fd= or
 * /dev/fdset/N, -mon, -blockdev driver=file (QEMU's locks), -netdev user (hostfwd ports really listen), -S.
 * Settings come from the file fake-qemu.conf beside the program: lines `key=value`, for all instances, or
 * `web-1: key=value` for the one that -name calls so, `web-1@TEXT: key=value` when an argument of it has TEXT in it;
 * # begins a comment. Later lines win.
 *   report=auto           boot, ready and provisioned are reported at once; none, boot, ready end there; failed = a step
 *                         fails
 *   report_delay_ms=0     how long after the start; a guest that does not run reports nothing
 *   greeting=normal       never = clients wait for ever; hang = they are accepted, no greeting; garbage = no QMP
 *   answer=normal         hang = after the negotiation no command is answered; flood = events without end instead
 *   powerdown=obey        ignore = the guest does not hear the power button; second = only its second press
 *   shutdown_ms=0         from the button to the end
 *   status=running        what query-status says once the guest runs: internal-error, io-error, paused, …
 *   halt=io-error         the state that the guest falls into halt_after_ms after its start, with QEMU's events; reset: its
 *                         watchdog resets it
 *   halt_after_ms=0       0: never
 *   sigterm=obey          ignore
 *   exit_after_ms=0       ends by itself; with exit_code=N, and with reason=guest-panic (any of QEMU's) in a SHUTDOWN
 *                         event; reason=watchdog: by its watchdog, without one
 *   job=done              what becomes of a job that copies a disk: stall = it gets no further; lost = nobody
 *                         knows it any more; anything else: it fails with that text
 *   ssh=PORT              connections to the guest's sshd go to this port of the host; 0: nobody listens in the guest
 *   fail=TEXT             says TEXT on stderr and exits with 1 at the start */
#include "fake.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* A watchdog ends QEMU at once, without a SHUTDOWN event. */
static void stop_by_watchdog(struct fake *fake)
{
    broadcast(fake, "{\"event\": \"WATCHDOG\", \"data\": {\"action\": \"poweroff\"}}");
    exit(0);
}

void stop_with(struct fake *fake, const char *reason, bool by_guest)
{
    broadcast(fake,
              "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": %s, \"reason\": \"%s\"}, \"timestamp\": "
              "{\"seconds\": 1, \"microseconds\": 0}}",
              by_guest ? "true" : "false", reason);
    exit(fake->settings.exit_code);
}

void press_power_button(struct fake *fake)
{
    const char *powerdown = fake->settings.powerdown;
    broadcast(fake, "{\"event\": \"POWERDOWN\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 0}}");
    fake->presses++;
    if (!strcmp(powerdown, "ignore") || (!strcmp(powerdown, "second") && fake->presses < 2))
        return;
    if (!fake->shutdown_at_ms)
        fake->shutdown_at_ms = now_ms() + fake->settings.shutdown_ms;
}

/* -- the guest ----------------------------------------------------------------------------------------------------- */

static void report(struct fake *fake)
{
    static const char *const stages[] = { "boot", "ready", "auto" };
    const char *wanted = fake->settings.report;
    if (fake->report < 0 || !strcmp(wanted, "none"))
        return;
    for (int i = 0; i < 3; i++) {
        if (!strcmp(stages[i], "auto"))
            dprintf(fake->report, "holos1 provisioned %s\n", fake->instance_id);
        else
            dprintf(fake->report, "holos1 %s\n", stages[i]);
        if (!strcmp(stages[i], wanted))
            return;
        if (i == 1 && !strcmp(wanted, "failed")) {
            dprintf(fake->report, "holos1 step 1 2 fetch\nholos1 log no route to host\nholos1 failed 1 7 fetch\n");
            return;
        }
    }
}

/* The console shows what it is sent. */
static void read_console(struct channel *channel)
{
    char text[4096];
    ssize_t got = recv(channel->client, text, sizeof text, MSG_DONTWAIT);
    if (got <= 0) {
        close(channel->client);
        channel->client = -1;
        return;
    }
    (void)!send(channel->client, text, (size_t)got, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (channel->log >= 0)
        (void)!write(channel->log, text, (size_t)got);
}

/* -- the loop -------------------------------------------------------------------------------------------------------
 */

static void accept_client(struct fake *fake, struct channel *channel)
{
    channel->client = accept4(channel->listener, NULL, NULL, SOCK_CLOEXEC);
    if (channel->client >= 0 && channel->is_monitor)
        greet(fake, channel);
}

static void flood(struct fake *fake)
{
    for (int i = 0; i < fake->channel_count; i++)
        if (fake->channels[i].hanging && fake->channels[i].client >= 0)
            broadcast(fake, "{\"event\": \"VSERPORT_CHANGE\", \"data\": {\"open\": true, \"id\": \"report\"}}");
}

static bool is_running(const struct fake *fake)
{
    return !strcmp(fake->status, "running");
}

static int due_ms(const struct fake *fake)
{
    const long long moments[] = { is_running(fake) ? fake->report_at_ms : 0, fake->shutdown_at_ms, fake->crash_at_ms,
                                  fake->halt_at_ms };
    long long first = -1, now = now_ms();
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++)
        if (moments[i] && (first < 0 || moments[i] < first))
            first = moments[i];
    return first < 0 ? -1 : first > now ? (int)(first - now) : 0;
}

/* In the order of QEMU 7.2: what went wrong, then STOP; a panic is told after it. A watchdog may also reset the guest,
 * which then runs on. */
static void halt(struct fake *fake)
{
    fake->halt_at_ms = 0;
    if (!strcmp(fake->settings.halt, "reset")) {
        broadcast(fake, "{\"event\": \"WATCHDOG\", \"data\": {\"action\": \"reset\"}}");
        broadcast(fake, "{\"event\": \"RESET\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}}");
        return;
    }
    fake->status = fake->settings.halt;
    if (!strcmp(fake->status, "io-error"))
        broadcast(fake, "{\"event\": \"BLOCK_IO_ERROR\", \"data\": {\"device\": \"\", \"node-name\": \"root\", "
                        "\"operation\": \"write\", \"action\": \"stop\", \"nospace\": true, "
                        "\"reason\": \"No space left on device\"}}");
    if (!strcmp(fake->status, "watchdog"))
        broadcast(fake, "{\"event\": \"WATCHDOG\", \"data\": {\"action\": \"pause\"}}");
    broadcast(fake, "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 0}}");
    if (!strcmp(fake->status, "guest-panicked"))
        broadcast(fake, "{\"event\": \"GUEST_PANICKED\", \"data\": {\"action\": \"pause\"}}");
}

static void act_on_time(struct fake *fake)
{
    long long now = now_ms();
    if (fake->halt_at_ms && now >= fake->halt_at_ms)
        halt(fake);
    if (fake->report_at_ms && now >= fake->report_at_ms && is_running(fake)) {
        fake->report_at_ms = 0;
        report(fake);
    }
    if (fake->shutdown_at_ms && now >= fake->shutdown_at_ms)
        stop_with(fake, "guest-shutdown", true);
    if (!fake->crash_at_ms || now < fake->crash_at_ms)
        return;
    if (!strcmp(fake->settings.reason, "watchdog"))
        stop_by_watchdog(fake);
    if (fake->settings.reason[0])
        stop_with(fake, fake->settings.reason, !strncmp(fake->settings.reason, "guest", 5));
    exit(fake->settings.exit_code);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static void take_signal(struct fake *fake, int signals)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) == sizeof info && strcmp(fake->settings.sigterm, "ignore"))
        stop_with(fake, "host-signal", false);
}

enum { SSH_PORT = 22 };

/* Where a guest has no sshd, whoever connects to it is sent away at once. Other ports are as those of a guest that is
 * busy. */
static void answer_guests(struct fake *fake, const struct pollfd *entries)
{
    for (int i = 0; i < fake->forward_count; i++) {
        if (!entries[i].revents)
            continue;
        int client = accept4(fake->forwards[i].fd, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0 && fake->settings.ssh)
            relay(client, fake->settings.ssh);
        close(client);
    }
}

static void watch_forwards(const struct fake *fake, struct pollfd *entries)
{
    for (int i = 0; i < MAX_FORWARDS; i++) {
        bool is_ssh = i < fake->forward_count && !fake->forwards[i].is_udp && fake->forwards[i].guest == SSH_PORT;
        entries[i] = (struct pollfd){ .fd = is_ssh ? fake->forwards[i].fd : -1, .events = POLLIN };
    }
}

/* One client at a time, as QEMU does: while there is one, the listener is not looked at. */
static void run(struct fake *fake, int signals)
{
    struct pollfd entries[MAX_CHANNELS + 1 + MAX_FORWARDS];
    bool flooding = !strcmp(fake->settings.answer, "flood"), deaf = !strcmp(fake->settings.greeting, "never");
    for (;;) {
        entries[MAX_CHANNELS] = (struct pollfd){ .fd = signals, .events = POLLIN };
        for (int i = 0; i < MAX_CHANNELS; i++) {
            struct channel *channel = &fake->channels[i];
            int fd = i >= fake->channel_count || (deaf && channel->is_monitor) ? -1
                     : channel->client >= 0                                    ? channel->client
                                                                               : channel->listener;
            entries[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
        }
        watch_forwards(fake, entries + MAX_CHANNELS + 1);
        if (poll(entries, MAX_CHANNELS + 1 + MAX_FORWARDS, flooding ? 1 : due_ms(fake)) < 0)
            continue;
        act_on_time(fake);
        flood(fake);
        answer_guests(fake, entries + MAX_CHANNELS + 1);
        if (entries[MAX_CHANNELS].revents)
            take_signal(fake, signals);
        for (int i = 0; i < fake->channel_count; i++) {
            struct channel *channel = &fake->channels[i];
            if (!entries[i].revents)
                continue;
            if (channel->client < 0 && channel->listener < 0)
                continue;
            if (channel->client < 0)
                accept_client(fake, channel);
            else if (channel->is_monitor)
                read_monitor(fake, channel);
            else
                read_console(channel);
        }
    }
}

int main(int argc, char **argv)
{
    static struct fake fake;
    fake.report = -1;
    fake.status = "running";
    read_arguments(&fake, argc, argv);
    for (int i = 0; i < fake.channel_count; i++)
        if (fake.channels[i].client >= 0 && strcmp(fake.settings.greeting, "never"))
            greet(&fake, &fake.channels[i]);
    for (int i = 0; i < fake.channel_count; i++)
        if (fake.channels[i].log >= 0)
            dprintf(fake.channels[i].log, "fake-qemu: %s boots\r\n", fake.name);
    if (is_running(&fake)) {
        fake.status = fake.settings.status;
        fake.report_at_ms = now_ms() + fake.settings.report_delay_ms;
    }
    if (fake.settings.exit_after_ms)
        fake.crash_at_ms = now_ms() + fake.settings.exit_after_ms;
    if (fake.settings.halt_after_ms)
        fake.halt_at_ms = now_ms() + fake.settings.halt_after_ms;
    run(&fake, open_signals());
}
