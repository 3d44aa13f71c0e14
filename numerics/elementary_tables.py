#!/usr/bin/env python3
"""Writes elementary_tables.h: the coefficients that elementary_*.c use, from their formulas.

Run with mpmath installed: python3 elementary_tables.py > elementary_tables.h
Heads are written as double-double pairs, tails as doubles; the split of each series is chosen so
that rounding in the tail stays below 2^-60 of the result.
"""
from mpmath import (mp, mpf, pi, log, zeta, euler, bernoulli, factorial, gamma, exp, erfc, sqrt,
                    atan, cos, floor, ldexp)

mp.prec = 1400


def pair(x):
    hi = float(x)
    return hi, float(mpf(x) - mpf(hi))


def dd(name, values, comment):
    print(f"\n/* {comment} */\nstatic const tern_dd {name}[] = {{")
    for v in values:
        hi, lo = pair(v)
        print(f"    {{{hi.hex()}, {lo.hex()}}},")
    print("};")


def tail(name, values, comment):
    print(f"\n/* {comment} */\nstatic const double {name}[] = {{")
    for v in values:
        print(f"    {float(v).hex()},")
    print("};")


def split(name, values, heads, comment):
    dd(name + "_head", values[:heads], comment)
    tail(name + "_tail", values[heads:], "and on, in double.")


def guard(name, body):
    print(f"\n#ifdef TERN_TABLE_{name}")
    body()
    print(f"\n#endif /* TERN_TABLE_{name} */")


def three(x):
    a = float(x)
    b = float(x - mpf(a))
    c = float(x - mpf(a) - mpf(b))
    return a, b, c


def parts(name, x, comment):
    a, b, c = three(x)
    print(f"\n/* {comment} */\nstatic const double {name}[3] = {{\n    {a.hex()}, {b.hex()},\n"
          f"    {c.hex()}}};")


def exp_log():
    parts("LN2", log(mpf(2)), "ln 2 = the sum of three doubles.")
    dd("INV_LN2", [1 / log(mpf(2))], "1 / ln 2.")
    dd("INV_LN10", [1 / log(mpf(10))], "1 / ln 10.")
    dd("LOG10_2", [log(mpf(2)) / log(mpf(10))], "log10 2.")
    split("LOG", [mpf(2) / (2 * k + 1) for k in range(15)], 3,
          "2 / (2k + 1): log((1 + s) / (1 - s)) / s as a series in s^2.")
    split("EXPM1", [1 / factorial(k + 1) for k in range(18)], 4,
          "1 / (k + 1)!: (e^r - 1) / r as a series in r.")


def trig():
    parts("PI_2", pi / 2, "pi / 2 = the sum of three doubles.")
    split("SIN", [(-1) ** k / factorial(2 * k + 1) for k in range(12)], 3,
          "(-1)^k / (2k + 1)!: sin(r) / r as a series in r^2.")
    split("COS", [(-1) ** k / factorial(2 * k) for k in range(13)], 4,
          "(-1)^k / (2k)!: cos(r) as a series in r^2.")
    bits = int(floor(ldexp(2 / pi, 32 * 38)))
    words = [(bits >> (32 * (37 - i))) & 0xFFFFFFFF for i in range(38)]
    print("\n/* 2 / pi: 1216 bits after the binary point, most significant word first. */")
    print("static const uint32_t TWO_OVER_PI[38] = {")
    for i in range(0, 38, 6):
        print("    " + ", ".join(f"0x{w:08x}" for w in words[i:i + 6]) + ",")
    print("};")


def inverse():
    dd("HALF_PI", [pi / 2], "pi / 2.")
    dd("ATAN_EIGHTHS", [atan(mpf(i) / 8) for i in range(9)], "atan(i / 8), i = 0 .. 8.")
    split("ATAN", [mpf(-1) ** k / (2 * k + 1) for k in range(11)], 2,
          "(-1)^k / (2k + 1): atan(t) / t as a series in t^2.")


