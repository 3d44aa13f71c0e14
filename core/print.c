/*
 * print.c: tensors as PyTorch prints them (torch/_tensor_str.py's rules: precision 4, threshold 1000,
 * 3 edge items, lines of 80 columns).
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "autograd/graph.h"
#include "op.h"

enum { EDGE_ITEMS = 3, THRESHOLD = 1000, LINE_WIDTH = 80, NUMBER_SIZE = 48 };

/* Text that grows by counting: what does not fit is counted all the same, as snprintf does. */
typedef struct printer {
    char *text;
    size_t size, length;
    size_t line_start; /* where the current line begins */

    const tern_tensor *tensor;
    double *values; /* row-major elements as doubles */
    int64_t *ints;  /* of an integer tensor, exact */
    bool summarise, integral, scientific, is_integer;
    int width;
} printer;

static void put(printer *p, const char *format, ...) {
    char part[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(part, sizeof part, format, args);
    va_end(args);
    for (int i = 0; i < n && i < (int)sizeof part - 1; i++) {
        if (p->length + 1 < p->size) p->text[p->length] = part[i];
        p->length++;
        if (part[i] == '\n') p->line_start = p->length;
    }
}

/* ---- numbers --------------------------------------------------------------------------------------- */

static int number_text(const printer *p, int64_t index, char *out_text) {
    if (p->is_integer) {
        if (p->tensor->dtype == TERN_BOOL)
            return snprintf(out_text, NUMBER_SIZE, "%s", p->ints[index] ? "True" : "False");
        return snprintf(out_text, NUMBER_SIZE, "%lld", (long long)p->ints[index]);
    }
    double value = p->values[index];
    if (isnan(value)) return snprintf(out_text, NUMBER_SIZE, "nan");
    if (isinf(value)) return snprintf(out_text, NUMBER_SIZE, value < 0 ? "-inf" : "inf");
    if (p->scientific) return snprintf(out_text, NUMBER_SIZE, "%.4e", value);
    if (p->integral) return snprintf(out_text, NUMBER_SIZE, "%.0f.", value);
    return snprintf(out_text, NUMBER_SIZE, "%.4f", value);
}

/* Whether an index along a dimension of `size` is shown. */
static bool shown(const printer *p, int64_t size, int64_t index) {
    return !p->summarise || size <= 2 * EDGE_ITEMS || index < EDGE_ITEMS ||
           index >= size - EDGE_ITEMS;
}

static bool element_shown(const printer *p, int64_t index) {
    for (int d = p->tensor->rank; d-- > 0;) {
        int64_t size = p->tensor->shape[d];
        if (!shown(p, size, index % size)) return false;
        index /= size;
    }
    return true;
}

/* The format that suits all elements shown: integers, fixed or scientific, and their width. */
static void choose_format(printer *p) {
    double low = INFINITY, high = 0;
    p->integral = true;
    for (int64_t i = 0; !p->is_integer && i < p->tensor->numel; i++) {
        double magnitude = fabs(p->values[i]);
        if (!isfinite(magnitude) || magnitude == 0 || !element_shown(p, i)) continue;
        if (magnitude != ceil(magnitude)) p->integral = false;
        if (magnitude < low) low = magnitude;
        if (magnitude > high) high = magnitude;
    }
    if (high > 0) p->scientific = high / low > 1000 || high > 1e8 || (!p->integral && low < 1e-4);
    char text[NUMBER_SIZE];
    for (int64_t i = 0; i < p->tensor->numel; i++) {
        if (!element_shown(p, i)) continue;
        int width = number_text(p, i, text);
        if (width > p->width) p->width = width;
    }
}

/* ---- the nested lists ------------------------------------------------------------------------------- */

static void put_row(printer *p, int64_t first, int64_t count, int indent) {
    int per_line = (LINE_WIDTH - indent) / (p->width + 2);
    if (per_line < 1) per_line = 1;
    int on_line = 0;
    char text[NUMBER_SIZE];
    put(p, "[");
    for (int64_t i = 0; i < count; i++) {
        bool dots = !shown(p, count, i);
        if (i > 0) put(p, on_line == 0 ? ",\n%*s" : ", ", indent + 1, "");
        if (dots) {
            put(p, " ...");
            i = count - EDGE_ITEMS - 1;
        } else {
            number_text(p, first + i, text);
            put(p, "%*s", p->width, text);
        }
        on_line = (on_line + 1) % per_line;
    }
    put(p, "]");
}

static void put_level(printer *p, int dim, int64_t first, int indent) {
    const tern_tensor *t = p->tensor;
    if (t->rank == 0) {
        char text[NUMBER_SIZE];
        number_text(p, 0, text);
        put(p, "%s", text);
        return;
    }
    if (dim == t->rank - 1) {
        put_row(p, first, t->shape[dim], indent);
        return;
    }
    int64_t step = 1;
    for (int d = dim + 1; d < t->rank; d++) step *= t->shape[d];
    put(p, "[");
    for (int64_t i = 0; i < t->shape[dim]; i++) {
        if (i > 0) {
            put(p, ",");
            for (int d = dim + 1; d < t->rank; d++) put(p, "\n");
            put(p, "%*s", indent + 1, "");
        }
        if (shown(p, t->shape[dim], i)) {
            put_level(p, dim + 1, first + i * step, indent + 1);
        } else {
            put(p, "...");
            i = t->shape[dim] - EDGE_ITEMS - 1;
        }
    }
    put(p, "]");
}

/* ---- suffixes --------------------------------------------------------------------------------------- */

static void put_suffix(printer *p, int indent, const char *suffix) {
    size_t column = p->length - p->line_start;
    if (column + strlen(suffix) + 2 > LINE_WIDTH)
        put(p, ",\n%*s%s", indent, "", suffix);
    else
        put(p, ", %s", suffix);
}

static void put_suffixes(printer *p, int indent) {
    const tern_tensor *t = p->tensor;
    char text[TERN_SHAPE_TEXT + 32], shape[TERN_SHAPE_TEXT];
    if (!t->lane->device->is_cpu) {
        snprintf(text, sizeof text, "device='%s'", t->lane->device->name);
        put_suffix(p, indent, text);
    }
    if (t->numel == 0 && t->rank != 1) {
        tern_shape_text(t->rank, t->shape, shape);
        shape[0] = '(';
        shape[strlen(shape) - 1] = ')';
        snprintf(text, sizeof text, "size=%s", shape);
        put_suffix(p, indent, text);
    }
    bool silent = t->dtype == TERN_FLOAT32 ||
                  (t->numel > 0 && (t->dtype == TERN_INT64 || t->dtype == TERN_BOOL));
    if (!silent) {
        snprintf(text, sizeof text, "dtype=torch.%s", tern_dtype_name(t->dtype));
        put_suffix(p, indent, text);
    }
    if (*tern_grad_fn_name(t)) {
        snprintf(text, sizeof text, "grad_fn=<%s>", tern_grad_fn_name(t));
        put_suffix(p, indent, text);
    } else if (t->flags & TERN_T_REQUIRES_GRAD) {
        put_suffix(p, indent, "requires_grad=True");
    }
}

/* ---- the whole -------------------------------------------------------------------------------------- */

/* The elements on the host; false where they could not be read. */
static bool fetch(printer *p, tern_tensor *tensor) {
    tern_ctx *ctx = tensor->ctx;
    size_t count = (size_t)tensor->numel;
    p->is_integer = !tern_dtype_is_floating(tensor->dtype);
    if (!p->is_integer) {
        p->values = tern_alloc((count + 1) * sizeof *p->values);
        if (!p->values) tern_fail_memory(ctx, (count + 1) * sizeof *p->values);
        return p->values && tern_to_doubles(tensor, p->values, count) == TERN_OK;
    }
    p->ints = tern_alloc((count + 1) * sizeof *p->ints);
    if (!p->ints) {
        tern_fail_memory(ctx, (count + 1) * sizeof *p->ints);
        return false;
    }
    tern_tensor *wide = tern_tensor_new(tensor->lane, TERN_INT64, tensor->rank, tensor->shape);
    tern_copy_raw(wide, tensor);
    bool read =
        !tern_is_nil(wide) && tern_to_host(wide, p->ints, count * sizeof *p->ints) == TERN_OK;
    tern_tensor_release(wide);
    return read;
}

size_t tern_repr(const tern_tensor *tensor, char *out_text, size_t size) {
    printer p = {.text = out_text, .size = size, .tensor = tensor};
    if (size) out_text[0] = '\0';
    if (tern_is_nil(tensor)) {
        put(&p, "tensor(nil)");
    } else if (tensor->ctx->status == TERN_OK && fetch(&p, (tern_tensor *)(uintptr_t)tensor)) {
        const int indent = 7; /* "tensor(" */
        p.summarise = tensor->numel > THRESHOLD;
        choose_format(&p);
        put(&p, "tensor(");
        if (tensor->numel == 0)
            put(&p, "[]");
        else
            put_level(&p, 0, 0, indent);
        put_suffixes(&p, indent);
        put(&p, ")");
    }
    tern_free(p.values);
    tern_free(p.ints);
    if (size) out_text[p.length < size ? p.length : size - 1] = '\0';
    return p.length;
}

const char *tern_repr_text(const tern_tensor *tensor) {
    tern_ctx *ctx = tensor->ctx;
    size_t length = tern_repr(tensor, NULL, 0);
    char *text = ctx->is_static ? NULL : tern_scope_alloc(ctx, length + 1);
    if (!text) return "";
    tern_repr(tensor, text, length + 1);
    return text;
}
