/* averaged.c: averages of a model's weights. */
#include "tern/averaged.h"

#include <string.h>

#include "module.h"
#include "tern/state.h"
#include "tern/update.h"

typedef enum kind { SWA, EMA, OWN } kind;

typedef struct averaged {
    tern_module module;
    tern_module *model;
    tern_tensor *n_averaged;
    kind kind;
    double decay;
    tern_average_fn average;
    void *user;
    bool use_buffers;
} averaged;

static tern_tensor *forward(tern_module *self, tern_tensor *input) {
    return tern_forward(((averaged *)self)->model, input);
}

static void copied(tern_module *self, const tern_module *source) {
    averaged *to = (averaged *)self;
    const averaged *from = (const averaged *)source;
    to->kind = from->kind;
    to->decay = from->decay;
    to->average = from->average;
    to->user = from->user;
    to->use_buffers = from->use_buffers;
    to->model = tern_module_get(self, "module");
    to->n_averaged = tern_module_tensor(self, "n_averaged");
}

static const tern_module_class averaged_class = {
    TERN_MODULE_CLASS("AveragedModel()", averaged),
    .forward = forward,
    .copied = copied,
};

/* ---- making ---------------------------------------------------------------------------------- */

static tern_module *make(tern_module *model, averaged form, const char *who) {
    if (!tern_module_there(model, who) || tern_latched(model->inner->ctx)) return NULL;
    tern_ctx *ctx = model->inner->ctx;
    tern_module *self = tern_module_new(ctx, &averaged_class, NULL);
    if (!self) return NULL;
    form.module = *self;
    *(averaged *)self = form;
    averaged *m = (averaged *)self;
    tern_scope scope = tern_module_begin(self);
    tern_module *copy = tern_module_copy(model);
    if (copy) m->model = tern_module_child(self, "module", copy);
    m->n_averaged = tern_module_buffer(self, "n_averaged",
                                       tern_zeros(ctx, TERN_SCALAR_SHAPE, TERN_INT64), true);
    tern_scope_end(scope);
    if (!tern_latched(ctx)) return self;
    tern_module_free(self);
    return NULL;
}

tern_module *tern_averaged_swa(tern_module *model, bool use_buffers) {
    return make(model, (averaged){.kind = SWA, .use_buffers = use_buffers}, "tern_averaged_swa");
}

tern_module *tern_averaged_ema(tern_module *model, double decay, bool use_buffers) {
    if (model && !(decay >= 0 && decay <= 1) && tern_module_there(model, "tern_averaged_ema")) {
        tern_fail(model->inner->ctx, TERN_ERR_ARGUMENT,
                  "Invalid decay value %g provided. Please provide a value in [0,1] range.", decay);
        return NULL;
    }
    return make(model, (averaged){.kind = EMA, .decay = decay, .use_buffers = use_buffers},
                "tern_averaged_ema");
}

tern_module *tern_averaged_new(tern_module *model, tern_average_fn average, void *user,
                               bool use_buffers) {
    if (model && !average && tern_module_there(model, "tern_averaged_new")) {
        tern_argument_given(model->inner->ctx, "tern_averaged_new", "average", NULL);
        return NULL;
    }
    return make(
        model,
        (averaged){.kind = OWN, .average = average, .user = user, .use_buffers = use_buffers},
        "tern_averaged_new");
}

/* ---- updating -------------------------------------------------------------------------------- */

/* Tensors side by side: what is averaged, then what it is averaged with. */
typedef struct pairs {
    tern_tensor **items;
    size_t count, capacity; /* in pairs */
} pairs;

/* Everything that an update writes: launches over the averages, and values that are copied. */
typedef struct update {
    tern_ctx *ctx;
    const averaged *m;
    int64_t n; /* updates before */
    pairs averages, copies;
    tern_update_run **runs;
    size_t n_runs;
} update;

static const tern_update_rule swa_rule = {
    .formula = "a = a + (p - a) / n", .tensors = "a p", .numbers = "n", .flags = ""};
static const tern_update_rule ema_rule = {
    .formula = "a = lerp(a, p, w)", .tensors = "a p", .numbers = "w", .flags = ""};

static bool push(tern_ctx *ctx, pairs *list, tern_tensor *to, tern_tensor *from) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 32;
        tern_tensor **items = tern_scope_alloc(ctx, 2 * capacity * sizeof(tern_tensor *));
        if (!items) return false;
        if (list->count) memcpy(items, list->items, 2 * list->count * sizeof(tern_tensor *));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[2 * list->count] = to;
    list->items[2 * list->count + 1] = from;
    list->count++;
    return true;
}

static bool same_place(const tern_tensor *a, const tern_tensor *b) {
    return tern_dtype_of(a) == tern_dtype_of(b) &&
           strcmp(tern_device_of(a), tern_device_of(b)) == 0;
}

