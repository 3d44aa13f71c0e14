/*
 * einsum.c: sums of products in Einstein's notation: "ij,jk->ik", "...ik,...kj", "ii->i".
 *
 * Operands are contracted from left to right, each pair as one batched product of matrices; a label
 * that only one of them has, and nothing later needs, is summed first.
 */
#include <ctype.h>
#include <string.h>

#include "core/ops/layout.h"
#include "functional.h"

/* Labels: 0 .. 51 are A-Z, a-z; from 52 on the dimensions of "...", counted from the left. */
#define LETTERS 52
#define LABELS  (LETTERS + TERN_MAX_RANK)

typedef struct term {
    tern_tensor *tensor;
    int label[TERN_MAX_RANK]; /* of each dimension */
} term;

typedef struct equation {
    tern_opcall *call;
    const char *text;
    int ellipsis; /* dimensions that "..." stands for, the most of any operand */
    int output[TERN_MAX_RANK];
    int n_output;
} equation;

static int letter_label(char c) {
    return isupper((unsigned char)c) ? c - 'A' : c - 'a' + 26;
}

static bool bad(const equation *e, const char *why) {
    tern_call_fail(e->call, TERN_ERR_ARGUMENT, "%s in equation '%.200s'", why, e->text);
    return false;
}

/* ---- reading ---- */

/* How many letters a term of the equation has; -1 where it is malformed. *has_dots tells of "...". */
static int count_letters(const char *from, const char *end, bool *has_dots) {
    int letters = 0;
    *has_dots = false;
    for (const char *c = from; c < end; c++) {
        if (*c == ' ') continue;
        if (isalpha((unsigned char)*c)) {
            letters++;
        } else if (end - c >= 3 && memcmp(c, "...", 3) == 0 && !*has_dots) {
            *has_dots = true;
            c += 2;
        } else {
            return -1;
        }
    }
    return letters;
}

/* Writes the labels of a term; `dots` dimensions for "...", of which the last is the rightmost. */
static int read_labels(const equation *e, const char *from, const char *end, int dots,
                       int *out_labels) {
    int n = 0;
    for (const char *c = from; c < end && n < TERN_MAX_RANK; c++) {
        if (isalpha((unsigned char)*c)) {
            out_labels[n++] = letter_label(*c);
        } else if (*c == '.') {
            for (int i = 0; i < dots && n < TERN_MAX_RANK; i++)
                out_labels[n++] = LETTERS + e->ellipsis - dots + i;
            c += 2;
        }
    }
    return n;
}

static const char *term_end(const char *from, const char *end) {
    while (from < end && *from != ',') from++;
    return from;
}

/* Splits the inputs' side; false after latching. */
static bool read_terms(equation *e, const char *end, tern_tensor **tensors, int count, term *out) {
    const char *from = e->text;
    bool dots;
    for (int pass = 0; pass < 2; pass++) {
        from = e->text;
        for (int i = 0; i < count; i++) {
            const char *stop = term_end(from, end);
            int letters = count_letters(from, stop, &dots);
            if (letters < 0) return bad(e, "an operand's subscripts are malformed");
            int rest = BODY(tensors[i])->rank - letters;
            if (rest < 0 || (rest > 0 && !dots))
                return bad(e, "the number of subscripts does not match an operand's dimensions");
            if (pass == 0 && rest > e->ellipsis) e->ellipsis = rest;
            if (pass == 1) {
                out[i].tensor = tensors[i];
                read_labels(e, from, stop, rest, out[i].label);
            }
            if (i + 1 < count && stop == end) return bad(e, "more operands than subscripts");
            if (i + 1 == count && stop != end) return bad(e, "fewer operands than subscripts");
            from = stop + 1;
        }
    }
    return true;
}

