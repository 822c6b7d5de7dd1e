/* What the primitives share: results, option tables, descriptors, clean-up.
 *
 * A primitive is one file `x.c` that binds the Lua module `sys.x`; a file `x_part.c` holds mechanism without lua.h.
 * Mechanism functions take no lua_State, give >= 0 or -errno, and may use the clean-up attributes below. Bindings check
 * all arguments first, act, then push: lua_error is a longjmp and skips clean-up attributes, so a binding holds no resource
 * across a Lua call that can raise. A userdata is made closed first and opened into afterwards. */
#ifndef HOLOS_SYS_H
#define HOLOS_SYS_H

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "lauxlib.h"
#include "lua.h"

#define SYS_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* -- clean-up of C locals ------------------------------------------------------------------------------------------- */

static inline void sys_cleanup_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void sys_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void sys_cleanup_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

#define cleanup_fd   __attribute__((cleanup(sys_cleanup_fd)))
#define cleanup_free __attribute__((cleanup(sys_cleanup_free)))
#define cleanup_dir  __attribute__((cleanup(sys_cleanup_dir)))

/* Hands a descriptor out of a function that would otherwise close it. */
static inline int sys_steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

/* -- randomness ------------------------------------------------------------------------------------------------------ */

/* Fills `bytes`, fit for keys; 0 or -errno. See sys_random.c. */
int sys_random(void *bytes, size_t count);

/* -- results -------------------------------------------------------------------------------------------------------- */

/* Pushes nil, "<formatted text>: <reason>", "ENOENT" for a positive errno value; gives 3. */
int sys_fail(lua_State *L, int errnum, const char *format, ...) SYS_PRINTF(3, 4);

/* Pushes nil, "<formatted text>", code, for failures that have no errno of their own; gives 3. */
int sys_refuse(lua_State *L, const char *code, const char *format, ...) SYS_PRINTF(3, 4);

/* Pushes nil, "EAGAIN", direction: "r", "w" or "rw" says what to wait for; gives 3. */
int sys_again(lua_State *L, const char *direction);

/* The symbolic name of a positive errno value, "EUNKNOWN" when it has none here. */
const char *sys_errno_name(int errnum);

/* A failure that a mechanism explains in words: parsers, protocols. */
struct sys_error {
    char code[24];
    char text[400];
};

/* Fills `error` and gives -1, so that a mechanism can `return sys_error_set(…)`. */
int sys_error_set(struct sys_error *error, const char *code, const char *format, ...) SYS_PRINTF(3, 4);

/* Pushes nil, error->text, error->code; gives 3. */
int sys_push_error(lua_State *L, const struct sys_error *error);

/* -- option tables: the last argument of a primitive with more than three ------------------------------------------------
 * Wrong types and unknown keys are the caller's bugs, so these raise, naming the field. Strings stay valid as long as the
 * table holds them. */

/* The string at `index` as a path for the kernel; raises when it holds a NUL byte, where the kernel would cut it. */
const char *sys_check_path(lua_State *L, int index);

/* Raises unless the value at `index` is a table whose keys are all in the NULL-terminated list `known`. */
void sys_check_keys(lua_State *L, int index, const char *const known[]);

lua_Integer sys_field_integer(lua_State *L, int index, const char *name, lua_Integer least, lua_Integer most);
lua_Integer sys_option_integer(lua_State *L, int index, const char *name, lua_Integer fallback, lua_Integer least,
                               lua_Integer most);
const char *sys_field_string(lua_State *L, int index, const char *name, size_t *length);
const char *sys_option_string(lua_State *L, int index, const char *name, const char *fallback, size_t *length);
bool sys_option_boolean(lua_State *L, int index, const char *name, bool fallback);

/* -- descriptors: userdata "sys.fd" --------------------------------------------------------------------------------------
 * Methods: fileno(), close(), is_open(), dup(), try_read(max_bytes), try_write(text [, from]), sync(); __close and __gc
 * close it. */
#define SYS_FD "sys.fd"

/* Pushes a closed descriptor object; store into the result what was opened afterwards. */
int *sys_fd_new(lua_State *L);

/* The open descriptor at `index`, or the plain integer there; raises when it is closed or something else. */
int sys_fd_check(lua_State *L, int index);

/* As sys_fd_check for the field `name` of the table at `index`; -1 when the field is absent. */
int sys_option_fd(lua_State *L, int index, const char *name);

/* -- the Lua state --------------------------------------------------------------------------------------------------------- */

/* A state with memory of its own kind (sys_memory.h); NULL when there is no memory. One in a process. */
lua_State *sys_new_state(void);

/* -- modules ------------------------------------------------------------------------------------------------------------ */

struct sys_module {
    const char *name; /* "fs" for sys.fs */
    lua_CFunction open;
};

/* All primitives, ended by a NULL name. */
extern const struct sys_module sys_modules[];

#endif
