/* lbfgs_state.c: making, moving, saving and loading LBFGS's state. */
#include "lbfgs_state.h"

#include <string.h>

int64_t tern_lbfgs_numel(const tern_optim_body *optim) {
    int64_t total = 0;
    for (size_t i = 0; i < optim->groups[0].count; i++)
        total += tern_numel(optim->groups[0].params[i].tensor);
    return total;
}

/* ---- making and moving ----------------------------------------------------------------------- */

/* Like the parameters; the scope of the state is open. */
static tern_tensor *room(const tern_optim_body *optim, tern_shape shape) {
    const tern_tensor *first = optim->groups[0].params[0].tensor;
    return tern_to_device(tern_zeros(optim->ctx, shape, tern_dtype_of(first)),
                          tern_device_of(first));
}

static bool make_pair(const tern_optim_body *optim, tern_lbfgs_pair *pair) {
    tern_shape flat = TERN_SHAPE(tern_lbfgs_numel(optim));
    pair->y = room(optim, flat);
    pair->s = room(optim, flat);
    pair->ro = room(optim, TERN_SCALAR_SHAPE);
    pair->al = room(optim, TERN_SCALAR_SHAPE);
    return !tern_optim_latched(optim->ctx);
}

static bool make_vectors(const tern_optim_body *optim, tern_lbfgs *state) {
    tern_shape flat = TERN_SHAPE(tern_lbfgs_numel(optim));
    state->d = room(optim, flat);
    state->prev_grad = room(optim, flat);
    state->h_diag = tern_fill_in_place(room(optim, TERN_SCALAR_SHAPE), 1);
    return !tern_optim_latched(optim->ctx);
}

static void follow(const tern_optim_body *optim, tern_tensor **slot) {
    const tern_tensor *first = optim->groups[0].params[0].tensor;
    tern_tensor *moved =
        tern_to_device(tern_to_dtype(*slot, tern_dtype_of(first)), tern_device_of(first));
    if (moved == *slot || tern_optim_latched(optim->ctx)) return;
    tern_drop(*slot);
    *slot = moved;
}

tern_lbfgs *tern_lbfgs_prepare(tern_optim_body *optim) {
    tern_scope scope = tern_owner_begin(optim->state_owner, TERN_NO_GRAD);
    if (!scope.serial) return NULL;
    if (!optim->whole) optim->whole = tern_scope_alloc(optim->ctx, sizeof(tern_lbfgs));
    tern_lbfgs *state = optim->whole;
    if (state && state->d) {
        tern_tensor **vectors[] = {&state->d, &state->prev_grad, &state->h_diag};
        for (int i = 0; i < 3; i++) follow(optim, vectors[i]);
        for (size_t i = 0; i < state->made; i++) {
            tern_lbfgs_pair *p = &state->pairs[i];
            tern_tensor **of_pair[] = {&p->y, &p->s, &p->ro, &p->al};
            for (int k = 0; k < 4; k++) follow(optim, of_pair[k]);
        }
    }
    tern_scope_end(scope);
    return tern_optim_latched(optim->ctx) ? NULL : state;
}

bool tern_lbfgs_begin(tern_optim_body *optim) {
    tern_scope scope = tern_owner_begin(optim->state_owner, TERN_NO_GRAD);
    tern_lbfgs *state = optim->whole;
    bool ok = scope.serial && make_vectors(optim, state);
    if (!ok) state->d = NULL;
    tern_scope_end(scope);
    return ok;
}

/* With the scope of the state open. */
static bool reserve_pairs(tern_ctx *ctx, tern_lbfgs *state, size_t count) {
    if (count <= state->capacity) return true;
    uint64_t bytes;
    size_t capacity = state->capacity * 2 > count ? state->capacity * 2 : count;
    if (!tern_size_mul(capacity, sizeof(tern_lbfgs_pair), &bytes)) return false;
    tern_lbfgs_pair *pairs = tern_scope_alloc(ctx, bytes);
    if (!pairs) return false;
    if (state->made) memcpy(pairs, state->pairs, state->made * sizeof *pairs);
    state->pairs = pairs;
    state->capacity = capacity;
    return true;
}

/* The oldest pair becomes the first that is not in use. */
static void retire_oldest(tern_lbfgs *state) {
    tern_lbfgs_pair oldest = state->pairs[0];
    state->count--;
    memmove(state->pairs, state->pairs + 1, state->count * sizeof oldest);
    state->pairs[state->count] = oldest;
}

tern_lbfgs_pair *tern_lbfgs_next_pair(tern_optim_body *optim, size_t most) {
    tern_lbfgs *state = optim->whole;
    while (state->count >= most) retire_oldest(state);
    if (state->count < state->made) return &state->pairs[state->count++];
    tern_scope scope = tern_owner_begin(optim->state_owner, TERN_NO_GRAD);
    bool ok = scope.serial && reserve_pairs(optim->ctx, state, state->made + 1) &&
              make_pair(optim, &state->pairs[state->made]);
    tern_scope_end(scope);
    if (!ok) return NULL;
    state->made++;
    return &state->pairs[state->count++];
}

/* ---- saving ---------------------------------------------------------------------------------- */

static void add(tern_value list, tern_tensor *tensor) {
    tern_list_append(list, tern_tensor_value(tern_detach(tensor)));
}