static bool read_output(equation *e, const char *arrow, const term *terms, int count) {
    int times[LABELS] = {0};
    bool dots;
    for (int i = 0; i < count; i++)
        for (int d = 0; d < BODY(terms[i].tensor)->rank; d++) times[terms[i].label[d]]++;
    if (arrow) {
        const char *from = arrow + 2, *end = from + strlen(from);
        if (count_letters(from, end, &dots) < 0) return bad(e, "the result is malformed");
        e->n_output = read_labels(e, from, end, e->ellipsis, e->output);
        for (int i = 0; i < e->n_output; i++)
            if (times[e->output[i]] == 0) return bad(e, "the result has a label no operand has");
        for (int i = 0; i < e->n_output; i++)
            for (int k = 0; k < i; k++)
                if (e->output[i] == e->output[k]) return bad(e, "the result repeats a label");
        return true;
    }
    for (int i = 0; i < e->ellipsis; i++) e->output[e->n_output++] = LETTERS + i;
    for (int label = 0; label < LETTERS && e->n_output < TERN_MAX_RANK; label++)
        if (times[label] == 1) e->output[e->n_output++] = label;
    return true;
}

/* ---- contracting ---- */

static int find(const term *t, int label) {
    for (int d = 0; d < BODY(t->tensor)->rank; d++)
        if (t->label[d] == label) return d;
    return -1;
}

/* "ii": a repeated label takes the diagonal, which goes last. */
static void take_diagonals(term *t) {
    for (int d = 0; d < BODY(t->tensor)->rank; d++) {
        int again = d + 1;
        while (again < BODY(t->tensor)->rank && t->label[again] != t->label[d]) again++;
        if (again >= BODY(t->tensor)->rank) continue;
        int label = t->label[d], kept = 0;
        int rank = BODY(t->tensor)->rank;
        t->tensor =
            TERN_CALL(diagonal, ARG_TENSOR(t->tensor), ARG_INT(0), ARG_INT(d), ARG_INT(again));
        for (int k = 0; k < rank; k++)
            if (k != d && k != again) t->label[kept++] = t->label[k];
        t->label[kept] = label;
        if (tern_is_nil(t->tensor)) return;
        d = -1;
    }
}

/* Sums the dimensions whose label is not needed; they leave the term. */
static void sum_unneeded(term *t, const bool *needed) {
    tern_shape dims = {0, {0}};
    int kept = 0, labels[TERN_MAX_RANK];
    for (int d = 0; d < BODY(t->tensor)->rank; d++) {
        if (needed[t->label[d]])
            labels[kept++] = t->label[d];
        else
            dims.dim[dims.rank++] = d;
    }
    if (dims.rank == 0) return;
    t->tensor = tern_sum_dims(t->tensor, dims, false);
    memcpy(t->label, labels, (size_t)kept * sizeof *labels);
}

/* The term with its dimensions in the order of three lists of labels, as [lists[0].., |1|, |2|]. */
static tern_tensor *arranged(const term *t, int *const *lists, const int *counts, int64_t *sizes) {
    tern_shape order = {0, {0}}, shape = order;
    for (int k = 0; k < 3; k++) {
        int64_t area = 1;
        for (int i = 0; i < counts[k]; i++) {
            int d = find(t, lists[k][i]);
            order.dim[order.rank++] = d;
            if (k == 0) shape.dim[shape.rank++] = BODY(t->tensor)->shape[d];
            area *= BODY(t->tensor)->shape[d];
        }
        if (k > 0) shape.dim[shape.rank++] = area;
        sizes[k] = area;
    }
    return tern_reshape(tern_permute(t->tensor, order), shape);
}

/* Where one of two has size 1 along a contracted label, the other is summed over it. */
static void even_out(term *a, term *b, int label) {
    int da = find(a, label), db = find(b, label);
    int64_t sa = BODY(a->tensor)->shape[da], sb = BODY(b->tensor)->shape[db];
    term *longer = sa > sb ? a : b;
    if (sa == sb || (sa != 1 && sb != 1)) return;
    tern_shape dim = TERN_SHAPE(sa > sb ? da : db);
    longer->tensor = tern_sum_dims(longer->tensor, dim, true);
}

