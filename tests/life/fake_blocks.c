/* Disks of a machine that runs: QEMU's commands to make them larger, to add and to take them. A disk is its file and the
 * locks on that; nothing is read or written but the size of a qcow2 image. */
#include "fake.h"

#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NODES 64
#define MAX_DEVICES 32
#define NAME_BYTES 64

static struct node {
    char name[NAME_BYTES];
    int fd; /* of a file node; -1: a format over the node of its name and "-file" */
} nodes[MAX_NODES];

static struct device {
    char id[NAME_BYTES], bus[NAME_BYTES], drive[NAME_BYTES];
} devices[MAX_DEVICES];

static struct node *find_node(const char *name)
{
    for (int i = 0; i < MAX_NODES; i++)
        if (nodes[i].name[0] && !strcmp(nodes[i].name, name))
            return &nodes[i];
    return NULL;
}

void add_node(const char *name, int fd)
{
    for (int i = 0; i < MAX_NODES; i++)
        if (!nodes[i].name[0]) {
            snprintf(nodes[i].name, NAME_BYTES, "%s", name);
            nodes[i].fd = fd;
            return;
        }
}

/* The descriptor below a disk; -1: there is none. */
int file_of_node(const char *name)
{
    char file[NAME_BYTES + 8];
    snprintf(file, sizeof file, "%s-file", name);
    struct node *node = find_node(file);
    return node ? node->fd : -1;
}

/* The first level of tables of a larger disk, in the cluster that it begins in; more than that is not done here. */
static bool grow_tables(int fd, uint64_t bytes)
{
    static const char zeros[1 << 16];
    uint32_t bits, entries;
    uint64_t offset;
    if (pread(fd, &bits, 4, 20) != 4 || pread(fd, &entries, 4, 36) != 4 || pread(fd, &offset, 8, 40) != 8)
        return false;
    bits = be32toh(bits), entries = be32toh(entries), offset = be64toh(offset);
    if (bits < 9 || bits > 16)
        return false;
    uint64_t covered = 1ULL << (2 * bits - 3), wanted = (bytes + covered - 1) / covered;
    if (wanted <= entries)
        return true;
    if (wanted > 1ULL << (bits - 3))
        return false;
    size_t more = (size_t)(wanted - entries) * 8;
    uint32_t written = htobe32((uint32_t)wanted);
    return pwrite(fd, zeros, more, (off_t)(offset + entries * 8ULL)) == (ssize_t)more && pwrite(fd, &written, 4, 36) == 4;
}

/* What a reader of the file sees as its disk's size. */
static const char *resize(const char *name, long long bytes)
{
    char magic[4];
    int fd = file_of_node(name);
    uint64_t size = htobe64((uint64_t)bytes);
    if (fd < 0)
        return "Cannot find device= nor node_name=";
    if (pread(fd, magic, 4, 0) != 4 || memcmp(magic, "QFI\xfb", 4))
        return ftruncate(fd, bytes) < 0 ? "Could not resize file" : NULL;
    return grow_tables(fd, (uint64_t)bytes) && pwrite(fd, &size, 8, 24) == 8 ? NULL : "Could not resize image";
}

static const char *block_resize(struct fake *fake, struct channel *channel, struct slice arguments)
{
    char name[NAME_BYTES];
    (void)fake;
    (void)channel;
    text_of(member(arguments.at, "node-name"), name, sizeof name);
    return resize(name, atoll(member(arguments.at, "size").at));
}

/* What a command returns when all went well. */
static char returned[4096];
static char opaques[MAX_SETS][NAME_BYTES];

static const char *add_fd(struct fake *fake, struct channel *channel, struct slice arguments)
{
    int set = 0;
    if (channel->passed < 0)
        return "No file descriptor supplied via SCM_RIGHTS";
    while (set < MAX_SETS && fake->sets[set] >= 0)
        set++;
    if (set == MAX_SETS)
        return "No set is free";
    text_of(member(arguments.at, "opaque"), opaques[set], NAME_BYTES);
    fake->sets[set] = channel->passed;
    channel->passed = -1;
    snprintf(returned, sizeof returned, "{\"fdset-id\": %d, \"fd\": %d}", set, fake->sets[set]);
    return NULL;
}

/* Those that came over the monitor with a word of whoever gave them. */
static const char *query_fdsets(struct fake *fake, struct channel *channel, struct slice arguments)
{
    size_t used = (size_t)snprintf(returned, sizeof returned, "[");
    (void)channel;
    (void)arguments;
    for (int set = 0; set < MAX_SETS && used < sizeof returned - 128; set++)
        if (fake->sets[set] >= 0 && opaques[set][0])
            used += (size_t)snprintf(returned + used, sizeof returned - used,
                                     "%s{\"fdset-id\": %d, \"fds\": [{\"fd\": %d, \"opaque\": \"%s\"}]}", used > 1 ? ", " : "",
                                     set, fake->sets[set], opaques[set]);
    snprintf(returned + used, sizeof returned - used, "]");
    return NULL;
}

