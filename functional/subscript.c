/*
 * subscript.c: x["1:, ..., None, -1"]: Python's subscripts from text, as views.
 *
 * The text is read into parts first, since "..." stands for as many dimensions as the other parts leave.
 */
#include <ctype.h>
#include <string.h>

#include "functional.h"
#include "subscript.h"

typedef enum part_kind { PART_INDEX, PART_SLICE, PART_ELLIPSIS, PART_NEW } part_kind;

typedef struct part {
    part_kind kind;
    int column; /* counted from 1 */
    tern_value start, stop, step;
} part;

/* Every dimension of the input and of the result has a part, and there is one "...". */
#define MAX_PARTS (2 * TERN_MAX_RANK + 1)

typedef struct reader {
    tern_opcall *call;
    const char *text, *at;
    part parts[MAX_PARTS];
    int count, dims; /* parts, and the dimensions of the input that they name */
} reader;

/* Latches "index: column 3 of '1:, x': ..."; false. */
static bool refuse(const reader *r, int column, tern_status status, const char *message) {
    tern_call_fail(r->call, status, "column %d of '%s': %s", column, r->text, message);
    return false;
}

static int column_of(const reader *r) {
    return (int)(r->at - r->text) + 1;
}

static void skip_spaces(reader *r) {
    while (isspace((unsigned char)*r->at)) r->at++;
}

/* An integer, none where none begins; false after latching. */
static bool read_int(reader *r, tern_value *out) {
    skip_spaces(r);
    const char *begin = r->at, *end = begin + (*begin == '-' || *begin == '+');
    *out = tern_none();
    size_t digits = strspn(end, "0123456789");
    if (digits == 0 && end == begin) return true;
    end += digits;
    const char *number = begin + (*begin == '+');
    if (!tern_number_parse(number, (size_t)(end - number), out) || out->kind != TERN_VALUE_INT)
        return refuse(r, column_of(r), TERN_ERR_ARGUMENT, "not an integer of 64 bits");
    r->at = end;
    skip_spaces(r);
    return true;
}

static bool read_word(reader *r, const char *word) {
    size_t length = strlen(word);
    if (strncmp(r->at, word, length) != 0) return false;
    r->at += length;
    return true;
}

/* "1", "1:", ":-1", "::2". */
static bool read_index_or_slice(reader *r, part *p) {
    const char *begin = r->at;
    p->stop = p->step = tern_none();
    if (!read_int(r, &p->start)) return false;
    p->kind = *r->at == ':' ? PART_SLICE : PART_INDEX;
    if (p->kind == PART_INDEX && r->at == begin)
        return refuse(r, p->column, TERN_ERR_ARGUMENT,
                      "expected an integer, a slice such as 1:, '...' or 'None'");
    if (*r->at != ':') return true;
    r->at++;
    if (!read_int(r, &p->stop)) return false;
    if (*r->at != ':') return true;
    r->at++;
    int column = column_of(r);
    if (!read_int(r, &p->step)) return false;
    if (p->step.kind == TERN_VALUE_INT && p->step.as.i <= 0)
        return refuse(r, column, TERN_ERR_ARGUMENT,
                      "a step must be above 0, as PyTorch's (tern_flip reverses)");
    return true;
}

static bool read_part(reader *r) {
    skip_spaces(r);
    part p = {.column = column_of(r)};
    if (r->count == MAX_PARTS) return refuse(r, p.column, TERN_ERR_INDEX, "too many parts");
    if (read_word(r, "...")) {
        p.kind = PART_ELLIPSIS;
        for (int i = 0; i < r->count; i++)
            if (r->parts[i].kind == PART_ELLIPSIS)
                return refuse(r, p.column, TERN_ERR_ARGUMENT, "'...' can stand only once");
    } else if (read_word(r, "None")) {
        p.kind = PART_NEW;
    } else if (!read_index_or_slice(r, &p)) {
        return false;
    }
    r->dims += p.kind == PART_INDEX || p.kind == PART_SLICE;
    r->parts[r->count++] = p;
    skip_spaces(r);
    return true;
}

/* Parts separated by commas; one may end the text, as in Python's "1,". */
static bool read_parts(reader *r) {
    do {
        if (!read_part(r)) return false;
        if (*r->at && *r->at != ',')
            return refuse(r, column_of(r), TERN_ERR_ARGUMENT, "expected ',' or the end");
        if (*r->at == ',') r->at++;
        skip_spaces(r);
    } while (*r->at);
    return true;
}

static bool index_is_in_range(const reader *r, const part *p, int64_t size, int dim) {
    int64_t index = p->start.as.i;
    if (index >= -size && index < size) return true;
    tern_call_fail(r->call, TERN_ERR_INDEX,
                   "column %d of '%s': index %lld is out of bounds for dimension %d with size %lld",
                   p->column, r->text, (long long)index, dim, (long long)size);
    return false;
}

/* The part applied to dimension *dim of x, which moves on to the next. */
static tern_tensor *apply(const reader *r, const part *p, tern_tensor *x, int whole, int *dim) {
    switch (p->kind) {
    case PART_ELLIPSIS: *dim += whole; return x;
    case PART_NEW:
        if (BODY(x)->rank == TERN_MAX_RANK) {
            refuse(r, p->column, TERN_ERR_INDEX, "the result has too many dimensions");
            return x;
        }
        return tern_unsqueeze(x, (*dim)++);
    case PART_INDEX:
        if (!index_is_in_range(r, p, BODY(x)->shape[*dim], *dim)) return x;
        return tern_select(x, *dim, p->start.as.i);
    default: {
        int64_t sliced = (*dim)++;
        return TERN_CALL(slice, ARG_TENSOR(x), ARG_INT(sliced), p->start, p->stop, p->step);
    }
    }
}

tern_tensor *tern_subscript(tern_opcall *call, tern_tensor *x, const char *text) {
    reader r = {.call = call, .text = text, .at = text};
    tern_tensor *nil = tern_nil(call->ctx);
    if (!read_parts(&r)) return nil;
    int whole = BODY(x)->rank - r.dims, dim = 0;
    if (whole < 0) {
        tern_call_fail(call, TERN_ERR_INDEX,
                       "'%s' has %d indices, too many for a tensor of %d dimensions", text, r.dims,
                       BODY(x)->rank);
        return nil;
    }
    tern_tensor *out = x;
    for (int i = 0; i < r.count && call->ctx->status == TERN_OK; i++)
        out = apply(&r, &r.parts[i], out, whole, &dim);
    return out == x ? TERN_CALL(alias, ARG_TENSOR(x)) : out;
}
