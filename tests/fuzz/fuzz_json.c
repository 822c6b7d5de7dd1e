/* libFuzzer entry: what the depth scan lets through is decoded, encoded and decoded again to an equal value. */
#include <jansson.h>
#include <stdint.h>

#include "json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DECODE (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

/* Too deep values must have been refused before: the parser and we recurse on the C stack. */
static size_t depth_of(const json_t *value)
{
    size_t deepest = 0, i;
    const char *key;
    json_t *item;
    if (json_is_array(value))
        json_array_foreach((json_t *)value, i, item)
            deepest = depth_of(item) > deepest ? depth_of(item) : deepest;
    if (json_is_object(value))
        json_object_foreach((json_t *)value, key, item)
            deepest = depth_of(item) > deepest ? depth_of(item) : deepest;
    return json_is_array(value) || json_is_object(value) ? deepest + 1 : 0;
}

static void check_round_trip(json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    json_t *again = text ? json_loads(text, DECODE, NULL) : NULL;
    if (!again || !json_equal(value, again) || depth_of(value) > 8)
        abort();
    json_decref(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sys_error error;
    if (json_scan_check((const char *)data, size, 8, &error) < 0)
        return 0;
    json_t *value = json_loadb((const char *)data, size, DECODE, NULL);
    if (value)
        check_round_trip(value);
    json_decref(value);
    return 0;
}