static bool contract(equation *e, term *a, term *b, const bool *needed_later) {
    bool needed[LABELS];
    int batch[TERN_MAX_RANK], both[TERN_MAX_RANK], left[TERN_MAX_RANK], right[TERN_MAX_RANK];
    int n_batch = 0, n_both = 0, n_left = 0, n_right = 0;
    for (int label = 0; label < LABELS; label++)
        needed[label] = needed_later[label] || (find(a, label) >= 0 && find(b, label) >= 0);
    sum_unneeded(a, needed);
    sum_unneeded(b, needed);
    if (e->call->ctx->status != TERN_OK) return false;
    for (int d = 0; d < BODY(a->tensor)->rank; d++) {
        int label = a->label[d];
        if (find(b, label) < 0)
            left[n_left++] = label;
        else if (needed_later[label])
            batch[n_batch++] = label;
        else
            both[n_both++] = label;
    }
    for (int d = 0; d < BODY(b->tensor)->rank; d++)
        if (find(a, b->label[d]) < 0) right[n_right++] = b->label[d];
    for (int i = 0; i < n_both; i++) even_out(a, b, both[i]);
    if (e->call->ctx->status != TERN_OK) return false;
    if (n_batch + n_left + n_right > TERN_MAX_RANK) return bad(e, "too many dimensions");
    tern_dtype dtype = tern_promote_types(BODY(a->tensor)->dtype, BODY(b->tensor)->dtype);
    a->tensor = tern_to_dtype(a->tensor, dtype);
    b->tensor = tern_to_dtype(b->tensor, dtype);
    if (e->call->ctx->status != TERN_OK) return false;
    int64_t unused[3];
    tern_tensor *x =
        arranged(a, (int *[]){batch, left, both}, (int[]){n_batch, n_left, n_both}, unused);
    tern_tensor *y =
        arranged(b, (int *[]){batch, both, right}, (int[]){n_batch, n_both, n_right}, unused);
    tern_tensor *product = tern_matmul(x, y);
    if (e->call->ctx->status != TERN_OK) return false;
    tern_shape shape = {0, {0}};
    int labels[TERN_MAX_RANK];
    for (int i = 0; i < n_batch; i++) {
        labels[shape.rank] = batch[i];
        shape.dim[shape.rank++] = BODY(product)->shape[i];
    }
    for (int i = 0; i < n_left + n_right; i++) {
        const term *from = i < n_left ? a : b;
        int label = i < n_left ? left[i] : right[i - n_left];
        labels[shape.rank] = label;
        shape.dim[shape.rank++] = BODY(from->tensor)->shape[find(from, label)];
    }
    a->tensor = tern_reshape(product, shape);
    memcpy(a->label, labels, (size_t)shape.rank * sizeof *labels);
    return e->call->ctx->status == TERN_OK;
}

/* The last term with its labels as the result wants them. */
static tern_value finish(equation *e, term *t) {
    bool needed[LABELS] = {false};
    tern_shape order = {0, {0}};
    for (int i = 0; i < e->n_output; i++) needed[e->output[i]] = true;
    sum_unneeded(t, needed);
    if (e->call->ctx->status != TERN_OK) return tern_none();
    for (int i = 0; i < e->n_output; i++) order.dim[order.rank++] = find(t, e->output[i]);
    return tern_result(e->call, tern_permute(t->tensor, order));
}

tern_value tern_op_einsum(tern_opcall *call) {
    equation e = {.call = call, .text = tern_arg_text(call, 0, "")};
    int count;
    tern_tensor **tensors = tern_arg_tensors(call, 1, &count);
    if (!tensors || call->ctx->status != TERN_OK) return tern_none();
    if (count == 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "must provide at least one operand");
    term *terms = tern_scope_alloc(call->ctx, (size_t)count * sizeof *terms);
    if (!terms) return tern_none();
    const char *arrow = strstr(e.text, "->");
    const char *end = arrow ? arrow : e.text + strlen(e.text);
    if (!read_terms(&e, end, tensors, count, terms) || !read_output(&e, arrow, terms, count))
        return tern_none();
    for (int i = 0; i < count; i++) {
        take_diagonals(&terms[i]);
        if (call->ctx->status != TERN_OK) return tern_none();
    }
    for (int i = 1; i < count; i++) {
        bool later[LABELS] = {false};
        for (int k = 0; k < e.n_output; k++) later[e.output[k]] = true;
        for (int k = i + 1; k < count; k++)
            for (int d = 0; d < BODY(terms[k].tensor)->rank; d++) later[terms[k].label[d]] = true;
        if (!contract(&e, &terms[0], &terms[i], later)) return tern_none();
    }
    return finish(&e, &terms[0]);
}
