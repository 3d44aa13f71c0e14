/*
 * notation.c: reads PyTorch's text notation.
 *
 *     value    := number | None | True | False | 'text' | (v, ...) | [v, ...] | torch.dtype | call
 *     call     := name ( arguments and children )
 *     argument := value | name = value                         separated by commas
 *     child    := (name): value | (first-last): N x value      as print(model) writes them
 */
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/describe.h"

#define MAX_REPEAT 65536

typedef struct parser {
    tern_ctx *ctx;
    const char *what, *text, *at;
    int depth;
} parser;

static bool parse_value(parser *p, tern_value *out_value);

/* ---- messages -------------------------------------------------------------------------------- */

/* Where `at` is: the column, counted from 1, and the line. */
static int column_of(const parser *p, const char *at, int *out_line) {
    int line = 1, column = 1;
    for (const char *c = p->text; c < at; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    *out_line = line;
    return column;
}

static bool fail_at(parser *p, const char *at, const char *message) {
    char found[24] = "the end";
    int line, column = column_of(p, at, &line);
    if (*at && isprint((unsigned char)*at)) {
        memcpy(found, "' '", 4);
        found[1] = *at;
    } else if (*at) {
        memcpy(found, "a control character", 20);
    }
    if (line == 1)
        tern_fail(p->ctx, TERN_ERR_FORMAT, "%s: column %d: %s, found %s", p->what, column, message,
                  found);
    else
        tern_fail(p->ctx, TERN_ERR_FORMAT, "%s: line %d, column %d: %s, found %s", p->what, line,
                  column, message, found);
    return false;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static void skip_space(parser *p) {
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r') p->at++;
}

static bool is_name_start(char c) {
    return isalpha((unsigned char)c) || c == '_';
}

static bool is_name_part(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* The end of a name with dots in it: torch.nn.Linear. */
static const char *name_end(const char *at) {
    while (is_name_part(*at) || (*at == '.' && is_name_start(at[1]))) at++;
    return at;
}

/* strtod takes the locale's decimal point, the notation always has a dot. */
static double to_double(const char *digits) {
    char local[80];
    const char *dot = strchr(digits, '.'), *point = localeconv()->decimal_point;
    size_t before = dot ? (size_t)(dot - digits) : 0, width = strlen(point);
    if (!dot || strcmp(point, ".") == 0 || strlen(digits) + width >= sizeof local)
        return strtod(digits, NULL);
    memcpy(local, digits, before);
    memcpy(local + before, point, width);
    strcpy(local + before + width, dot + 1);
    return strtod(local, NULL);
}

static const char *skip_digits(const char *at) {
    while (isdigit((unsigned char)*at)) at++;
    return at;
}

/* The end of digits[.digits][e[+-]digits]; NULL where there is no such number. */
static const char *number_end(const char *at, bool *out_is_float) {
    const char *whole = skip_digits(at), *end = whole;
    bool digits = whole > at;
    *out_is_float = false;
    if (*end == '.') {
        end = skip_digits(whole + 1);
        digits = digits || end > whole + 1;
        *out_is_float = true;
    }
    if (!digits) return NULL;
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1 + (end[1] == '-' || end[1] == '+');
        end = skip_digits(exponent);
        if (end == exponent) return NULL;
        *out_is_float = true;
    }
    return end;
}

static bool parse_number(parser *p, tern_value *out_value) {
    const char *start = p->at, *digits = start + (*start == '-' || *start == '+');
    if (strncmp(digits, "inf", 3) == 0 && !is_name_part(digits[3])) {
        *out_value = tern_float(*start == '-' ? -(double)INFINITY : (double)INFINITY);
        p->at = digits + 3;
        return true;
    }
    char buffer[64];
    bool is_float;
    const char *end = number_end(digits, &is_float);
    if (!end || is_name_part(*end)) return fail_at(p, start, "this is not a number");
    size_t length = (size_t)(end - start);
    if (length >= sizeof buffer) return fail_at(p, start, "this number has too many digits");
    memcpy(buffer, start, length);
    buffer[length] = '\0';
    errno = 0;
    *out_value = is_float ? tern_float(to_double(buffer)) : tern_int(strtoll(buffer, NULL, 10));
    if (!is_float && errno) return fail_at(p, start, "this integer does not fit into 64 bits");
    p->at = end;
    return true;
}

/* 'text' or "text" with Python's simple escapes. */
static bool parse_text(parser *p, tern_value *out_value) {
    const char *start = p->at, quote = *start;
    tern_textbuf text = {0};
    for (p->at++; *p->at != quote; p->at++) {
        if (*p->at == '\0' || *p->at == '\n') {
            tern_textbuf_free(&text);
            return fail_at(p, start, "this text has no closing quote");
        }
        char c = *p->at;
        if (c == '\\' && p->at[1] != '\0') {
            p->at++;
            c = *p->at == 'n' ? '\n' : *p->at == 't' ? '\t' : *p->at;
        }
        tern_textbuf_add_n(&text, &c, 1);
    }
    p->at++;
    if (text.failed)
        tern_fail(p->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: out of memory", p->what);
    else
        *out_value = tern_string_n(p->ctx, text.data ? text.data : "", text.length);
    tern_textbuf_free(&text);
    return out_value->kind == TERN_VALUE_STRING;
}

/* ---- tuples and lists ------------------------------------------------------------------------ */

/* (a, b), (a,), [a, b]; (a) is a itself. */
static bool parse_sequence(parser *p, tern_value *out_value) {
    char close = *p->at == '(' ? ')' : ']';
    bool comma = false;
    tern_value list = close == ')' ? tern_tuple_new(p->ctx) : tern_list_new(p->ctx);
    if (list.kind == TERN_VALUE_NONE) return false;
    for (p->at++, skip_space(p); *p->at != close; skip_space(p)) {
        tern_value item;
        if (!parse_value(p, &item) || tern_list_append(list, item) != TERN_OK) return false;
        skip_space(p);
        if (*p->at == close) break;
        if (*p->at != ',')
            return fail_at(p, p->at, close == ')' ? "expected ',' or ')'" : "expected ',' or ']'");
        comma = true;
        p->at++;
    }
    p->at++;
    *out_value =
        close == ')' && tern_value_count(list) == 1 && !comma ? tern_value_at(list, 0) : list;
    return true;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Where "(name):" begins a child, the end of its name; else NULL. */
static const char *child_name_end(const char *at) {
    if (*at != '(') return NULL;
    const char *end = at + 1 + strcspn(at + 1, "()\n,");
    const char *colon = end + 1;
    if (*end != ')' || end == at + 1) return NULL;
    while (*colon == ' ') colon++;
    return *colon == ':' ? end : NULL;
}

static bool add_child(parser *p, tern_value children, const char *at, const char *name,
                      tern_value value) {
    if (tern_dict_has(children, name)) return fail_at(p, at, "a second child of this name");
    return tern_dict_set(children, name, value) == TERN_OK;
}

/* "(1-3): 3 x ReLU()": the range that a ModuleList's repeats are printed as. */
static bool parse_range(const char *name, long *out_first, long *out_last) {
    char *end;
    if (!isdigit((unsigned char)*name)) return false;
    *out_first = strtol(name, &end, 10);
    if (*end != '-' || !isdigit((unsigned char)end[1])) return false;
    *out_last = strtol(end + 1, &end, 10);
    return *end == '\0';
}

static bool parse_repeat(parser *p, const char *start, long first, long last, tern_value children) {
    tern_value value;
    char name[32];
    skip_space(p);
    long count = strtol(p->at, (char **)&p->at, 10);
    skip_space(p);
    if (*p->at != 'x' || is_name_part(p->at[1])) return fail_at(p, p->at, "expected 'N x'");
    p->at++;
    if (last < first || last - first >= MAX_REPEAT || count != last - first + 1)
        return fail_at(p, start, "the range and the count of this child do not agree");
    if (!parse_value(p, &value)) return false;
    for (long i = first; i <= last; i++) {
        snprintf(name, sizeof name, "%ld", i);
        if (!add_child(p, children, start, name, value)) return false;
    }
    return true;
}

static bool parse_child(parser *p, const char *end, tern_value children) {
    const char *start = p->at;
    long first, last;
    tern_value name = tern_string_n(p->ctx, start + 1, (size_t)(end - start - 1)), value;
    if (name.kind != TERN_VALUE_STRING) return false;
    p->at = strchr(end, ':') + 1;
    if (parse_range(name.as.s, &first, &last)) return parse_repeat(p, start, first, last, children);
    return parse_value(p, &value) && add_child(p, children, start, name.as.s, value);
}

/* name=value or value. */
static bool parse_argument(parser *p, tern_value positional, tern_value named) {
    const char *start = p->at, *end = start;
    tern_value value;
    while (is_name_part(*end)) end++;
    const char *equals = end;
    while (*equals == ' ') equals++;
    if (!is_name_start(*start) || *equals != '=') {
        if (tern_value_count(named) > 0)
            return fail_at(p, start, "an argument without a name cannot follow one with a name");
        return parse_value(p, &value) && tern_list_append(positional, value) == TERN_OK;
    }
    tern_value name = tern_string_n(p->ctx, start, (size_t)(end - start));
    if (name.kind != TERN_VALUE_STRING) return false;
    if (tern_dict_has(named, name.as.s)) return fail_at(p, start, "this argument is given twice");
    p->at = equals + 1;
    return parse_value(p, &value) && tern_dict_set(named, name.as.s, value) == TERN_OK;
}

/* What stands between the parentheses. Children follow each other without commas. */
static bool parse_call_body(parser *p, tern_value positional, tern_value named,
                            tern_value children) {
    for (p->at++, skip_space(p); *p->at != ')'; skip_space(p)) {
        const char *end = child_name_end(p->at);
        if (end) {
            if (!parse_child(p, end, children)) return false;
            continue;
        }
        if (!parse_argument(p, positional, named)) return false;
        skip_space(p);
        if (*p->at == ',')
            p->at++;
        else if (*p->at != ')' && !child_name_end(p->at))
            return fail_at(p, p->at, "expected ',' or ')'");
    }
    p->at++;
    return true;
}

static bool parse_call(parser *p, const char *name, size_t length, tern_value *out_value) {
    tern_ctx *ctx = p->ctx;
    int line, column = column_of(p, name, &line);
    tern_value call = tern_dict_new(ctx, false), text = tern_string_n(ctx, name, length);
    tern_value positional = tern_list_new(ctx), named = tern_dict_new(ctx, false);
    tern_value children = tern_dict_new(ctx, true);
    if (*tern_error(ctx)) return false;
    if (!parse_call_body(p, positional, named, children)) return false;
    tern_dict_set(call, "module", text);
    tern_dict_set(call, "positional", positional);
    tern_dict_set(call, "args", named);
    tern_dict_set(call, "children", children);
    tern_dict_set(call, "line", tern_int(line));
    tern_dict_set(call, "column", tern_int(column));
    *out_value = call;
    return !*tern_error(ctx);
}

static bool parse_name(parser *p, tern_value *out_value) {
    const char *start = p->at, *end = name_end(start), *last = start;
    size_t length = (size_t)(end - start);
    char name[64];
    if (length >= sizeof name) return fail_at(p, start, "this name is too long");
    memcpy(name, start, length);
    name[length] = '\0';
    p->at = end;
    if (*end == '(') {
        for (const char *c = start; c < end; c++)
            if (*c == '.') last = c + 1;
        return parse_call(p, last, (size_t)(end - last), out_value);
    }
    tern_dtype dtype;
    if (strcmp(name, "None") == 0)
        *out_value = tern_none();
    else if (strcmp(name, "True") == 0 || strcmp(name, "False") == 0)
        *out_value = tern_bool(name[0] == 'T');
    else if (strcmp(name, "nan") == 0)
        *out_value = tern_float((double)NAN);
    else if (strncmp(name, "torch.", 6) == 0 && tern_dtype_parse(name, &dtype))
        *out_value = tern_dtype_value(dtype);
    else
        return fail_at(p, start, "expected a value: text needs quotes, a call parentheses");
    return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool parse_value(parser *p, tern_value *out_value) {
    *out_value = tern_none();
    skip_space(p);
    if (p->depth >= TERN_NOTATION_DEPTH) return fail_at(p, p->at, "nested deeper than 64");
    p->depth++;
    bool ok;
    char c = *p->at;
    if (c == '\'' || c == '"')
        ok = parse_text(p, out_value);
    else if (c == '(' || c == '[')
        ok = parse_sequence(p, out_value);
    else if (isdigit((unsigned char)c) || c == '-' || c == '+' || c == '.' ||
             (strncmp(p->at, "inf", 3) == 0 && !is_name_part(p->at[3])))
        ok = parse_number(p, out_value);
    else if (is_name_start(c))
        ok = parse_name(p, out_value);
    else
        ok = fail_at(p, p->at, "expected a value");
    p->depth--;
    return ok;
}

tern_value tern_notation_parse(tern_ctx *ctx, const char *what, const char *text) {
    parser p = {ctx, what, text ? text : "", text ? text : "", 0};
    tern_value value;
    if (*tern_error(ctx)) return tern_none();
    if (!what) p.what = "tern_notation_parse";
    if (!parse_value(&p, &value)) {
        /* A failed allocation latches where it happens. */
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: out of memory", p.what);
        return tern_none();
    }
    skip_space(&p);
    if (*p.at != '\0') {
        fail_at(&p, p.at, "expected the end of the text");
        return tern_none();
    }
    return value;
}