static void save_pairs(const tern_optim_body *optim, const tern_lbfgs *state, tern_value dict) {
    tern_ctx *ctx = optim->ctx;
    const tern_lbfgs_options *o = optim->groups[0].options;
    tern_value dirs = tern_list_new(ctx), steps = tern_list_new(ctx), ro = tern_list_new(ctx);
    tern_value al = tern_list_new(ctx);
    for (size_t i = 0; i < state->count; i++) {
        add(dirs, state->pairs[i].y);
        add(steps, state->pairs[i].s);
        add(ro, state->pairs[i].ro);
        add(al, state->pairs[i].al);
    }
    /* PyTorch's list has room for the whole history. */
    for (int64_t i = (int64_t)state->count; i < o->history_size; i++)
        tern_list_append(al, tern_none());
    if (state->n_iter > 1) tern_dict_set(dict, "al", al);
    tern_dict_set(dict, "d", tern_tensor_value(tern_detach(state->d)));
    tern_dict_set(dict, "t", tern_float(state->t));
    tern_dict_set(dict, "old_dirs", dirs);
    tern_dict_set(dict, "old_stps", steps);
    tern_dict_set(dict, "ro", ro);
}

tern_value tern_lbfgs_save(const tern_optim_body *optim) {
    const tern_lbfgs *state = optim->whole;
    if (!state) return tern_none();
    tern_value dict = tern_dict_new(optim->ctx, false);
    tern_dict_set(dict, "func_evals", tern_int(state->func_evals));
    tern_dict_set(dict, "n_iter", tern_int(state->n_iter));
    if (state->n_iter == 0) return dict;
    save_pairs(optim, state, dict);
    tern_dict_set(dict, "H_diag", tern_tensor_value(tern_detach(state->h_diag)));
    tern_dict_set(dict, "prev_flat_grad", tern_tensor_value(tern_detach(state->prev_grad)));
    tern_dict_set(dict, "prev_loss", tern_float(state->prev_loss));
    return dict;
}

/* ---- loading --------------------------------------------------------------------------------- */

static bool refuse(const tern_optim_body *optim, const char *name, const char *what) {
    tern_fail(optim->ctx, TERN_ERR_ARGUMENT, "LBFGS: the saved state '%s' %s", name, what);
    return false;
}

/* Into `to`, which has the size that is wanted; a number where `to` is 0-dim. */
static bool load_into(const tern_optim_body *optim, const char *name, tern_value saved,
                      tern_tensor *to) {
    if (tern_rank(to) == 0 && tern_value_is_number(saved))
        return !tern_is_nil(tern_fill_in_place(to, tern_value_as_double(saved)));
    if (saved.kind != TERN_VALUE_TENSOR || tern_numel(saved.as.tensor) != tern_numel(to))
        return refuse(optim, name, "does not have the size of all parameters together");
    tern_tensor *flat = tern_reshape(saved.as.tensor, tern_shape_of(to));
    return !tern_is_nil(tern_copy_in_place(to, flat));
}

static bool load_number(const tern_optim_body *optim, tern_value saved, const char *name,
                        double *out_number) {
    tern_value item = tern_dict_get(saved, name);
    bool is_tensor = item.kind == TERN_VALUE_TENSOR && tern_numel(item.as.tensor) == 1;
    if (!is_tensor && !tern_value_is_number(item)) return refuse(optim, name, "is not a number");
    *out_number = is_tensor ? tern_item(item.as.tensor) : tern_value_as_double(item);
    return true;
}

static bool load_count(const tern_optim_body *optim, tern_value saved, const char *name,
                       int64_t *out_count) {
    tern_value item = tern_dict_get(saved, name);
    if (item.kind != TERN_VALUE_INT || item.as.i < 0)
        return refuse(optim, name, "is not a whole number of 0 or more");
    *out_count = item.as.i;
    return true;
}

static bool load_pairs(tern_optim_body *optim, tern_lbfgs *state, tern_value saved) {
    tern_value dirs = tern_dict_get(saved, "old_dirs"), steps = tern_dict_get(saved, "old_stps");
    tern_value ro = tern_dict_get(saved, "ro"), al = tern_dict_get(saved, "al");
    size_t count = tern_value_count(dirs);
    if (dirs.kind != TERN_VALUE_LIST || tern_value_count(steps) != count ||
        tern_value_count(ro) != count)
        return refuse(optim, "old_dirs", "is not a list as long as old_stps and ro");
    if (!reserve_pairs(optim->ctx, state, count)) return false;
    for (size_t i = 0; i < count; i++) {
        tern_lbfgs_pair *pair = &state->pairs[i];
        tern_value weight = tern_value_at(al, i);
        if (!make_pair(optim, pair) ||
            !load_into(optim, "old_dirs", tern_value_at(dirs, i), pair->y) ||
            !load_into(optim, "old_stps", tern_value_at(steps, i), pair->s) ||
            !load_into(optim, "ro", tern_value_at(ro, i), pair->ro) ||
            (weight.kind != TERN_VALUE_NONE && !load_into(optim, "al", weight, pair->al)))
            return false;
        state->count = ++state->made;
    }
    return true;
}

void *tern_lbfgs_load(tern_optim_body *optim, tern_value saved) {
    tern_lbfgs *state = tern_scope_alloc(optim->ctx, sizeof *state);
    if (!state || !load_count(optim, saved, "func_evals", &state->func_evals) ||
        !load_count(optim, saved, "n_iter", &state->n_iter))
        return NULL;
    if (state->n_iter == 0) return state;
    bool ok = make_vectors(optim, state) && load_pairs(optim, state, saved) &&
              load_number(optim, saved, "t", &state->t) &&
              load_number(optim, saved, "prev_loss", &state->prev_loss) &&
              load_into(optim, "d", tern_dict_get(saved, "d"), state->d) &&
              load_into(optim, "prev_flat_grad", tern_dict_get(saved, "prev_flat_grad"),
                        state->prev_grad) &&
              load_into(optim, "H_diag", tern_dict_get(saved, "H_diag"), state->h_diag);
    return ok && !tern_optim_latched(optim->ctx) ? state : NULL;
}
