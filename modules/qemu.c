/* sys.qemu: where the emulator is, and whether KVM here runs ordinary guests. */
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* linux/kvm.h: KVM_GET_API_VERSION, _IO(0xAE, 0); the answer has been 12 since 2.6.22 and is documented never to
 * change. */
#define KVM_GET_API_VERSION _IO(0xAE, 0x00)
#define KVM_API_VERSION 12

#define PATH_BYTES 4096
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* -- finding programs ------------------------------------------------------------------------------------------------ */

static bool is_program(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISREG(status.st_mode) && !access(path, X_OK);
}

/* Looks for `name` in the directories of a search path, and writes where it is. Entries that are not absolute are
 * skipped: what would be run then depends on where holos was called. */
static bool search_program(const char *search, const char *name, char found[PATH_BYTES])
{
    for (const char *entry = search; entry; entry = strchr(entry, ':') ? strchr(entry, ':') + 1 : NULL) {
        int length = (int)strcspn(entry, ":");
        int written = snprintf(found, PATH_BYTES, "%.*s/%s", length, entry, name);
        if (entry[0] == '/' && written < PATH_BYTES && is_program(found))
            return true;
    }
    return false;
}

/* qemu.find(program [, search_path = $PATH]) -> path | nil, message, "ENOENT"
 * A name with a slash is taken as it is. */
static int l_find(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *environment = getenv("PATH");
    const char *search = luaL_optstring(L, 2, environment && *environment ? environment : DEFAULT_PATH);
    char found[PATH_BYTES];
    if (strchr(name, '/')) {
        if (!is_program(name))
            return sys_refuse(L, "ENOENT", "%s: not a program", name);
        lua_pushvalue(L, 1);
        return 1;
    }
    if (!*name || !search_program(search, name, found))
        return sys_refuse(L, "ENOENT", "%s: not found in PATH", name);
    lua_pushstring(L, found);
    return 1;
}

/* -- KVM ------------------------------------------------------------------------------------------------------------- */

struct kvm_paths {
    const char *device, *cpuinfo, *modules;
};

struct kvm_status {
    const char *code; /* NULL: usable */
    char reason[200];
};

static bool has_word(const char *line, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = strstr(line, word); at; at = strstr(at + 1, word))
        if ((at == line || at[-1] == ' ' || at[-1] == '\t') && strchr(" \n", at[length]))
            return true;
    return false;
}

/* The first processor's flags tell for all: "flags : fpu vme … vmx …". A line takes about 2 KiB. */
static bool cpu_has_virtualization(const char *cpuinfo)
{
    FILE *file = fopen(cpuinfo, "re");
    char line[16384];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        if (!strncmp(line, "flags", 5)) {
            found = has_word(line, "vmx") || has_word(line, "svm");
            break;
        }
    if (file)
        fclose(file);
    return found;
}

static bool has_module(const char *modules, const char *name)
{
    char path[PATH_BYTES];
    return snprintf(path, sizeof path, "%s/%s", modules, name) < PATH_BYTES && !access(path, F_OK);
}

#if defined(__x86_64__) || defined(__i386__)
#define IS_X86 true
#else
#define IS_X86 false
#endif

/* On x86 without vmx or svm, /dev/kvm can still be there: a KVM in software, under which stock kernels die. Elsewhere
 * there is no such thing. */
static bool is_software_kvm(const struct kvm_paths *paths)
{
    return IS_X86 && !cpu_has_virtualization(paths->cpuinfo) && !has_module(paths->modules, "kvm_intel") &&
           !has_module(paths->modules, "kvm_amd");
}

static void refuse_kvm(struct kvm_status *status, const char *code, const char *device, const char *why)
{
    status->code = code;
    snprintf(status->reason, sizeof status->reason, "%s%s%s", device, *device ? ": " : "", why);
}

/* Software comes before permissions: who may not open a KVM of no use needs no advice on how to. */
static void find_kvm_status(const struct kvm_paths *paths, struct kvm_status *status)
{
    status->code = NULL;
    status->reason[0] = 0;
    if (access(paths->device, F_OK) < 0 && errno == ENOENT)
        return refuse_kvm(status, "ENOENT", paths->device, "no such device");
    if (is_software_kvm(paths))
        return refuse_kvm(status, "ESOFT", "", "this processor has neither vmx nor svm: KVM here is in software");
    cleanup_fd int fd = open(paths->device, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return refuse_kvm(status, sys_errno_name(errno), paths->device, strerror(errno));
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version < 0)
        return refuse_kvm(status, sys_errno_name(errno), paths->device, strerror(errno));
    if (version != KVM_API_VERSION)
        refuse_kvm(status, "EPROTO", paths->device, "not version 12 of KVM's interface");
}

/* qemu.kvm_status([{device="/dev/kvm", cpuinfo="/proc/cpuinfo", modules="/sys/module"}])
 *   -> {usable=boolean, reason=, code="ENOENT"|"ESOFT"|"EACCES"|…}; reason and code only when it is not usable */
static int l_kvm_status(lua_State *L)
{
    static const char *const known[] = { "device", "cpuinfo", "modules", NULL };
    struct kvm_paths paths = { "/dev/kvm", "/proc/cpuinfo", "/sys/module" };
    struct kvm_status status;
    if (!lua_isnoneornil(L, 1)) {
        sys_check_keys(L, 1, known);
        paths.device = sys_option_string(L, 1, "device", paths.device, NULL);
        paths.cpuinfo = sys_option_string(L, 1, "cpuinfo", paths.cpuinfo, NULL);
        paths.modules = sys_option_string(L, 1, "modules", paths.modules, NULL);
    }
    find_kvm_status(&paths, &status);
    lua_createtable(L, 0, 3);
    lua_pushboolean(L, !status.code);
    lua_setfield(L, -2, "usable");
    if (!status.code)
        return 1;
    lua_pushstring(L, status.reason);
    lua_setfield(L, -2, "reason");
    lua_pushstring(L, status.code);
    lua_setfield(L, -2, "code");
    return 1;
}

static const luaL_Reg qemu_functions[] = { { "find", l_find }, { "kvm_status", l_kvm_status }, { NULL, NULL } };

int luaopen_sys_qemu(lua_State *L)
{
    luaL_newlib(L, qemu_functions);
    return 1;
}