def chebyshev(f, lo, hi, n):
    """Coefficients in powers of u, u in [-1, 1] mapped to [lo, hi], of the interpolant of f."""
    nodes = [cos(pi * (k + mpf(1) / 2) / n) for k in range(n)]
    values = [f((hi - lo) / 2 * u + (hi + lo) / 2) for u in nodes]
    c = [2 * sum(values[k] * cos(pi * j * (k + mpf(1) / 2) / n) for k in range(n)) / n
         for j in range(n)]
    c[0] /= 2
    prev, cur = [mpf(1)], [mpf(0), mpf(1)]
    out = [mpf(0)] * n
    out[0] += c[0]
    for j in range(1, n):
        for i, v in enumerate(cur):
            out[i] += c[j] * v
        nxt = [mpf(0)] + [2 * v for v in cur]
        for i, v in enumerate(prev):
            nxt[i] -= v
        prev, cur = cur, nxt
    return out


def error():
    split("ERF", [2 / sqrt(pi) * (-1) ** k / factorial(k) / (2 * k + 1) for k in range(22)], 6,
          "2 / sqrt(pi) (-1)^k / (k! (2k + 1)): erf(x) / x as a series in x^2.")
    dd("TWO_OVER_SQRT_PI", [2 / sqrt(pi)], "2 / sqrt(pi).")
    dd("HALF_SQRT_PI", [sqrt(pi) / 2], "sqrt(pi) / 2.")
    mp.prec = 300

    def scaled(t):
        x = 3 * (1 + t) / (1 - t)
        if x > 100:
            y = 1 / (2 * x * x)
            total, term = mpf(0), mpf(1)
            for k in range(1, 60):
                total += term
                term *= -(2 * k - 1) * y
            return (1 + 2 * x) / (x * sqrt(pi)) * total
        return (1 + 2 * x) * exp(x * x) * erfc(x)

    t0 = mpf(-3) / 4
    coefficients = chebyshev(lambda t: scaled(t), t0, mpf(1), ERFC_TERMS)
    split("ERFC", coefficients, 14,
          "(1 + 2x) e^(x^2) erfc(x) in powers of u = (8t - 1) / 7, t = (x - 3) / (x + 3), x >= 3/7:"
          "\n * the Chebyshev interpolant (Shepherd and Laframboise, Math. Comp. 36, 1981).")
    mp.prec = 1400


ERFC_TERMS = 29


def gammas():
    mp.prec = 300
    values = [1 - euler] + [(-1) ** k * (zeta(k) - 1) / k for k in range(2, 34)]
    split("LGAMMA2", values, 5, "(1 - Euler gamma), then (-1)^k (zeta(k) - 1) / k, k = 2 ..:\n"
          " * lgamma(2 + e) / e as a series in e (Abramowitz and Stegun 6.1.33).")
    split("STIRLING", [bernoulli(2 * k) / (2 * k * (2 * k - 1)) for k in range(1, 15)], 2,
          "B_2k / (2k (2k - 1)): Stirling's series in 1 / x^2 (A&S 6.1.40).")
    split("DIGAMMA", [bernoulli(2 * k) / (2 * k) for k in range(1, 15)], 2,
          "B_2k / (2k): the asymptotic series of digamma in 1 / x^2 (A&S 6.3.18).")
    dd("HALF_LN_2PI", [log(2 * pi) / 2], "ln(2 pi) / 2.")
    dd("LN_PI", [log(pi)], "ln pi.")
    dd("PI", [pi], "pi.")
    mp.prec = 1400


print("/*\n * Coefficients of elementary_*.c. Written by elementary_tables.py; do not edit.\n"
      " *\n * A file defines TERN_TABLE_x for the tables it wants, then includes this.\n */")
for key, body in (("EXP_LOG", exp_log), ("TRIG", trig), ("INVERSE_TRIG", inverse),
                  ("ERROR", error), ("GAMMA", gammas)):
    guard(key, body)
