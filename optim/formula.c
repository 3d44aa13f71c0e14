/*
 * formula.c: formulas in `epoch`, Python's notation.
 *
 *     choice  := or ['if' or 'else' choice]
 *     or      := and {'or' and}          and := not {'and' not}      not := ['not'] compare
 *     compare := sum [('<' | '<=' | '>' | '>=' | '==' | '!=') sum]
 *     sum     := product {('+' | '-') product}
 *     product := unary {('*' | '/' | '//' | '%') unary}
 *     unary   := ('-' | '+') unary | power
 *     power   := atom ['**' unary]
 *     atom    := number | epoch | pi | name '(' choice {',' choice} ')' | '(' choice ')'
 *
 * Values are doubles. Both arms of a choice are computed; nothing here has an effect.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tern/optim.h"

#define MAX_DEPTH 64
#define PI        3.14159265358979323846

typedef struct formula {
    const char *text, *at;
    double epoch;
    int depth;
    char *message;
    size_t message_size;
    bool failed;
} formula;

static double choice(formula *f);

static double fail(formula *f, const char *what) {
    if (!f->failed)
        snprintf(f->message, f->message_size, "column %d: %s", (int)(f->at - f->text) + 1, what);
    f->failed = true;
    return (double)NAN;
}

static void skip_space(formula *f) {
    while (*f->at == ' ' || *f->at == '\t') f->at++;
}

/* Takes a sign; one that begins a longer sign ('*' of '**') is not taken. */
static bool take(formula *f, const char *sign) {
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

static bool take_word(formula *f, const char *word) {
    skip_space(f);
    size_t length = strlen(word);
    if (word_length(f->at) != length || strncmp(f->at, word, length) != 0) return false;
    f->at += length;
    return true;
}

/* ---- atoms ----------------------------------------------------------------------------------- */

/* Digits and a power of ten: the value is the nearest double for up to 15 digits, as such formulas
 * have, and does not depend on the locale. */
static double number(formula *f) {
    double mantissa = 0;
    int exponent = 0, digits = 0;
    for (; isdigit((unsigned char)*f->at); f->at++, digits++)
        mantissa = mantissa * 10 + (*f->at - '0');
    if (*f->at == '.')
        for (f->at++; isdigit((unsigned char)*f->at); f->at++, digits++, exponent--)
            mantissa = mantissa * 10 + (*f->at - '0');
    if (!digits) return fail(f, "expected a value");
    if (*f->at == 'e' || *f->at == 'E') {
        int sign = f->at[1] == '-' ? -1 : 1, value = 0;
        f->at += 1 + (f->at[1] == '-' || f->at[1] == '+');
        if (!isdigit((unsigned char)*f->at)) return fail(f, "expected an exponent");
        for (; isdigit((unsigned char)*f->at); f->at++)
            if (value < 1000) value = value * 10 + (*f->at - '0');
        exponent += sign * value;
    }
    return exponent < 0 ? mantissa / pow(10, -exponent) : mantissa * pow(10, exponent);
}

static double call_one(formula *f, const char *name, size_t length, double x) {
    static const struct {
        const char *name;
        double (*fn)(double);
    } functions[] = {{"abs", fabs}, {"sqrt", sqrt}, {"exp", exp},
                     {"log", log},  {"cos", cos},   {"sin", sin}};
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strlen(functions[i].name) == length && strncmp(functions[i].name, name, length) == 0)
            return functions[i].fn(x);
    return fail(f, "there is no such function of one value");
}

static double call(formula *f, const char *name, size_t length) {
    bool is_min = length == 3 && strncmp(name, "min", 3) == 0;
    bool is_max = length == 3 && strncmp(name, "max", 3) == 0;
    double value = choice(f);
    if (!is_min && !is_max) {
        value = call_one(f, name, length, value);
    } else {
        while (take(f, ",")) {
            double other = choice(f);
            if (is_min ? other < value : other > value) value = other;
        }
    }
    return take(f, ")") ? value : fail(f, "expected ')'");
}

