/* In the sanitizer build only: no search for leaks in a process that strace follows. The search stops the process by ptrace,
 * of which there can be one at a time, and its failure would be the test's. */
#include <stdio.h>

int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    int tracer = 0;
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "TracerPid: %d", &tracer) == 1)
            break;
    if (status)
        fclose(status);
    return tracer != 0;
}
