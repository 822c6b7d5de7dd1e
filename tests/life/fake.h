/* A stand-in for qemu-system-x86_64: takes any command line, speaks QMP on the sockets it was given, takes the locks
 * and ports that QEMU would take, and reports like a healthy guest, or fails as its settings say. See fake-qemu.c. */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>

#define MAX_CHANNELS 16
#define MAX_FORWARDS 64
#define MAX_SETS 256
#define LINE_BYTES (1 << 16)

/* A JSON value as a part of its text. */
struct slice {
    const char *at;
    size_t length;
};

/* A listening socket that came as a descriptor: a monitor, or the console. */
struct channel {
    char id[64];
    int listener, client, log; /* listener -1: it came connected */
    int passed;                /* the last descriptor that came along, -1 */
    bool is_monitor, negotiated, hanging;
    size_t used;
    char line[LINE_BYTES];
};

struct forward {
    bool is_udp;
    char address[64];
    int port, guest, fd;
};

/* What fake-qemu.conf may set; see fake-qemu.c for the meanings. */
struct settings {
    char report[32], greeting[32], answer[32], powerdown[32], status[32], sigterm[32], reason[32], halt[32], job[64], fail[256];
    int report_delay_ms, shutdown_ms, exit_after_ms, exit_code, halt_after_ms, ssh;
};

struct fake {
    char name[64];         /* last part of -name guest=project/NAME */
    char instance_id[128]; /* of -smbios type=1,serial= */
    char **argv;
    const char *status;
    struct settings settings;
    int sets[MAX_SETS]; /* descriptor of each -add-fd set, -1 */
    int report;
    struct channel channels[MAX_CHANNELS];
    int channel_count;
    struct forward forwards[MAX_FORWARDS];
    int forward_count;
    int presses;
    int job_asked; /* how often query-jobs was, since there is a job; 0: there is none */
    long long report_at_ms, shutdown_at_ms, crash_at_ms, halt_at_ms; /* 0: never */
};

/* fake-qemu.c */
long long now_ms(void);
void stop_with(struct fake *fake, const char *reason, bool by_guest);
void press_power_button(struct fake *fake);

/* fake_host.c: what QEMU does to the host */
void read_settings(struct fake *fake);
void read_arguments(struct fake *fake, int argc, char **argv);
int add_forward(struct fake *fake, const char *rule);
bool remove_forward(struct fake *fake, const char *rule);
void relay(int client, int port);
bool lock_image(int fd);
bool option_value(const char *options, const char *name, char *value, size_t size);

/* fake_jobs.c: jobs that copy disks; false when it is no command of theirs */
bool act_on_jobs(struct fake *fake, const char *command, struct slice arguments, char *text, size_t size);

/* fake_qmp.c: the protocol */
void greet(struct fake *fake, struct channel *channel);
void read_monitor(struct fake *fake, struct channel *channel);
struct slice member(const char *object, const char *name);
void text_of(struct slice value, char *text, size_t size);
void broadcast(struct fake *fake, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* fake_blocks.c: disks; what went wrong as text, NULL when nothing did. No value: no such command. */
void add_node(const char *name, int fd);
int file_of_node(const char *name);
const char *act_on_blocks(struct fake *fake, struct channel *channel, const char *command, struct slice arguments,
                          const char **value);

#endif