static double atom(formula *f) {
    skip_space(f);
    if (take(f, "(")) {
        double value = choice(f);
        return take(f, ")") ? value : fail(f, "expected ')'");
    }
    if (!isalpha((unsigned char)*f->at)) return number(f);
    if (strncmp(f->at, "math.", 5) == 0) f->at += 5;
    if (take_word(f, "epoch")) return f->epoch;
    if (take_word(f, "pi")) return PI;
    const char *name = f->at;
    size_t length = word_length(name);
    if (name[length] != '(') return fail(f, "the only variable is epoch");
    f->at += length + 1;
    return call(f, name, length);
}

/* ---- operators ------------------------------------------------------------------------------- */

static double unary(formula *f);

static double power(formula *f) {
    double base = atom(f);
    return take(f, "**") ? pow(base, unary(f)) : base;
}

static double unary(formula *f) {
    if (f->failed) return (double)NAN;
    if (f->depth >= MAX_DEPTH) return fail(f, "nested deeper than 64");
    f->depth++;
    double value = take(f, "-") ? -unary(f) : take(f, "+") ? unary(f) : power(f);
    f->depth--;
    return value;
}

/* Python's %: the result has the sign of the divisor. */
static double modulo(double a, double b) {
    double rest = fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static double product(formula *f) {
    double value = unary(f);
    for (;;) {
        if (take(f, "//"))
            value = floor(value / unary(f));
        else if (take(f, "*"))
            value *= unary(f);
        else if (take(f, "/"))
            value /= unary(f);
        else if (take(f, "%"))
            value = modulo(value, unary(f));
        else
            return value;
    }
}

static double sum(formula *f) {
    double value = product(f);
    for (;;) {
        if (take(f, "+"))
            value += product(f);
        else if (take(f, "-"))
            value -= product(f);
        else
            return value;
    }
}

static double compare(formula *f) {
    double left = sum(f);
    if (take(f, "<=")) return left <= sum(f);
    if (take(f, ">=")) return left >= sum(f);
    if (take(f, "==")) return left == sum(f);
    if (take(f, "!=")) return left != sum(f);
    if (take(f, "<")) return left < sum(f);
    if (take(f, ">")) return left > sum(f);
    return left;
}

static double negation(formula *f) {
    return take_word(f, "not") ? compare(f) == 0 : compare(f);
}

/* and, or give one of their operands, as in Python. */
static double conjunction(formula *f) {
    double value = negation(f);
    while (take_word(f, "and")) {
        double other = negation(f);
        value = value != 0 ? other : value;
    }
    return value;
}

static double disjunction(formula *f) {
    double value = conjunction(f);
    while (take_word(f, "or")) {
        double other = conjunction(f);
        value = value != 0 ? value : other;
    }
    return value;
}

static double choice(formula *f) {
    if (f->failed) return (double)NAN;
    if (f->depth >= MAX_DEPTH) return fail(f, "nested deeper than 64");
    f->depth++;
    double value = disjunction(f);
    if (take_word(f, "if")) {
        double condition = disjunction(f);
        double other = take_word(f, "else") ? choice(f) : fail(f, "expected 'else'");
        value = condition != 0 ? value : other;
    }
    f->depth--;
    return value;
}

bool tern_formula_eval(const char *text, double epoch, double *out_value, char *out_message,
                       size_t message_size) {
    if (!out_message) message_size = 0;
    formula f = {text, text, epoch, 0, out_message, message_size, false};
    if (message_size) *out_message = '\0';
    if (!text || !out_value) {
        snprintf(out_message, message_size, "%s is NULL", text ? "out_value" : "the formula");
        return false;
    }
    *out_value = choice(&f);
    skip_space(&f);
    if (!f.failed && *f.at) fail(&f, "expected the end of the formula");
    return !f.failed;
}
