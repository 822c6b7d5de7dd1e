/* Jobs that copy disks: file by file, so that a copy in the format of its source is whole, and others are not. */
#include "fake.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOTAL = 1 << 20 };

static char job_id[64];

static void copy(int from, int to)
{
    static char bytes[1 << 16];
    ssize_t count;
    for (off_t at = 0; from >= 0 && to >= 0 && (count = pread(from, bytes, sizeof bytes, at)) > 0; at += count)
        if (pwrite(to, bytes, (size_t)count, at) != count)
            return;
}

static void begin(struct fake *fake, struct slice arguments)
{
    char from[64], to[64];
    text_of(member(arguments.at, "job-id"), job_id, sizeof job_id);
    text_of(member(arguments.at, "device"), from, sizeof from);
    text_of(member(arguments.at, "target"), to, sizeof to);
    fake->job_asked = 1;
    if (!strcmp(fake->settings.job, "done"))
        copy(file_of_node(from), file_of_node(to));
}

/* It runs when it is asked for the first time, and has concluded then. */
static void list(struct fake *fake, char *text, size_t size)
{
    const char *how = fake->settings.job;
    bool is_done = !strcmp(how, "done"), is_stalled = !strcmp(how, "stall"), is_lost = !strcmp(how, "lost");
    snprintf(text, size, "[]");
    if (!fake->job_asked || (is_lost && fake->job_asked > 1))
        return;
    bool is_running = is_stalled || fake->job_asked == 1;
    int length = snprintf(text, size,
                          "[{\"id\": \"%s\", \"type\": \"backup\", \"status\": \"%s\", \"current-progress\": %d, "
                          "\"total-progress\": %d",
                          job_id, is_running ? "running" : "concluded", is_running || !is_done ? TOTAL / 2 : TOTAL, TOTAL);
    if (!is_running && !is_done)
        length += snprintf(text + length, size - (size_t)length, ", \"error\": \"%s\"", how);
    snprintf(text + length, size - (size_t)length, "}]");
    fake->job_asked++;
}

bool act_on_jobs(struct fake *fake, const char *command, struct slice arguments, char *text, size_t size)
{
    snprintf(text, size, "{}");
    if (!strcmp(command, "query-jobs"))
        list(fake, text, size);
    else if (!strcmp(command, "blockdev-backup"))
        begin(fake, arguments);
    else if (!strcmp(command, "job-dismiss") || !strcmp(command, "job-cancel"))
        fake->job_asked = 0;
    else
        return false;
    return true;
}
