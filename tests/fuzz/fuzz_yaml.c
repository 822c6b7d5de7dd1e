/* libFuzzer entry: YAML text to events, under limits small enough that no input takes long. */
#include "yaml_events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct yaml_limits limits = { 1 << 16, 10000, 100 };
    struct yaml_events events = { 0 };
    struct sys_error error;
    int result = yaml_events_parse(&events, (const char *)data, size, &limits, &error);
    if (result == 0 && events.count > 0 && (events.entries[0].head & 7) != YAML_DOCUMENT)
        abort(); /* every event belongs to a document */
    yaml_events_free(&events);
    return 0;
}
