/* summary.c: the rows of a model's summary, and its table. */
#include "tern/summary.h"

#include <stdio.h>
#include <string.h>

#include "module.h"

/* ---- rows ------------------------------------------------------------------------------------ */

typedef struct collector {
    tern_ctx *ctx;
    tern_summary_row *rows;
    tern_module **modules;
    bool *training;
    size_t count;
} collector;

static bool count_module(void *user, const char *name, tern_module *module) {
    (void)name;
    (void)module;
    ++*(size_t *)user;
    return true;
}

static int depth_of(const char *name) {
    int depth = *name != '\0';
    for (; *name; name++) depth += *name == '.';
    return depth;
}

static bool add_row(void *user, const char *name, tern_module *module) {
    collector *c = user;
    tern_value copy = tern_string(c->ctx, name);
    if (copy.kind != TERN_VALUE_STRING) return false;
    c->rows[c->count] = (tern_summary_row){
        .name = copy.as.s, .kind = tern_module_name(module), .depth = depth_of(name)};
    c->modules[c->count] = module;
    c->training[c->count++] = tern_module_is_training(module);
    return true;
}

static bool collect(collector *c, tern_module *module) {
    size_t count = 0;
    if (!tern_walk_modules(module, true, count_module, &count)) return false;
    c->rows = tern_scope_alloc(c->ctx, count * sizeof *c->rows);
    c->modules = tern_scope_alloc(c->ctx, count * sizeof *c->modules);
    c->training = tern_scope_alloc(c->ctx, count * sizeof *c->training);
    return c->rows && c->modules && c->training && tern_walk_modules(module, true, add_row, c);
}

/* ---- parameters ------------------------------------------------------------------------------ */

typedef struct counting {
    collector *c;
    tern_summary *summary;
} counting;

static tern_summary_row *row_of(const collector *c, const tern_module *module) {
    for (size_t i = 0; i < c->count; i++)
        if (c->modules[i] == module) return &c->rows[i];
    return NULL;
}

static uint64_t bytes_of(const tern_tensor *tensor) {
    return (uint64_t)tern_numel(tensor) * tern_dtype_size(tern_dtype_of(tensor));
}

static bool count_parameter(void *user, const char *key, tern_slot *slot, tern_module *module) {
    counting *n = user;
    tern_summary_row *row = row_of(n->c, module);
    (void)key;
    int64_t elements = tern_numel(slot->tensor);
    int64_t trainable = tern_has_grad_required(slot->tensor) ? elements : 0;
    if (row) {
        row->parameters += elements;
        row->trainable += trainable;
    }
    n->summary->parameters += elements;
    n->summary->trainable += trainable;
    n->summary->parameter_bytes += bytes_of(slot->tensor);
    return true;
}

static bool count_buffer(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)key;
    (void)module;
    ((counting *)user)->summary->buffer_bytes += bytes_of(slot->tensor);
    return true;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* Every module has its row while the model runs once. */
static void run(collector *c, tern_module *module, const tern_value *inputs, int n_inputs) {
    for (size_t i = 0; i < c->count; i++) c->modules[i]->inner->watch = &c->rows[i];
    tern_module_eval(module);
    tern_scope scope = tern_scope_begin(c->ctx, TERN_NO_GRAD);
    tern_module_call(module, inputs, n_inputs, tern_none());
    tern_scope_end(scope);
    for (size_t i = 0; i < c->count; i++) {
        c->modules[i]->inner->watch = NULL;
        c->modules[i]->inner->training = c->training[i];
    }
}

