/*
 * print.c: a tensor as Python's repr() shows it.
 *
 * PyTorch's rules: precision 4, lines of 80 characters; more than 1000 elements are summarised by
 * three at each end of every dimension longer than six. One format serves all elements, chosen from
 * the finite, non-zero ones that are shown.
 */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/call/op.h"
#include "core/objects.h"
#include "numerics/dtype_convert.h"

#define THRESHOLD  1000
#define EDGE       3
#define LINE_WIDTH 80
#define NUMBER     64 /* characters of one element, and more */

/* ---- text with a limit ----------------------------------------------------------------------- */

/* Counts everything, writes what fits. */
typedef struct sink {
    char *text;
    size_t size;
    size_t length;
    size_t line; /* where the last line begins */
    bool broken; /* there was a newline */
} sink;

static void put(sink *s, const char *text) {
    for (; *text; text++) {
        if (s->length + 1 < s->size) s->text[s->length] = *text;
        s->length++;
        if (*text != '\n') continue;
        s->line = s->length;
        s->broken = true;
    }
}

static void put_spaces(sink *s, int count) {
    for (; count > 0; count--) put(s, " ");
}

static void finish(sink *s) {
    if (s->size) s->text[s->length < s->size ? s->length : s->size - 1] = '\0';
}

/* ---- one element ----------------------------------------------------------------------------- */

/* How numbers are written, chosen for all of them. */
typedef struct notation {
    bool whole, scientific; /* floats: no decimals, exponents */
    int width;
} notation;

typedef struct printout {
    const tern_tensor *tensor;
    void *data;       /* the elements shown, row-major, in the tensor's dtype */
    tern_shape shape; /* of data: 2 * EDGE where a dimension is summarised */
    bool summarised;
    tern_dtype dtype; /* of data: that of the parts of complex elements */
    int parts;        /* numbers of an element: 2 of a complex one */
    notation of[2];   /* how each is written */
    int width;        /* of an element */
} printout;

/* printf's %.*f and %.*e with a point in every locale. */
static void format_float(char *out, const char *format, double value) {
    snprintf(out, NUMBER, format, value);
    const char *point = localeconv()->decimal_point;
    char *at = strcmp(point, ".") ? strstr(out, point) : NULL;
    if (!at) return;
    *at = '.';
    memmove(at + 1, at + strlen(point), strlen(at + strlen(point)) + 1);
}

/* One number of an element, the part-th. */
static void format_number(const printout *p, int64_t index, int part, char *out) {
    int dtype = (int)p->dtype;
    index = index * p->parts + part;
    if (!tern_dtype_is_floating(p->dtype)) {
        int64_t value = tern_num_load_i64(dtype, p->data, index);
        if (p->dtype == TERN_BOOL)
            snprintf(out, NUMBER, "%s", value ? "True" : "False");
        else
            snprintf(out, NUMBER, "%lld", (long long)value);
        return;
    }
    double value = tern_num_load_f64(dtype, p->data, index);
    if (isnan(value))
        snprintf(out, NUMBER, "nan");
    else if (isinf(value))
        snprintf(out, NUMBER, value < 0 ? "-inf" : "inf");
    else if (p->of[part].scientific)
        format_float(out, "%.4e", value);
    else
        format_float(out, p->of[part].whole ? "%.0f." : "%.4f", value);
}

static void put_element(sink *s, const printout *p, int64_t index) {
    char text[NUMBER];
    format_number(p, index, 0, text);
    put_spaces(s, p->of[0].width - (int)strlen(text));
    put(s, text);
    if (p->parts == 1) return;
    format_number(p, index, 1, text);
    if (text[0] != '-') put(s, "+");
    put(s, text);
    put(s, "j");
}

/* ---- the common format ----------------------------------------------------------------------- */

static int64_t count_shown(const printout *p) {
    int64_t count = 1;
    for (int d = 0; d < p->shape.rank; d++) count *= p->shape.dim[d];
    return count;
}

/* Finite and not zero: the elements that a float format is chosen from. */
static double number_at(const printout *p, int64_t index, int part) {
    return tern_num_load_f64((int)p->dtype, p->data, index * p->parts + part);
}

static bool is_typical(const printout *p, int64_t index, int part) {
    if (!tern_dtype_is_floating(p->dtype)) return true;
    double value = number_at(p, index, part);
    return isfinite(value) && value != 0;
}

static void choose_notation(printout *p, int64_t count, int part) {
    double smallest = INFINITY, largest = 0;
    notation *n = &p->of[part];
    n->whole = true;
    for (int64_t i = 0; i < count; i++) {
        if (!is_typical(p, i, part)) continue;
        double value = number_at(p, i, part);
        n->whole = n->whole && value == ceil(value);
        smallest = fmin(smallest, fabs(value));
        largest = fmax(largest, fabs(value));
    }
    if (largest == 0) return;
    n->scientific = largest / smallest > 1000 || largest > 1e8 || (!n->whole && smallest < 1e-4);
}

