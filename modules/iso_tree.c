/* From the caller's list of paths to a sorted tree, with everything refused that an image cannot hold. */
#include <stdlib.h>
#include <string.h>

#include "iso.h"

/* -- what a name may be -------------------------------------------------------------------------------------------- */

/* How many bytes follow a first byte; -1 for bytes that begin no character. */
static int continuation_count(unsigned char first)
{
    if (first < 0x80)
        return 0;
    if (first < 0xC2)
        return -1;
    return first < 0xE0 ? 1 : first < 0xF0 ? 2 : first < 0xF5 ? 3 : -1;
}

int32_t iso_utf8_next(const char **text, const char *end)
{
    const unsigned char *at = (const unsigned char *)*text;
    static const int32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    int more = continuation_count(*at);
    if (more < 0 || end - *text <= more)
        return -1;
    int32_t character = more ? *at & (0x3F >> more) : *at;
    for (int i = 1; i <= more; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return -1;
        character = character << 6 | (at[i] & 0x3F);
    }
    *text += more + 1;
    if (character < least[more] || character > 0x10FFFF || (character >= 0xD800 && character < 0xE000))
        return -1;
    return character;
}

/* Names go to terminals and shells of guests, so control characters are refused with the rest. */
static const char *fault_of_text(const char *text, const char *end)
{
    while (text < end) {
        int32_t character = iso_utf8_next(&text, end);
        if (character < 0)
            return "is not UTF-8";
        if (character < 0x20 || (character >= 0x7F && character < 0xA0))
            return "has a control character";
    }
    return NULL;
}

static size_t component_length(const char *text, const char *end)
{
    const char *slash = memchr(text, '/', (size_t)(end - text));
    return (size_t)((slash ? slash : end) - text);
}

static const char *fault_of_component(const char *text, size_t length)
{
    if (!length)
        return "has an empty component";
    if (length > ISO_COMPONENT_MAX)
        return "has a component of more than 253 bytes";
    if (length <= 2 && !memcmp(text, "..", length))
        return "has a component . or ..";
    return NULL;
}

static const char *fault_of_name(const struct iso_file *file)
{
    const char *text = file->name, *end = text + file->name_length;
    const char *fault = file->name_length ? fault_of_text(text, end) : "is empty";
    for (int levels = 1; !fault; levels++) {
        size_t length = component_length(text, end);
        fault = levels > ISO_LEVELS_MAX ? "has more than 8 components" : fault_of_component(text, length);
        text += length;
        if (text++ == end)
            break;
    }
    return fault;
}

static int check_names(const struct iso_request *request, struct sys_error *error)
{
    if (request->file_count > ISO_FILES_MAX)
        return sys_error_set(error, "E2BIG", "%zu files are more than %d", request->file_count, ISO_FILES_MAX);
    for (size_t i = 0; i < request->file_count; i++) {
        const char *fault = fault_of_name(&request->files[i]);
        if (fault)
            return sys_error_set(error, "EINVAL", "the name of file %zu %s", i + 1, fault);
    }
    return 0;
}

/* -- sorting: a directory's files stand together when '/' comes before every other byte ---------------------------- */

static int compare_paths(const void *left_pointer, const void *right_pointer)
{
    const struct iso_file *left = *(struct iso_file *const *)left_pointer;
    const struct iso_file *right = *(struct iso_file *const *)right_pointer;
    size_t shorter = left->name_length < right->name_length ? left->name_length : right->name_length;
    for (size_t i = 0; i < shorter; i++) {
        int a = left->name[i] == '/' ? 0 : (unsigned char)left->name[i];
        int b = right->name[i] == '/' ? 0 : (unsigned char)right->name[i];
        if (a != b)
            return a - b;
    }
    return (left->name_length > right->name_length) - (left->name_length < right->name_length);
}

static const struct iso_file **sort_files(const struct iso_request *request)
{
    const struct iso_file **sorted = calloc(request->file_count + 1, sizeof(void *));
    if (!sorted)
        return NULL;
    for (size_t i = 0; i < request->file_count; i++)
        sorted[i] = &request->files[i];
    qsort(sorted, request->file_count, sizeof(void *), compare_paths);
    return sorted;
}

/* -- nodes --------------------------------------------------------------------------------------------------------- */

static bool is_named(const struct iso_node *node, const char *name, size_t length)
{
    return node->name_length == length && !memcmp(node->name, name, length);
}

/* How many nodes there will be: every component that the sorted predecessor's path does not share is a new one. */
static size_t count_nodes(const struct iso_file *const *sorted, size_t count)
{
    size_t nodes = 1;
    for (size_t i = 0; i < count; i++) {
        size_t shared = 0;
        if (i)
            while (shared < sorted[i]->name_length && shared < sorted[i - 1]->name_length &&
                   sorted[i]->name[shared] == sorted[i - 1]->name[shared])
                shared++;
        for (nodes++; shared < sorted[i]->name_length; shared++)
            nodes += sorted[i]->name[shared] == '/';
    }
    return nodes;
}

static struct iso_node *add_node(struct iso_tree *tree, struct iso_node *parent, const char *name, size_t length)
{
    struct iso_node *node = &tree->nodes[tree->node_count++];
    node->parent = parent;
    node->name = name;
    node->name_length = length;
    parent->child_count++;
    return node;
}