tern_status tern_summary_of(tern_module *module, const tern_value *inputs, int n_inputs,
                            tern_summary *out_summary) {
    if (out_summary) *out_summary = (tern_summary){0};
    if (!tern_module_there(module, "tern_summary_of")) return tern_module_absent(module);
    collector c = {.ctx = module->inner->ctx};
    if (!tern_argument_given(c.ctx, "tern_summary_of", "out_summary", out_summary) ||
        (n_inputs > 0 && !tern_argument_given(c.ctx, "tern_summary_of", "inputs", inputs)))
        return TERN_ERR_ARGUMENT;
    counting n = {&c, out_summary};
    if (tern_latched(c.ctx)) return TERN_ERR_STATE;
    if (!collect(&c, module) || !tern_walk_slots(module, 'p', true, count_parameter, &n) ||
        !tern_walk_slots(module, 'b', true, count_buffer, &n))
        return tern_nn_no_memory(c.ctx, "tern_summary_of");
    if (n_inputs > 0) run(&c, module, inputs, n_inputs);
    out_summary->rows = c.rows;
    out_summary->count = c.count;
    return tern_latched(c.ctx) ? TERN_ERR_ARGUMENT : TERN_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

enum { COLUMNS = 5, CELL = 96 };

/* 1234567 as "1,234,567". */
static void group_digits(int64_t value, char *out, size_t size) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    size_t n = 0;
    for (int i = 0; i < length && n + 2 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0) out[n++] = ',';
        out[n++] = digits[i];
    }
    out[n] = '\0';
}

static void shape_text(tern_shape shape, char *out, size_t size) {
    size_t n = 0;
    int added = snprintf(out, size, "(");
    for (int i = 0; i < shape.rank && added >= 0 && (n += (size_t)added) < size; i++)
        added = snprintf(out + n, size - n, i ? ", %lld" : "%lld", (long long)shape.dim[i]);
    if (added >= 0 && (n += (size_t)added) < size)
        snprintf(out + n, size - n, shape.rank == 1 ? ",)" : ")");
}

static void cells_of(const tern_summary_row *row, char cells[COLUMNS][CELL]) {
    snprintf(cells[0], CELL, "%s", *row->name ? row->name : "(model)");
    snprintf(cells[1], CELL, "%s", row->kind);
    snprintf(cells[2], CELL, "-");
    snprintf(cells[3], CELL, "-");
    if (row->called) {
        shape_text(row->input, cells[2], CELL);
        shape_text(row->output, cells[3], CELL);
    }
    group_digits(row->parameters, cells[4], CELL);
}

/* Numbers stand at the right, texts at the left. */
static void add_line(tern_textbuf *text, char cells[COLUMNS][CELL], const int *widths) {
    for (int i = 0; i < COLUMNS; i++)
        tern_textbuf_add(text, i == COLUMNS - 1 ? "%*s\n" : "%-*s  ", widths[i], cells[i]);
}

static void widen(char cells[COLUMNS][CELL], int *widths) {
    for (int i = 0; i < COLUMNS; i++)
        if ((int)strlen(cells[i]) > widths[i]) widths[i] = (int)strlen(cells[i]);
}

static void add_totals(tern_textbuf *text, const tern_summary *s) {
    char all[32], trainable[32];
    group_digits(s->parameters, all, sizeof all);
    group_digits(s->trainable, trainable, sizeof trainable);
    tern_textbuf_add(text, "%s parameters (%s trainable), %.2f MiB; buffers %.2f MiB\n", all,
                     trainable, (double)s->parameter_bytes / 1048576.0,
                     (double)s->buffer_bytes / 1048576.0);
}

const char *tern_summary_text(tern_module *module, const tern_value *inputs, int n_inputs) {
    tern_summary summary;
    char head[COLUMNS][CELL] = {"name", "module", "input", "output", "parameters"};
    char cells[COLUMNS][CELL];
    int widths[COLUMNS] = {0};
    tern_textbuf text = {0};
    if (tern_summary_of(module, inputs, n_inputs, &summary) != TERN_OK) return "";
    widen(head, widths);
    for (size_t i = 0; i < summary.count; i++) {
        cells_of(&summary.rows[i], cells);
        widen(cells, widths);
    }
    add_line(&text, head, widths);
    for (size_t i = 0; i < summary.count; i++) {
        cells_of(&summary.rows[i], cells);
        add_line(&text, cells, widths);
    }
    add_totals(&text, &summary);
    tern_ctx *ctx = tern_module_context(module);
    tern_value result = tern_none();
    if (text.failed)
        tern_nn_no_memory(ctx, "tern_summary_text");
    else
        result = tern_string_n(ctx, text.data, text.length);
    tern_textbuf_free(&text);
    return result.kind == TERN_VALUE_STRING ? result.as.s : "";
}
