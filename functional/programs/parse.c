/*
 * parse.c: formulas, Python's notation with a few names for the parts.
 *
 *     formula := {name '=' choice ';'} choice
 *     update  := name '=' choice {';' name '=' choice}
 *     choice  := or ['if' or 'else' choice]
 *     or      := and {'or' and}          and := not {'and' not}      not := ['not'] compare
 *     compare := sum [('<' | '<=' | '>' | '>=' | '==' | '!=') sum]
 *     sum     := product {('+' | '-') product}
 *     product := unary {('*' | '/' | '//' | '%') unary}
 *     unary   := ('-' | '+') unary | power
 *     power   := atom ['**' unary]
 *     atom    := number | pi | inf | name | function '(' choice {',' choice} ')' | '(' choice ')'
 *
 * A function is a primitive of MAP or a row of pointwise.def.
 *
 * Both arms of a choice are computed; nothing here has an effect. A name that is given again has its new
 * value from there on.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "defined.h"

enum { MAX_DEPTH = 64, MAX_PARTS = 32, MAX_SOURCES = 16 };
#define PI 3.14159265358979323846

typedef struct parser {
    const char *text, *at;
    tern_program *program;
    tern_program_name *names;
    int n_names, n_parts, depth;
    tern_program_name parts[MAX_PARTS]; /* the formula's own names */
    char *message;
    size_t message_size;
    tern_defined_finder find; /* of functions that are rows; NULL */
    bool failed;
} parser;

static int16_t choice(parser *f);
static int16_t defined(parser *f, const char *at, const tern_defined *row, const int16_t *sources,
                       int count);

static int16_t fail_at(parser *f, const char *at, const char *what) {
    if (!f->failed)
        snprintf(f->message, f->message_size, "column %d: %s", (int)(at - f->text) + 1, what);
    f->failed = true;
    return TERN_P_NONE;
}

static int16_t fail(parser *f, const char *what) {
    return fail_at(f, f->at, what);
}

/* A value that was made; latches where there was no room for it. */
static int16_t made(parser *f, int16_t value) {
    if (f->program->full && !f->failed)
        fail(f, f->program->limit ? "the formula is too long: at most 256 steps"
                                  : "this function is only defined for tensors");
    return value;
}

static int16_t binary(parser *f, int fn, int16_t a, int16_t b) {
    return made(f, tern_program_binary(f->program, fn, a, b));
}

static int16_t where(parser *f, int16_t condition, int16_t yes, int16_t no) {
    return made(f, tern_program_step(f->program, TERN_KERNEL_TERNARY, TERN_TERNARY_WHERE,
                                     (const int16_t[]){condition, yes, no, -1}));
}

/* ---- words ----------------------------------------------------------------------------------- */

static void skip_space(parser *f) {
    while (*f->at == ' ' || *f->at == '\t' || *f->at == '\n') f->at++;
}

/* Takes a sign; one that begins a longer sign ('*' of '**') is not taken. */
static bool take(parser *f, const char *sign) {
    static const char *const longer[] = {"**", "//", "<=", ">=", "==", "!="};
    skip_space(f);
    size_t length = strlen(sign);
    if (strncmp(f->at, sign, length) != 0) return false;
    for (size_t i = 0; length == 1 && i < sizeof longer / sizeof longer[0]; i++)
        if (strncmp(f->at, longer[i], 2) == 0) return false;
    f->at += length;
    return true;
}

static size_t word_length(const char *at) {
    size_t length = 0;
    while (isalnum((unsigned char)at[length]) || at[length] == '_') length++;
    return length;
}

static bool take_word(parser *f, const char *word) {
    skip_space(f);
    size_t length = strlen(word);
    if (word_length(f->at) != length || strncmp(f->at, word, length) != 0) return false;
    f->at += length;
    return true;
}