/* What is no formula over floats: another average of the program's, integers. */
static tern_tensor *averaged_value(const update *u, tern_tensor *own, tern_tensor *current) {
    const averaged *m = u->m;
    if (m->kind == OWN) return m->average(own, current, u->n, m->user);
    if (m->kind == EMA)
        return tern_add(tern_mul_scalar(own, m->decay), tern_mul_scalar(current, 1 - m->decay));
    return tern_add(own, tern_div_scalar(tern_sub(current, own), (double)u->n + 1));
}

/* Puts one pair where it belongs. Computed values are made here, before anything is written. */
static bool add_pair(update *u, tern_tensor *own, tern_tensor *current, bool averages) {
    current = tern_to_device(tern_detach(current), tern_device_of(own));
    tern_dtype dtype = tern_dtype_of(own);
    if (tern_is_nil(current)) return false;
    if (!averages || u->n == 0) return push(u->ctx, &u->copies, own, current);
    if (u->m->kind == OWN || !tern_dtype_is_floating(dtype)) {
        tern_tensor *value = averaged_value(u, own, current);
        return !tern_latched(u->ctx) && push(u->ctx, &u->copies, own, value);
    }
    return push(u->ctx, &u->averages, own, tern_to_dtype(current, dtype));
}

static bool add_dict(update *u, tern_value own, tern_value given, bool averages) {
    tern_value key, item, other_key, other;
    bool fits = tern_value_count(own) == tern_value_count(given);
    for (size_t i = 0; fits && tern_dict_at(own, i, &key, &item); i++) {
        tern_dict_at(given, i, &other_key, &other);
        tern_shape a = tern_shape_of(item.as.tensor), b = tern_shape_of(other.as.tensor);
        fits = tern_shape_equal(&a, &b);
        if (fits && !add_pair(u, item.as.tensor, other.as.tensor, averages)) return false;
    }
    if (!fits)
        tern_fail(
            u->ctx, TERN_ERR_ARGUMENT,
            "tern_averaged_update: the model has different parameters or buffers than the one "
            "that was copied");
    return fits;
}

/* Prepares a launch for each dtype and device. */
static bool prepare(update *u) {
    pairs *all = &u->averages;
    double *numbers = tern_scope_alloc(u->ctx, (all->count + 1) * sizeof *numbers);
    u->runs = tern_scope_alloc(u->ctx, (all->count + 1) * sizeof(tern_update_run *));
    if (!numbers || !u->runs) return false;
    for (size_t i = 0; i < all->count; i++)
        numbers[i] = u->m->kind == SWA ? (double)u->n + 1 : 1 - u->m->decay;
    for (size_t first = 0, end; first < all->count; first = end) {
        for (size_t i = end = first + 1; i < all->count; i++) {
            tern_tensor **a = &all->items[2 * i], **b = &all->items[2 * end], *swap[2];
            if (!same_place(a[0], all->items[2 * first])) continue;
            memcpy(swap, a, sizeof swap);
            memcpy(a, b, sizeof swap);
            memcpy(b, swap, sizeof swap);
            end++;
        }
        tern_updater *program = tern_updater_of(u->ctx, u->m->kind == SWA ? &swa_rule : &ema_rule,
                                                0, tern_dtype_of(all->items[2 * first]));
        if (!program) return false;
        u->runs[u->n_runs] =
            tern_updater_prepare(program, all->items + 2 * first, numbers, end - first);
        if (!u->runs[u->n_runs++]) return false;
    }
    return tern_reserve(u->ctx) == TERN_OK;
}

static void write(const update *u) {
    for (size_t i = 0; i < u->n_runs; i++)
        if (tern_update_start(u->runs[i]) != TERN_OK) return;
    for (size_t i = 0; i < u->copies.count; i++)
        tern_copy_in_place(u->copies.items[2 * i], u->copies.items[2 * i + 1]);
    tern_add_scalar_in_place(u->m->n_averaged, 1);
}

tern_status tern_averaged_update(tern_module *self, tern_module *model) {
    if (!tern_module_there(self, "tern_averaged_update")) return tern_module_absent(self);
    tern_ctx *ctx = self->inner->ctx;
    if (tern_latched(ctx)) return tern_check(ctx);
    if (self->cls != &averaged_class || tern_module_context(model) != ctx)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "tern_averaged_update: takes an AveragedModel and a model of its context");
    const averaged *m = (averaged *)self;
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    update u = {.ctx = ctx, .m = m, .n = tern_item_i64(m->n_averaged)};
    if (!tern_latched(ctx) &&
        add_dict(&u, tern_module_named_parameters(m->model), tern_module_named_parameters(model),
                 true) &&
        add_dict(&u, tern_module_named_buffers(m->model), tern_module_named_buffers(model),
                 m->use_buffers) &&
        prepare(&u))
        write(&u);
    tern_scope_end(scope);
    return tern_check(ctx);
}
