/* libFuzzer entry: whatever the header parser accepts lies inside the file and within the limits of the format, and the
 * tables that it names can be checked in a file without harm. */
#include <string.h>
#include <sys/mman.h>

#include "qcow2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_places(const struct qcow2_info *info, uint64_t file_bytes)
{
    uint64_t cluster = qcow2_cluster_bytes(info);
    uint64_t l1_bytes = (uint64_t)info->l1_entries * QCOW2_ENTRY_BYTES;
    uint64_t refcount_bytes = info->refcount_table_clusters * cluster;
    require(cluster >= 512 && cluster <= 2 << 20);
    require(info->l1_entries >= qcow2_l1_needed(info, info->virtual_bytes));
    require(!l1_bytes || (info->l1_offset >= cluster && info->l1_offset + l1_bytes <= file_bytes));
    require(info->refcount_table_offset >= cluster && info->refcount_table_offset + refcount_bytes <= file_bytes);
    require(!info->snapshots || info->snapshots_offset < file_bytes);
}

static void check_info(const struct qcow2_info *info, size_t size)
{
    require(info->version == 2 || info->version == 3);
    require(info->header_bytes <= size);
    require(info->encryption <= 2 && info->compression <= 1);
    require(strnlen(info->backing, sizeof info->backing) < sizeof info->backing);
    require(strnlen(info->backing_format, sizeof info->backing_format) < sizeof info->backing_format);
    require(strnlen(info->data_file, sizeof info->data_file) < sizeof info->data_file);
}

/* The header with a file of any claimed size behind it. */
static void parse(const uint8_t *data, size_t size, uint64_t file_bytes)
{
    struct qcow2_info info;
    struct sys_error error = { .code = "" };
    if (qcow2_parse(data, size, file_bytes, &info, &error) < 0) {
        require(!strcmp(error.code, "EINVAL") || !strcmp(error.code, "ENOTQCOW2"));
        return;
    }
    check_places(&info, file_bytes);
    check_info(&info, size);
}

static void load(const uint8_t *data, size_t size)
{
    struct qcow2_info info;
    struct sys_error error = { .code = "" };
    cleanup_fd int fd = memfd_create("image", MFD_CLOEXEC);
    if (fd >= 0 && !qcow2_write_at(fd, data, size, 0))
        qcow2_load(fd, size, &info, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size, size);
    parse(data, size, UINT64_C(1) << 40);
    parse(data, size, UINT64_MAX);
    load(data, size);
    return 0;
}