static void choose_format(printout *p) {
    int64_t count = count_shown(p);
    for (int part = 0; part < p->parts; part++) {
        if (tern_dtype_is_floating(p->dtype)) choose_notation(p, count, part);
        p->of[part].width = 1;
        for (int64_t i = 0; i < count; i++) {
            char text[NUMBER];
            if (!is_typical(p, i, part)) continue;
            format_number(p, i, part, text);
            int width = (int)strlen(text);
            if (width > p->of[part].width) p->of[part].width = width;
        }
    }
    p->width = p->of[0].width + (p->parts == 2 ? p->of[1].width + 1 : 0);
}

/* ---- the elements shown ---------------------------------------------------------------------- */

/* Copies `length` indices of dim from `from` in src to `to` in dst. */
static void copy_part(tern_tensor *dst, int64_t to, tern_tensor *src, int64_t from, int dim,
                      int64_t length) {
    tern_shape shape = tern_shape_of(src);
    shape.dim[dim] = length;
    tern_tensor *source = tern_tensor_over(BODY(src)->lane, BODY(src)->storage, BODY(src)->dtype,
                                           BODY(src)->rank, shape.dim, BODY(src)->strides,
                                           BODY(src)->offset + from * BODY(src)->strides[dim]);
    tern_tensor *target = tern_tensor_over(BODY(dst)->lane, BODY(dst)->storage, BODY(dst)->dtype,
                                           BODY(dst)->rank, shape.dim, BODY(dst)->strides,
                                           BODY(dst)->offset + to * BODY(dst)->strides[dim]);
    if (!tern_is_nil(source) && !tern_is_nil(target)) tern_copy_raw(target, source);
}

/* The edges of every long dimension, made on the device: a large tensor is not read back whole. */
static tern_tensor *summary_of(tern_tensor *tensor) {
    for (int d = 0; d < BODY(tensor)->rank; d++) {
        int64_t size = BODY(tensor)->shape[d];
        if (size <= 2 * EDGE) continue;
        tern_shape shape = tern_shape_of(tensor);
        shape.dim[d] = 2 * EDGE;
        tern_tensor *edges =
            tern_tensor_new(BODY(tensor)->lane, BODY(tensor)->dtype, shape.rank, shape.dim);
        if (tern_is_nil(edges)) return edges;
        copy_part(edges, 0, tensor, 0, d, EDGE);
        copy_part(edges, EDGE, tensor, size - EDGE, d, EDGE);
        tensor = edges;
    }
    return tensor;
}

/* Reads what is shown; false and latched on failure. data is then NULL. */
static bool prepare(const tern_tensor *tensor, printout *out) {
    tern_ctx *ctx = BODY(tensor)->ctx;
    *out = (printout){.tensor = tensor,
                      .summarised = BODY(tensor)->numel > THRESHOLD,
                      .dtype = tern_real_dtype(BODY(tensor)->dtype),
                      .parts = tern_is_complex(BODY(tensor)->dtype) ? 2 : 1};
    tern_scope scope = tern_scope_inner(ctx);
    tern_tensor *shown = (tern_tensor *)tensor;
    if (out->summarised) shown = summary_of(shown);
    if (!tern_is_nil(shown)) {
        size_t bytes = (size_t)BODY(shown)->numel * tern_dtype_size(BODY(shown)->dtype);
        out->shape = tern_shape_of(shown);
        out->data = tern_alloc(bytes);
        if (!out->data) tern_fail_memory(ctx, bytes);
        if (out->data) tern_to_host(shown, out->data, bytes);
    }
    tern_scope_end(scope);
    if (ctx->status != TERN_OK) {
        tern_free(out->data);
        return false;
    }
    choose_format(out);
    return true;
}

/* ---- layout ---------------------------------------------------------------------------------- */

static bool is_cut(const printout *p, int dim) {
    return p->summarised && BODY(p->tensor)->shape[dim] > 2 * EDGE;
}

/* The last dimension, broken into lines; `first` is the index of its first element. */
static void put_row(sink *s, const printout *p, int indent, int64_t first) {
    int dim = p->shape.rank - 1, shown = 0;
    int per_line = (LINE_WIDTH - indent) / (p->width + 2);
    if (per_line < 1) per_line = 1;
    put(s, "[");
    for (int64_t i = 0; i < p->shape.dim[dim]; i++) {
        bool ellipsis = is_cut(p, dim) && i == EDGE;
        for (int part = ellipsis ? 0 : 1; part < 2; part++, shown++) {
            if (shown > 0 && shown % per_line == 0) {
                put(s, ",\n");
                put_spaces(s, indent + 1);
            } else if (shown > 0) {
                put(s, ", ");
            }
            if (part == 0)
                put(s, " ...");
            else
                put_element(s, p, first + i);
        }
    }
    put(s, "]");
}