/* Adds one file below the chain of directories that the previous file left; chain[0] is the root. */
static int add_file(struct iso_tree *tree, const struct iso_file *file, struct iso_node **chain,
                    struct sys_error *error)
{
    const char *text = file->name, *end = text + file->name_length;
    for (int depth = 1;; depth++) {
        size_t length = component_length(text, end);
        bool is_last = text + length == end;
        bool is_known = chain[depth] && is_named(chain[depth], text, length);
        if (is_known && (is_last || chain[depth]->file))
            return sys_error_set(error, "EEXIST", "two files want the name %.*s", (int)(text + length - file->name),
                                 file->name);
        if (!is_known) {
            chain[depth] = add_node(tree, chain[depth - 1], text, length);
            chain[depth + 1] = NULL;
        }
        if (is_last) {
            chain[depth]->file = file;
            return 0;
        }
        text += length + 1;
    }
}

static void count_directories(struct iso_tree *tree)
{
    tree->directory_count = 1;
    for (size_t i = 1; i < tree->node_count; i++) {
        if (tree->nodes[i].file)
            continue;
        tree->nodes[i].parent->directory_count++;
        tree->directory_count++;
    }
}

static int add_files(struct iso_tree *tree, const struct iso_file *const *sorted, size_t count, struct sys_error *error)
{
    struct iso_node *chain[ISO_LEVELS_MAX + 2] = { &tree->nodes[0] };
    tree->node_count = 1;
    tree->nodes[0].parent = &tree->nodes[0];
    for (size_t i = 0; i < count; i++)
        if (add_file(tree, sorted[i], chain, error) < 0)
            return -1;
    count_directories(tree);
    if (tree->directory_count > ISO_DIRECTORIES_MAX)
        return sys_error_set(error, "E2BIG", "%zu directories are more than %d", tree->directory_count,
                             ISO_DIRECTORIES_MAX);
    return 0;
}

/* -- views: children sorted by the view's identifiers, directories in path table order ----------------------------- */

static int compare_primary(const void *left, const void *right)
{
    return iso_compare_identifiers(*(struct iso_node *const *)left, *(struct iso_node *const *)right, ISO_PRIMARY);
}

static int compare_joliet(const void *left, const void *right)
{
    return iso_compare_identifiers(*(struct iso_node *const *)left, *(struct iso_node *const *)right, ISO_JOLIET);
}

static void hand_out_children(struct iso_tree *tree, enum iso_view view)
{
    struct iso_node **next = tree->tables[view].children;
    for (size_t i = 0; i < tree->node_count; i++) {
        tree->nodes[i].in[view].children = next;
        next += tree->nodes[i].child_count;
        tree->nodes[i].child_count = 0;
    }
    for (size_t i = 1; i < tree->node_count; i++) {
        struct iso_node *parent = tree->nodes[i].parent;
        parent->in[view].children[parent->child_count++] = &tree->nodes[i];
    }
}

/* Breadth first in identifier order is the order of the path table: level, parent's number, identifier (ECMA-119 9.4,
 * 6.9.1); the directory's number is its place in it. */
static int number_directories(struct iso_tree *tree, enum iso_view view)
{
    struct iso_node **directories = tree->tables[view].directories;
    size_t known = 0;
    directories[known++] = &tree->nodes[0];
    for (size_t i = 0; i < known; i++) {
        struct iso_node *directory = directories[i];
        struct iso_place *place = &directory->in[view];
        place->number = (uint16_t)(i + 1);
        if (iso_name_children(directory, view) < 0)
            return -ENOMEM;
        qsort(place->children, directory->child_count, sizeof(void *),
              view == ISO_PRIMARY ? compare_primary : compare_joliet);
        for (uint32_t child = 0; child < directory->child_count; child++)
            if (!place->children[child]->file)
                directories[known++] = place->children[child];
    }
    return 0;
}

static int make_view(struct iso_tree *tree, enum iso_view view)
{
    struct iso_table *table = &tree->tables[view];
    table->children = calloc(tree->node_count, sizeof(void *));
    table->directories = calloc(tree->directory_count, sizeof(void *));
    if (!table->children || !table->directories)
        return -ENOMEM;
    hand_out_children(tree, view);
    return number_directories(tree, view);
}

static int fill_tree(struct iso_tree *tree, const struct iso_request *request, struct sys_error *error)
{
    cleanup_free const struct iso_file **sorted = sort_files(request);
    if (!sorted)
        return sys_error_set(error, "ENOMEM", "%zu files do not fit in memory", request->file_count);
    size_t count = count_nodes(sorted, request->file_count);
    if (count > ISO_FILES_MAX + ISO_DIRECTORIES_MAX)
        return sys_error_set(error, "E2BIG", "there are more than %d directories", ISO_DIRECTORIES_MAX);
    tree->nodes = calloc(count, sizeof *tree->nodes);
    if (!tree->nodes)
        return sys_error_set(error, "ENOMEM", "%zu names do not fit in memory", count);
    if (add_files(tree, sorted, request->file_count, error) < 0)
        return -1;
    if (make_view(tree, ISO_PRIMARY) < 0 || make_view(tree, ISO_JOLIET) < 0)
        return sys_error_set(error, "ENOMEM", "%zu names do not fit in memory", count);
    return 0;
}

int iso_tree_make(struct iso_tree *tree, const struct iso_request *request, struct sys_error *error)
{
    *tree = (struct iso_tree){ .time_s = request->time_s };
    if (check_names(request, error) < 0)
        return -1;
    int status = fill_tree(tree, request, error);
    if (status < 0)
        iso_tree_free(tree);
    return status;
}

void iso_tree_free(struct iso_tree *tree)
{
    for (int view = 0; view < ISO_VIEWS; view++) {
        free(tree->tables[view].children);
        free(tree->tables[view].directories);
    }
    free(tree->nodes);
    *tree = (struct iso_tree){ .nodes = NULL };
}
