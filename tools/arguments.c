#include "arguments.h"

#include "tern/context.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The nesting of JSON is bounded by its reader. */
enum { PATH_SIZE = 256 };

typedef struct conversion {
    tern_ctx *ctx;
    tensor_finder find;
    void *user;
} conversion;

static tern_value convert(const conversion *c, tern_value json, const char *path);

static tern_value convert_text(const conversion *c, tern_value json, const char *path) {
    const char *text = json.as.s;
    tern_dtype dtype;
    if (text[0] == '@') return tern_tensor_value(c->find(c->user, text + 1, path));
    /* PyTorch computed the cases on its CPU, which stands for the device under test. */
    if (strcmp(path, "device") == 0 && strcmp(text, "cpu") == 0)
        return tern_text(tern_device_name(c->ctx));
    if (strcmp(text, "inf") == 0) return tern_float((double)INFINITY);
    if (strcmp(text, "-inf") == 0) return tern_float(-(double)INFINITY);
    if (strcmp(text, "nan") == 0) return tern_float((double)NAN);
    if (strncmp(text, "torch.", 6) == 0 && tern_dtype_parse(text, &dtype))
        return tern_dtype_value(dtype);
    return json;
}

static tern_value convert_list(const conversion *c, tern_value json, const char *path) {
    tern_value list = tern_list_new(c->ctx);
    for (size_t i = 0; i < tern_value_count(json); i++) {
        char member[PATH_SIZE];
        snprintf(member, sizeof member, "%s%s%zu", path, *path ? "." : "", i);
        tern_list_append(list, convert(c, tern_value_at(json, i), member));
    }
    return list;
}

static tern_value convert_dict(const conversion *c, tern_value json, const char *path) {
    tern_value dict = tern_dict_new(c->ctx, false);
    tern_value key, item;
    for (size_t i = 0; tern_dict_at(json, i, &key, &item); i++) {
        char member[PATH_SIZE];
        snprintf(member, sizeof member, "%s%s%s", path, *path ? "." : "", key.as.s);
        tern_dict_set(dict, key.as.s, convert(c, item, member));
    }
    return dict;
}

static tern_value convert(const conversion *c, tern_value json, const char *path) {
    switch (json.kind) {
    case TERN_VALUE_STRING: return convert_text(c, json, path);
    case TERN_VALUE_LIST: return convert_list(c, json, path);
    case TERN_VALUE_DICT: return convert_dict(c, json, path);
    default: return json;
    }
}

tern_value call_arguments(tern_ctx *ctx, tern_value json, tensor_finder find, void *user) {
    conversion c = {ctx, find, user};
    return convert(&c, json, "");
}
