/* text.c: numbers as Python writes and reads them. */
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/value.h"

/* Writes the significant digits of a finite positive value, rounded to `count`, without a decimal
 * point (which the locale chooses), and the exponent of the first. Says whether they read back. */
static bool digits_of(double value, int count, char *out_digits, int *out_exponent) {
    char text[64];
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    int n = 0;
    const char *c = text;
    for (; *c && *c != 'e'; c++)
        if (*c >= '0' && *c <= '9' && n < count) out_digits[n++] = *c;
    out_digits[n] = 0;
    *out_exponent = *c ? (int)strtol(c + 1, NULL, 10) : 0;
    return strtod(text, NULL) == value;
}

/*
 * Below a power of two doubles lie twice as dense, so that the nearest 16 digits may not read back
 * where the next ones up do. Adds one to the last digit; says whether the result reads back.
 */
static bool next_up_reads_back(double value, char *digits, int exponent) {
    size_t last = strlen(digits) - 1;
    while (last > 0 && digits[last] == '9') digits[last--] = '0';
    if (digits[last] == '9') return false;
    digits[last]++;
    char text[64];
    snprintf(text, sizeof text, "%se%d", digits, exponent - (int)strlen(digits) + 1);
    return strtod(text, NULL) == value;
}

/*
 * The fewest digits that read back equal. 15 digits always survive the way through a normal double,
 * so fewer are the same 15 without trailing zeros; subnormals carry less and need the whole search.
 */
static void shortest_digits(double value, char *out_digits, int *out_exponent) {
    int count = value < DBL_MIN ? 1 : 15;
    while (!digits_of(value, count, out_digits, out_exponent) && count < 17) {
        int exponent;
        if (count == 16 && frexp(value, &exponent) == 0.5 &&
            next_up_reads_back(value, out_digits, *out_exponent))
            break;
        count++;
    }
    size_t length = strlen(out_digits);
    while (length > 1 && out_digits[length - 1] == '0') out_digits[--length] = 0;
}

/* The digits as 0.00ddd, dd.dd or ddd00.0 */
static void write_fixed(const char *digits, int exponent, char *out) {
    int count = (int)strlen(digits);
    if (exponent < 0) {
        *out++ = '0';
        *out++ = '.';
        for (int i = -1; i > exponent; i--) *out++ = '0';
        memcpy(out, digits, (size_t)count + 1);
        return;
    }
    for (int i = 0; i <= exponent; i++) *out++ = i < count ? digits[i] : '0';
    *out++ = '.';
    if (count <= exponent + 1)
        *out++ = '0';
    else
        for (int i = exponent + 1; i < count; i++) *out++ = digits[i];
    *out = 0;
}

/* d.ddde+xx: at least two digits of exponent. */
static void write_scientific(const char *digits, int exponent, char *out) {
    unsigned size = (unsigned)abs(exponent);
    *out++ = digits[0];
    if (digits[1]) *out++ = '.';
    for (const char *c = digits + 1; *c; c++) *out++ = *c;
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    if (size >= 100) *out++ = (char)('0' + size / 100);
    *out++ = (char)('0' + size / 10 % 10);
    *out++ = (char)('0' + size % 10);
    *out = 0;
}

void tern_format_double(double value, char *out_text) {
    char digits[24];
    int exponent;
    if (!out_text) return;
    if (isnan(value)) {
        strcpy(out_text, "nan");
        return;
    }
    if (signbit(value)) {
        *out_text++ = '-';
        value = -value;
    }
    if (isinf(value)) {
        strcpy(out_text, "inf");
    } else if (value == 0.0) {
        strcpy(out_text, "0.0");
    } else {
        shortest_digits(value, digits, &exponent);
        /* Python's bounds between the two forms. */
        if (exponent < -4 || exponent >= 16)
            write_scientific(digits, exponent, out_text);
        else
            write_fixed(digits, exponent, out_text);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool special_float(const char *text, tern_value *out_number) {
    const char *name = *text == '-' || *text == '+' ? text + 1 : text;
    if (strcmp(name, "inf") == 0)
        *out_number = tern_float(*text == '-' ? -HUGE_VAL : HUGE_VAL);
    else if (strcmp(name, "nan") == 0)
        *out_number = tern_float(strtod("nan", NULL));
    else
        return false;
    return true;
}

/* Replaces the point by what strtod expects in this locale. */
static void localise(const char *text, char *out, size_t size) {
    const char *point = localeconv()->decimal_point;
    size_t n = 0, width = strlen(point);
    for (; *text && n + width + 1 < size; text++) {
        if (*text == '.') {
            memcpy(out + n, point, width);
            n += width;
        } else {
            out[n++] = *text;
        }
    }
    out[n] = 0;
}

bool tern_number_parse(const char *text, size_t length, tern_value *out_number) {
    char copy[128], local[160], *end;
    if (!text || !out_number || length == 0 || length >= sizeof copy) return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    if (strlen(copy) != length) return false;
    if (special_float(copy, out_number)) return true;
    if (copy[strspn(copy, "+-0123456789.eE")]) return false;
    if (strpbrk(copy, ".eE")) {
        localise(copy, local, sizeof local);
        double number = strtod(local, &end);
        if (end == local || *end) return false;
        *out_number = tern_float(number);
        return true;
    }
    errno = 0;
    long long number = strtoll(copy, &end, 10);
    if (end == copy || *end || errno == ERANGE) return false;
    *out_number = tern_int(number);
    return true;
}