static tern_program_name *find(tern_program_name *names, int count, const char *word,
                               size_t length) {
    for (int i = 0; i < count; i++)
        if (names[i].length == length && memcmp(names[i].name, word, length) == 0) return &names[i];
    return NULL;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static int digits(parser *f) {
    int count = 0;
    for (; isdigit((unsigned char)*f->at); f->at++) count++;
    return count;
}

static int16_t number(parser *f) {
    const char *begin = f->at;
    int count = digits(f);
    if (*f->at == '.') f->at++, count += digits(f);
    if (!count) {
        f->at = begin;
        return fail(f, "expected a value");
    }
    if (*f->at == 'e' || *f->at == 'E') {
        f->at += 1 + (f->at[1] == '-' || f->at[1] == '+');
        if (!digits(f)) return fail(f, "expected an exponent");
    }
    tern_value value;
    size_t length = (size_t)(f->at - begin);
    if (strcspn(begin, ".eE") < length) f->program->floats = true;
    if (!tern_number_parse(begin, length, &value)) return fail_at(f, begin, "expected a number");
    return made(f, tern_program_number(f->program, tern_value_as_double(value)));
}

/* ---- functions ------------------------------------------------------------------------------- */

typedef struct function {
    const char *name;
    int8_t family, fn;
} function;

#define UNARY(name, member)                                                                        \
    { name, TERN_KERNEL_UNARY, TERN_UNARY_##member }
#define BINARY(name, member)                                                                       \
    { name, TERN_KERNEL_BINARY, TERN_BINARY_##member }
#define TERNARY(name, member)                                                                      \
    { name, TERN_KERNEL_TERNARY, TERN_TERNARY_##member }

static const function functions[] = {
    UNARY("abs", ABS),
    UNARY("sign", SIGN),
    UNARY("square", SQUARE),
    UNARY("reciprocal", RECIPROCAL),
    UNARY("sqrt", SQRT),
    UNARY("rsqrt", RSQRT),
    UNARY("exp", EXP),
    UNARY("exp2", EXP2),
    UNARY("expm1", EXPM1),
    UNARY("log", LOG),
    UNARY("log2", LOG2),
    UNARY("log10", LOG10),
    UNARY("log1p", LOG1P),
    UNARY("sin", SIN),
    UNARY("cos", COS),
    UNARY("tan", TAN),
    UNARY("asin", ASIN),
    UNARY("acos", ACOS),
    UNARY("atan", ATAN),
    UNARY("sinh", SINH),
    UNARY("cosh", COSH),
    UNARY("tanh", TANH),
    UNARY("asinh", ASINH),
    UNARY("acosh", ACOSH),
    UNARY("atanh", ATANH),
    UNARY("erf", ERF),
    UNARY("erfc", ERFC),
    UNARY("erfinv", ERFINV),
    UNARY("lgamma", LGAMMA),
    UNARY("digamma", DIGAMMA),
    UNARY("trigamma", TRIGAMMA),
    UNARY("floor", FLOOR),
    UNARY("ceil", CEIL),
    UNARY("trunc", TRUNC),
    UNARY("round", ROUND),
    UNARY("frac", FRAC),
    UNARY("sigmoid", SIGMOID),
    UNARY("relu", RELU),
    UNARY("logsigmoid", LOG_SIGMOID),
    UNARY("sinc", SINC),
    UNARY("isnan", ISNAN),
    UNARY("isinf", ISINF),
    UNARY("isfinite", ISFINITE),
    UNARY("signbit", SIGNBIT),
    BINARY("add", ADD),
    BINARY("sub", SUB),
    BINARY("min", MINIMUM),
    BINARY("max", MAXIMUM),
    BINARY("minimum", MINIMUM),
    BINARY("maximum", MAXIMUM),
    BINARY("fmin", FMIN),
    BINARY("fmax", FMAX),
    BINARY("fmod", FMOD),
    BINARY("atan2", ATAN2),
    BINARY("hypot", HYPOT),
    BINARY("copysign", COPYSIGN),
    BINARY("xlogy", XLOGY),
    BINARY("logaddexp", LOGADDEXP),
    BINARY("logaddexp2", LOGADDEXP2),
    TERNARY("where", WHERE),
    TERNARY("clamp", CLAMP),
    TERNARY("addcmul", ADDCMUL),
    TERNARY("addcdiv", ADDCDIV),
    TERNARY("lerp", LERP),
};

static const function *find_function(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strlen(functions[i].name) == length && memcmp(functions[i].name, name, length) == 0)
            return &functions[i];
    return NULL;
}

/* A factor is a number or a named value, never something computed at every position. */
static bool sources_fit(parser *f, const char *at, const function *fn, const int16_t *sources,
                        int count) {
    int arity = tern_program_arity(fn->family);
    bool factor = tern_program_takes_factor(fn->family, fn->fn);
    char what[64];
    if (count < arity || count > arity + factor) {
        snprintf(what, sizeof what, "%s takes %d argument%s%s, got %d", fn->name, arity,
                 arity == 1 ? "" : "s", factor ? " and a factor" : "", count);
        fail_at(f, at, what);
    } else if (count > arity && sources[arity] >= TERN_P_STEP) {
        fail_at(f, at, "the factor of a step is a number or a name");
    }
    return !f->failed;
}

static int16_t apply(parser *f, const char *at, const function *fn, const int16_t *sources,
                     int count) {
    bool many = strcmp(fn->name, "min") == 0 || strcmp(fn->name, "max") == 0;
    int16_t value = sources[0];
    if (many) {
        for (int i = 1; i < count; i++) value = binary(f, fn->fn, value, sources[i]);
        return value;
    }
    if (!sources_fit(f, at, fn, sources, count)) return TERN_P_NONE;
    int16_t all[4] = {-1, -1, -1, -1};
    memcpy(all, sources, (size_t)count * sizeof *all);
    return made(f, tern_program_step(f->program, fn->family, fn->fn, all));
}

/* From behind the opening bracket. */
static int16_t call(parser *f, const char *name, size_t length) {
    const function *fn = find_function(name, length);
    const tern_defined *row = fn || !f->find ? NULL : f->find(name, length);
    if (!fn && !row) return fail_at(f, name, "there is no such function");
    int16_t sources[MAX_SOURCES];
    int count = 0;
    do {
        if (count == MAX_SOURCES) return fail(f, "too many arguments");
        sources[count++] = choice(f);
    } while (!f->failed && take(f, ","));
    if (f->failed) return TERN_P_NONE;
    if (!take(f, ")")) return fail(f, "expected ')'");
    return fn ? apply(f, name, fn, sources, count) : defined(f, name, row, sources, count);
}

static int16_t unknown(parser *f, const char *name, size_t length) {
    char what[160];
    int used =
        snprintf(what, sizeof what, "there is no '%.*s'", length < 40 ? (int)length : 40, name);
    for (int i = 0; i < f->n_names && used < 100; i++)
        used += snprintf(
            what + used, sizeof what - (size_t)used, "%s%.*s", i ? ", " : ": the formula can use ",
            (int)(f->names[i].length < 20 ? f->names[i].length : 20), f->names[i].name);
    return fail_at(f, name, what);
}

static int16_t atom(parser *f) {
    skip_space(f);
    if (take(f, "(")) {
        int16_t value = choice(f);
        return f->failed || take(f, ")") ? value : fail(f, "expected ')'");
    }
    if (!isalpha((unsigned char)*f->at) && *f->at != '_') return number(f);
    if (strncmp(f->at, "math.", 5) == 0) f->at += 5;
    const char *name = f->at;
    size_t length = word_length(name);
    f->at += length;
    if (take(f, "(")) return call(f, name, length);
    tern_program_name *known = find(f->parts, f->n_parts, name, length);
    if (!known) known = find(f->names, f->n_names, name, length);
    if (known) {
        known->used = true;
        return known->value;
    }
    bool pi = length == 2 && memcmp(name, "pi", 2) == 0;
    if (pi || (length == 3 && memcmp(name, "inf", 3) == 0)) {
        f->program->floats = true;
        return made(f, tern_program_number(f->program, pi ? PI : (double)INFINITY));
    }
    return unknown(f, name, length);
}

/* ---- operators ------------------------------------------------------------------------------- */

static int16_t unary(parser *f);

static int16_t power(parser *f) {
    int16_t base = atom(f);
    return take(f, "**") ? binary(f, TERN_BINARY_POW, base, unary(f)) : base;
}

static int16_t unary(parser *f) {
    if (f->failed) return TERN_P_NONE;
    if (f->depth >= MAX_DEPTH) return fail(f, "nested deeper than 64");
    f->depth++;
    int16_t value;
    if (take(f, "-"))
        value = made(f, tern_program_unary(f->program, TERN_UNARY_NEG, unary(f)));
    else
        value = take(f, "+") ? unary(f) : power(f);
    f->depth--;
    return value;
}

typedef struct infix {
    const char *sign;
    int fn;
} infix;

/* The member of the sign that comes next, which is taken; 0 where there is none. */
static int take_infix(parser *f, const infix *signs, int count) {
    for (int i = 0; i < count && !f->failed; i++)
        if (take(f, signs[i].sign)) return signs[i].fn;
    return 0;
}

static int16_t product(parser *f) {
    static const infix signs[] = {{"//", TERN_BINARY_DIV_FLOOR},
                                  {"*", TERN_BINARY_MUL},
                                  {"/", TERN_BINARY_DIV},
                                  {"%", TERN_BINARY_REMAINDER}};
    int16_t value = unary(f);
    for (int fn; (fn = take_infix(f, signs, 4)) != 0;) value = binary(f, fn, value, unary(f));
    return value;
}

static int16_t sum(parser *f) {
    static const infix signs[] = {{"+", TERN_BINARY_ADD}, {"-", TERN_BINARY_SUB}};
    int16_t value = product(f);
    for (int fn; (fn = take_infix(f, signs, 2)) != 0;) value = binary(f, fn, value, product(f));
    return value;
}

static int16_t compare(parser *f) {
    static const infix signs[] = {{"<=", TERN_BINARY_LE}, {">=", TERN_BINARY_GE},
                                  {"==", TERN_BINARY_EQ}, {"!=", TERN_BINARY_NE},
                                  {"<", TERN_BINARY_LT},  {">", TERN_BINARY_GT}};
    int16_t value = sum(f);
    int fn = take_infix(f, signs, 6);
    return fn ? binary(f, fn, value, sum(f)) : value;
}

static int16_t negation(parser *f) {
    if (!take_word(f, "not")) return compare(f);
    return made(f, tern_program_unary(f->program, TERN_UNARY_LOGICAL_NOT, compare(f)));
}

/* and, or give one of their operands, as in Python; of two conditions that is the logical step. */
static int16_t joined(parser *f, bool both, int16_t a, int16_t b) {
    if (f->failed) return TERN_P_NONE;
    if (tern_program_is_logical(f->program, a) && tern_program_is_logical(f->program, b))
        return binary(f, both ? TERN_BINARY_LOGICAL_AND : TERN_BINARY_LOGICAL_OR, a, b);
    return both ? where(f, a, b, a) : where(f, a, a, b);
}

static int16_t conjunction(parser *f) {
    int16_t value = negation(f);
    while (!f->failed && take_word(f, "and")) value = joined(f, true, value, negation(f));
    return value;
}

static int16_t disjunction(parser *f) {
    int16_t value = conjunction(f);
    while (!f->failed && take_word(f, "or")) value = joined(f, false, value, conjunction(f));
    return value;
}

static int16_t choice(parser *f) {
    if (f->failed) return TERN_P_NONE;
    if (f->depth >= MAX_DEPTH) return fail(f, "nested deeper than 64");
    f->depth++;
    int16_t value = disjunction(f);
    if (!f->failed && take_word(f, "if")) {
        int16_t condition = disjunction(f);
        int16_t other = take_word(f, "else") ? choice(f) : fail(f, "expected 'else'");
        value = f->failed ? TERN_P_NONE : where(f, condition, value, other);
    }
    f->depth--;
    return value;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* "name =", which is taken; false where a value comes next. */
static bool part_begins(parser *f, const char **out_name, size_t *out_length) {
    skip_space(f);
    const char *name = f->at;
    size_t length = word_length(name);
    if (!length || isdigit((unsigned char)*name)) return false;
    f->at += length;
    *out_name = name;
    *out_length = length;
    if (take(f, "=")) return true;
    f->at = name;
    return false;
}

static bool at_end(parser *f) {
    skip_space(f);
    return *f->at == '\0';
}

/* An update is parts alone: behind its last there is no value. */
static void parts(parser *f, bool update) {
    const char *name;
    size_t length;
    while (!f->failed && part_begins(f, &name, &length)) {
        int16_t value = choice(f);
        if (!f->failed && !take(f, ";") && !(update && at_end(f))) fail(f, "expected ';'");
        if (f->failed) return;
        tern_program_name *known = find(f->parts, f->n_parts, name, length);
        if (!known && f->n_parts == MAX_PARTS) fail_at(f, name, "more than 32 names");
        if (!known && !f->failed) known = &f->parts[f->n_parts++];
        if (known) *known = (tern_program_name){name, length, value, false};
    }
}

/* The message is written through the parser, which clang-tidy does not see. */
/* NOLINTBEGIN(readability-non-const-parameter) */
static parser begin(tern_program *p, const char *formula, tern_program_name *names, int n_names,
                    char *out_message, size_t message_size) {
    return (parser){.text = formula,
                    .at = formula,
                    .program = p,
                    .names = names,
                    .n_names = n_names,
                    .message = out_message,
                    .message_size = message_size};
}

int16_t tern_program_parse(tern_program *p, const char *formula, tern_program_name *names,
                           int n_names, char *out_message, size_t message_size) {
    return tern_program_parse_with(p, formula, names, n_names, NULL, out_message, message_size);
}

int16_t tern_program_parse_with(tern_program *p, const char *formula, tern_program_name *names,
                                int n_names, tern_defined_finder finder, char *out_message,
                                size_t message_size) {
    parser f = begin(p, formula, names, n_names, out_message, message_size);
    f.find = finder;
    parts(&f, false);
    int16_t value = choice(&f);
    if (!f.failed && !at_end(&f)) fail(&f, "expected the end of the formula");
    return f.failed ? TERN_P_NONE : value;
}

bool tern_program_parse_update(tern_program *p, const char *formula, tern_program_name *names,
                               int n_names, char *out_message, size_t message_size) {
    parser f = begin(p, formula, names, n_names, out_message, message_size);
    parts(&f, true);
    if (!f.failed && !at_end(&f)) fail(&f, "expected a name and '='");
    for (int k = 0; k < n_names && !f.failed; k++) {
        const tern_program_name *part = find(f.parts, f.n_parts, names[k].name, names[k].length);
        if (part) names[k].value = part->value;
    }
    return !f.failed;
}
/* NOLINTEND(readability-non-const-parameter) */

/* A row's formula over what it is called with, and its defaults. */
static int16_t defined(parser *f, const char *at, const tern_defined *row, const int16_t *sources,
                       int count) {
    tern_defined_arguments a;
    char what[80];
    tern_defined_read(row, &a);
    int least = 1;
    while (least < a.count && a.values[least].kind == TERN_VALUE_NONE) least++;
    if (count < least || count > a.count) {
        snprintf(what, sizeof what,
                 least == a.count ? "%s takes %d argument%s, got %d"
                                  : "%s takes %d argument%s and more, got %d",
                 row->id, least, least == 1 ? "" : "s", count);
        return fail_at(f, at, what);
    }
    for (int k = 0; k < a.count; k++)
        a.names[k].value = k < count
                               ? sources[k]
                               : tern_program_number(f->program, tern_value_as_double(a.values[k]));
    int16_t value = made(f, TERN_P_NONE);
    if (!f->failed)
        value = tern_program_parse(f->program, row->formula, a.names, a.count, what, sizeof what);
    return value < 0 && !f->failed ? made(f, value) : value;
}
