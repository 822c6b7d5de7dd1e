/* Randomness: the kernel's getrandom and nothing else; see sys.h. */
#include "sys.h"

#include <sys/random.h>

int sys_random(void *bytes, size_t count)
{
    for (size_t done = 0; done < count;) {
        ssize_t got = getrandom((char *)bytes + done, count - done, 0);
        if (got < 0 && errno != EINTR)
            return -errno;
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}
