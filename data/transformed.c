/* transformed.c: a dataset whose samples pass through transforms, one after the other. */
#include <string.h>

#include "dataset.h"
#include "tern/memory.h"
#include "transform.h"

enum { MOST_TRANSFORMS = 32 };

typedef struct pipeline {
    tern_dataset_body *whole;
    int field;
    size_t bytes; /* of the largest sample on the way */
    int count;
    tern_transform transforms[MOST_TRANSFORMS];
} pipeline;

/* ---- a sample ---- */

/* Applies the transforms between two buffers; the last one writes to `out`. */
static void run_transforms(const pipeline *p, uint64_t noise, unsigned char *from,
                           unsigned char *other, void *out) {
    for (int i = 0; i < p->count; i++) {
        void *to = i + 1 < p->count ? other : out;
        const tern_transform *t = &p->transforms[i];
        if (t->cls->apply)
            t->cls->apply(t, from, to);
        else
            t->cls->apply_random(t, &noise, from, to);
        other = from;
        from = to;
    }
}

static bool get_transformed(const void *part, int64_t index, uint64_t noise,
                            void *const *out_fields) {
    const pipeline *p = part;
    void *fields[TERN_MAX_FIELDS];
    unsigned char *buffers = tern_alloc(2 * p->bytes);
    if (!buffers) return false;
    for (int f = 0; f < p->whole->n_fields; f++) fields[f] = out_fields[f];
    fields[p->field] = buffers;
    bool read = tern_dataset_read(p->whole, index, noise, fields);
    if (read) run_transforms(p, noise, buffers, buffers + p->bytes, out_fields[p->field]);
    tern_free(buffers);
    return read;
}

/* ---- making ---- */

static bool unknown(tern_ctx *ctx, const char *name) {
    tern_textbuf list = {0};
    tern_nearest nearest = tern_nearest_begin(name);
    for (size_t i = 0; tern_transform_name(i); i++) {
        tern_textbuf_add(&list, "%s%s", i ? ", " : "", tern_transform_name(i));
        tern_nearest_try(&nearest, tern_transform_name(i), strlen(tern_transform_name(i)));
    }
    if (nearest.name)
        tern_fail(ctx, TERN_ERR_NOT_FOUND, "transforms: there is no '%.60s'; did you mean %s?",
                  name, nearest.name);
    else
        tern_fail(ctx, TERN_ERR_NOT_FOUND, "transforms: there is no '%.60s'; there are %s", name,
                  list.data ? list.data : "others");
    tern_textbuf_free(&list);
    return false;
}

/* Appends one transform, whose input is what the one before it gives. */
static bool add(tern_ctx *ctx, pipeline *p, tern_value call, const tern_sample_field *in) {
    tern_value name = tern_dict_get(call, "module"), args[TERN_SCHEMA_MAX_ARGS];
    tern_value positional = tern_dict_get(call, "positional");
    size_t count = tern_value_count(positional);
    if (name.kind != TERN_VALUE_STRING || p->count == MOST_TRANSFORMS ||
        count > TERN_SCHEMA_MAX_ARGS) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "transforms: expected transforms such as ToTensor(), at most %d",
                  MOST_TRANSFORMS);
        return false;
    }
    tern_transform *t = &p->transforms[p->count++];
    t->cls = tern_transform_find(name.as.s);
    t->in = *in;
    if (!t->cls) return unknown(ctx, name.as.s);
    for (size_t i = 0; i < count; i++) args[i] = tern_value_at(positional, i);
    return tern_fields_bind(ctx, "transforms", t->cls->schema, t->cls->fields, args, (int)count,
                            tern_dict_get(call, "args"), &t->options) &&
           tern_fields_own(ctx, t->cls->fields, &t->options) && t->cls->plan(ctx, t);
}

static bool add_all(tern_ctx *ctx, pipeline *p, const char *text, tern_dataset_body *dataset) {
    tern_value call = tern_notation_parse(ctx, "transforms", text), list = tern_none();
    tern_value name = tern_dict_get(call, "module");
    tern_sample_field field = p->whole->fields[p->field];
    if (tern_error(ctx)[0]) return false;
    p->bytes = dataset->bytes[p->field];
    if (name.kind == TERN_VALUE_STRING && strcmp(name.as.s, "Compose") == 0) {
        list = tern_value_at(tern_dict_get(call, "positional"), 0);
        if (list.kind != TERN_VALUE_LIST || tern_value_count(list) == 0) {
            tern_fail(ctx, TERN_ERR_ARGUMENT,
                      "transforms: Compose takes a list: [ToTensor(), ...]");
            return false;
        }
    }
    size_t count = list.kind == TERN_VALUE_LIST ? tern_value_count(list) : 1;
    for (size_t i = 0; i < count; i++) {
        tern_value one = list.kind == TERN_VALUE_LIST ? tern_value_at(list, i) : call;
        if (!add(ctx, p, one, &field)) return false;
        field = p->transforms[p->count - 1].out;
        if (!tern_dataset_set_field(dataset, p->field, &field)) return false;
        if (dataset->bytes[p->field] > p->bytes) p->bytes = dataset->bytes[p->field];
        dataset->random = dataset->random || p->transforms[p->count - 1].cls->apply_random;
    }
    p->bytes = (p->bytes + 63) / 64 * 64;
    return true;
}

tern_dataset *tern_transformed_new(tern_dataset *handle, int field, const char *transforms) {
    tern_dataset_body *dataset = tern_dataset_of(handle, "tern_transformed_new");
    if (!dataset) return NULL;
    tern_ctx *ctx = dataset->ctx;
    if (field < 0 || field >= dataset->n_fields || !transforms) {
        tern_fail(ctx, TERN_ERR_INDEX, "transforms: no field %d: a sample has %d fields", field,
                  dataset->n_fields);
        return NULL;
    }
    pipeline *p = tern_scope_alloc(ctx, sizeof *p);
    tern_dataset_body *changed =
        p ? tern_dataset_derived(dataset, dataset->length, get_transformed, p) : NULL;
    if (!changed) return NULL;
    p->whole = dataset;
    p->field = field;
    return add_all(ctx, p, transforms, changed) ? changed->handle : NULL;
}