static const char *remove_fd(struct fake *fake, struct channel *channel, struct slice arguments)
{
    int set = atoi(member(arguments.at, "fdset-id").at);
    (void)channel;
    if (set < 0 || set >= MAX_SETS || fake->sets[set] < 0)
        return "File descriptor named was not found";
    close(fake->sets[set]);
    fake->sets[set] = -1;
    return NULL;
}

static const char *blockdev_add(struct fake *fake, struct channel *channel, struct slice arguments)
{
    char name[NAME_BYTES], driver[NAME_BYTES], path[128];
    int set = -1;
    (void)channel;
    text_of(member(arguments.at, "node-name"), name, sizeof name);
    text_of(member(arguments.at, "driver"), driver, sizeof driver);
    text_of(member(arguments.at, "filename"), path, sizeof path);
    if (find_node(name))
        return "Duplicate nodes with node-name";
    if (strcmp(driver, "file") && strcmp(driver, "host_device")) {
        add_node(name, -1);
        return NULL;
    }
    if (sscanf(path, "/dev/fdset/%d", &set) != 1 || set < 0 || set >= MAX_SETS || fake->sets[set] < 0)
        return "Could not open the file";
    if (!lock_image(fake->sets[set]))
        return "Failed to get \\\"write\\\" lock";
    add_node(name, fake->sets[set]);
    return NULL;
}

static const char *blockdev_del(struct fake *fake, struct channel *channel, struct slice arguments)
{
    char name[NAME_BYTES];
    (void)fake;
    (void)channel;
    text_of(member(arguments.at, "node-name"), name, sizeof name);
    struct node *node = find_node(name);
    if (!node)
        return "Failed to find node";
    for (int i = 0; i < MAX_DEVICES; i++)
        if (devices[i].id[0] && !strcmp(devices[i].drive, name))
            return "Node is in use";
    if (node->fd >= 0)
        fcntl(node->fd, F_OFD_SETLK, &(struct flock){ .l_type = F_UNLCK, .l_whence = SEEK_SET });
    node->name[0] = 0;
    return NULL;
}

static const char *device_add(struct fake *fake, struct channel *channel, struct slice arguments)
{
    struct device *free_one = NULL, made = { "", "", "" };
    (void)fake;
    (void)channel;
    text_of(member(arguments.at, "id"), made.id, NAME_BYTES);
    text_of(member(arguments.at, "bus"), made.bus, NAME_BYTES);
    text_of(member(arguments.at, "drive"), made.drive, NAME_BYTES);
    if (!find_node(made.drive))
        return "Device needs media, but drive is empty";
    for (int i = 0; i < MAX_DEVICES; i++) {
        if (devices[i].id[0] && !strcmp(devices[i].bus, made.bus))
            return "PCI: slot 0 function 0 already occupied";
        if (devices[i].id[0] && !strcmp(devices[i].id, made.id))
            return "Duplicate device ID";
        if (!devices[i].id[0] && !free_one)
            free_one = &devices[i];
    }
    *free_one = made;
    return NULL;
}

static const char *device_del(struct fake *fake, struct channel *channel, struct slice arguments)
{
    char id[NAME_BYTES];
    (void)channel;
    text_of(member(arguments.at, "id"), id, sizeof id);
    for (int i = 0; i < MAX_DEVICES; i++)
        if (devices[i].id[0] && !strcmp(devices[i].id, id)) {
            devices[i].id[0] = 0;
            broadcast(fake, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"%s\"}}", id);
            return NULL;
        }
    return "Device not found";
}

const char *act_on_blocks(struct fake *fake, struct channel *channel, const char *command, struct slice arguments,
                          const char **value)
{
    static const struct {
        const char *command;
        const char *(*act)(struct fake *fake, struct channel *channel, struct slice arguments);
    } commands[] = {
        { "block_resize", block_resize }, { "add-fd", add_fd },         { "remove-fd", remove_fd },
        { "blockdev-add", blockdev_add }, { "blockdev-del", blockdev_del }, { "device_add", device_add },
        { "device_del", device_del },     { "query-fdsets", query_fdsets },
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(commands[i].command, command)) {
            strcpy(returned, "{}");
            *value = returned;
            return commands[i].act(fake, channel, arguments);
        }
    *value = NULL;
    return NULL;
}