static void put_separator(sink *s, int dims_inside, int indent) {
    put(s, ",");
    for (int i = 0; i < dims_inside; i++) put(s, "\n");
    put_spaces(s, indent + 1);
}

/* Slices along `dim`; `first` counts elements. At most 16 levels deep. */
static void put_slices(sink *s, const printout *p, int dim, int indent, int64_t first) {
    if (dim == p->shape.rank - 1) {
        put_row(s, p, indent, first);
        return;
    }
    int64_t step = 1;
    for (int d = dim + 1; d < p->shape.rank; d++) step *= p->shape.dim[d];
    put(s, "[");
    for (int64_t i = 0; i < p->shape.dim[dim]; i++) {
        if (i > 0) put_separator(s, p->shape.rank - dim - 1, indent);
        if (is_cut(p, dim) && i == EDGE) {
            put(s, "...");
            put_separator(s, p->shape.rank - dim - 1, indent);
        }
        put_slices(s, p, dim + 1, indent + 1, first + i * step);
    }
    put(s, "]");
}

/* ---- what follows the elements --------------------------------------------------------------- */

typedef struct suffixes {
    sink *out;
    int indent;
    size_t line_length;
} suffixes;

static void put_suffix(suffixes *s, const char *text) {
    size_t length = strlen(text);
    if (s->line_length + length + 2 > LINE_WIDTH) {
        put(s->out, ",\n");
        put_spaces(s->out, s->indent);
        s->line_length = (size_t)s->indent + length;
    } else {
        put(s->out, ", ");
        s->line_length += length + 2;
    }
    put(s->out, text);
}

static void put_size(suffixes *s, const tern_tensor *tensor) {
    char text[TERN_SHAPE_TEXT + 8] = "size=(";
    size_t used = strlen(text);
    for (int d = 0; d < BODY(tensor)->rank; d++)
        used += (size_t)snprintf(text + used, sizeof text - used, d ? ", %lld" : "%lld",
                                 (long long)BODY(tensor)->shape[d]);
    snprintf(text + used, sizeof text - used, ")");
    put_suffix(s, text);
}

static bool shows_dtype(const tern_tensor *tensor) {
    if (BODY(tensor)->dtype == TERN_FLOAT32) return false;
    return BODY(tensor)->numel == 0 ||
           (BODY(tensor)->dtype != TERN_COMPLEX64 && BODY(tensor)->dtype != TERN_INT64 &&
            BODY(tensor)->dtype != TERN_BOOL);
}

static void put_suffixes(sink *out, const tern_tensor *tensor, int indent) {
    /* PyTorch counts the last line two characters long; the lines break as its do. */
    suffixes s = {out, indent, out->length - out->line + 2};
    char text[192];
    if (!BODY(tensor)->lane->device->is_cpu) {
        snprintf(text, sizeof text, "device='%s'", tern_device_of(tensor));
        put_suffix(&s, text);
    }
    if (BODY(tensor)->numel == 0 && BODY(tensor)->rank != 1) put_size(&s, tensor);
    if (shows_dtype(tensor)) {
        snprintf(text, sizeof text, "dtype=torch.%s", tern_dtype_name(BODY(tensor)->dtype));
        put_suffix(&s, text);
    }
    const char *grad_fn = tern_grad_fn_name(tensor);
    if (grad_fn[0]) {
        snprintf(text, sizeof text, "grad_fn=<%s>", grad_fn);
        put_suffix(&s, text);
    } else if (tern_has_grad_required(tensor)) {
        put_suffix(&s, "requires_grad=True");
    }
}

static void put_tensor(sink *s, const printout *p) {
    static const char prefix[] = "tensor(";
    int indent = (int)strlen(prefix);
    put(s, prefix);
    if (BODY(p->tensor)->numel == 0)
        put(s, "[]");
    else if (p->shape.rank == 0)
        put_element(s, p, 0);
    else
        put_slices(s, p, 0, indent, 0);
    put_suffixes(s, p->tensor, indent);
    put(s, ")");
    finish(s);
}

/* ---- public ---------------------------------------------------------------------------------- */

/* The text is written through the sink, which clang-tidy does not see. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
size_t tern_repr(const tern_tensor *tensor, char *out_text, size_t size) {
    sink s = {.text = out_text, .size = out_text ? size : 0};
    printout p;
    if (!tern_usable(tensor, "repr") || !prepare(tensor, &p)) {
        finish(&s);
        return 0;
    }
    put_tensor(&s, &p);
    tern_free(p.data);
    return s.length;
}

const char *tern_repr_text(const tern_tensor *tensor) {
    printout p;
    if (!tern_usable(tensor, "repr") || !prepare(tensor, &p)) return "";
    sink counted = {0};
    put_tensor(&counted, &p);
    char *text = tern_scope_alloc(BODY(tensor)->ctx, counted.length + 1);
    if (text) {
        sink s = {.text = text, .size = counted.length + 1};
        put_tensor(&s, &p);
    }
    tern_free(p.data);
    return text ? text : "";
}
