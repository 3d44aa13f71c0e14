#!/usr/bin/env python3
"""Writes numerics_golden.h: arguments and correctly rounded values of the elementary functions.

Run with mpmath installed: python3 numerics_golden.py > numerics_golden.h
The arguments come from a fixed seed, with the hard ones of each function added by hand.
"""
import math
import random

import mpmath as m
from mpmath import mp, mpf

mp.prec = 1400
rng = random.Random(20)
POINTS = 104


def spread(low, high, signed=True):
    """Magnitudes 2^low .. 2^high, evenly in the exponent."""
    def draw():
        v = math.ldexp(rng.uniform(1, 2), rng.randint(low, high))
        return -v if signed and rng.random() < 0.5 else v
    return draw


def uniform(a, b):
    return lambda: rng.uniform(a, b)


def below_one(bits):
    return lambda: 1 - 2.0 ** -rng.uniform(1, bits)


def log_gamma(x):
    return m.log(abs(m.gamma(x))) if x < 1000 else m.re(m.loggamma(x))


ANGLES = [math.ldexp(6381956970095103, 797), math.pi / 2, math.pi, 3 * math.pi / 2, 22.0, 355.0,
          103993.0, 1e22, 1.7976931348623157e308, math.ldexp(1, 1023), 0.7853981633974483,
          0.7853981633974484, 2.0 ** 30, 2.0 ** 30 - 1, 5e-324, math.ldexp(1, 120)]
TINY = [5e-324, -5e-324, 2.2250738585072014e-308, 1e-300, -1e-20]
FUNCTIONS = {
    "exp": (m.exp, [uniform(-745, 709), uniform(-1, 1), spread(-56, 8), uniform(-745, -708)],
            [709.782712893384, -745.1332191019411, -708.3964185322641, 7.541551e-10] + TINY),
    "exp2": (lambda x: m.power(2, x), [uniform(-1074, 1023), spread(-56, 9), uniform(-1074, -1021)],
             [-1074.0, -1022.0, 1023.0, 10.0, 0.5] + TINY),
    "expm1": (m.expm1, [uniform(-50, 700), uniform(-1, 1), spread(-56, 5)], [709.7, -37.5] + TINY),
    "log": (m.log, [spread(-1074, 1023, False), uniform(0.5, 2), uniform(0.99, 1.01)],
            [5e-324, 1.0000000000000002, 0.9999999999999999, 2.0, 1.7976931348623157e308]),
    "log2": (lambda x: m.log(x) / m.log(2), [spread(-1074, 1023, False), uniform(0.5, 2)],
             [5e-324, 8.0, 2.0 ** -1022, 1.0000000000000002, 0.9999999999999999]),
    "log10": (lambda x: m.log(x) / m.log(10), [spread(-1074, 1023, False), uniform(0.5, 2)],
              [5e-324, 1000.0, 1e22, 1.0000000000000002, 0.9999999999999999]),
    "log1p": (m.log1p, [spread(-56, 100, False), uniform(-1, 1), uniform(-0.3, 0.5)],
              [-0.9999999999999999, 1.7976931348623157e308] + TINY),
    "sin": (m.sin, [uniform(-10, 10), spread(-30, 29), spread(30, 1023)], ANGLES),
    "cos": (m.cos, [uniform(-10, 10), spread(-30, 29), spread(30, 1023)], ANGLES),
    "tan": (m.tan, [uniform(-10, 10), spread(-30, 29), spread(30, 1023)], ANGLES),
    "asin": (m.asin, [uniform(-1, 1), spread(-30, -1), below_one(52)], [1.0, -1.0, 0.5] + TINY),
    "acos": (m.acos, [uniform(-1, 1), spread(-60, -1), below_one(52)],
             [-1.0, 0.5, -0.9999999999999999] + TINY),
    "atan": (m.atan, [uniform(-2, 2), spread(-30, 62)], [1.0, 0.0625, 1.7976931348623157e308] + TINY),
    "sinh": (m.sinh, [uniform(-2, 2), spread(-30, 8), uniform(-710, 710)], [710.4758600739439] + TINY),
    "cosh": (m.cosh, [uniform(-2, 2), spread(-30, 8), uniform(-710, 710)], [710.4758600739439] + TINY),
    "tanh": (m.tanh, [uniform(-2, 2), spread(-30, 4)], [19.0, 25.0] + TINY),
    "asinh": (m.asinh, [uniform(-2, 2), spread(-30, 1000)], [1.7976931348623157e308] + TINY),
    "acosh": (m.acosh, [uniform(1, 3), lambda: 1 + 2.0 ** -rng.uniform(1, 52),
                        spread(1, 1000, False)], [1.0000000000000002, 1.7976931348623157e308]),
    "atanh": (m.atanh, [uniform(-1, 1), spread(-30, -1), below_one(52)], [0.9999999999999999] + TINY),
    "sigmoid": (lambda x: 1 / (1 + m.exp(-x)), [uniform(-10, 10), uniform(-745, 50)], [36.7] + TINY),
    "erf": (m.erf, [uniform(-1, 1), uniform(-6, 6), spread(-44, 2)], [0.5, 0.49999999999999994] + TINY),
    "erfc": (m.erfc, [uniform(-6, 3), uniform(0, 27), uniform(26.2, 27.2)],
             [0.5, 0.49999999999999994, 26.543258454250986] + TINY),
    "erfinv": (m.erfinv, [uniform(-1, 1), spread(-44, -1), below_one(53)],
               [0.9999999999999999, 0.5, 0.1, 0.09999999999999999, -1e-20]),
    "lgamma": (log_gamma, [uniform(0, 5), uniform(0.9, 1.1), uniform(1.9, 2.1), uniform(5, 200),
                           spread(-100, 900, False), uniform(-20, 0)],
               [5e-324, 2.5e305, 0.5, 1.5, 2.5, 12.0, 1.0000000000000002, 1.9999999999999998]),
    "digamma": (m.digamma, [uniform(0, 1.3), uniform(1.6, 5), uniform(2, 200),
                            spread(-60, 300, False), uniform(-20, 0)], [1.0, 10.0, 0.5, 1e-300]),
}


def power():
    x = math.ldexp(rng.uniform(1, 2), rng.randint(-50, 50))
    return x, rng.uniform(-700, 700) / (math.log(x) or 1.0)


PAIRS = {
    "pow": (m.power, [power, lambda: (rng.uniform(0.5, 1.5), rng.uniform(-900, 900))],
            [(2.0, -1074.0), (10.0, 22.0), (1.0000000000000002, 3e18), (0.9999999999999999, 6e18),
             (3.0, 0.5), (5e-324, 0.5), (1.7976931348623157e308, -1.0), (2.5, 3.0)]),
    "atan2": (m.atan2, [lambda: (spread(-40, 40)(), spread(-40, 40)())],
              [(1e-300, 1e-300), (1.0, -1e-20), (1e300, -1e300), (5e-324, 5e-324)]),
    "hypot": (lambda x, y: m.sqrt(x * x + y * y), [lambda: (spread(-30, 30)(), spread(-30, 30)())],
              [(1e300, 1e300), (5e-324, 5e-324), (3.0, 4.0), (1e-310, 1e-309)]),
}

# Drawn after all others, whose arguments so stay as they were.
LATER = {
    "log_sigmoid": (lambda x: -m.log1p(m.exp(-x)), [uniform(-50, 50), uniform(-750, 750), spread(-56, 9)],
                    [9.01249426453, 40.0, -40.0, 37.0, 745.0] + TINY),
    "sinc": (lambda x: m.sinpi(x) / (m.pi * x), [uniform(-3, 3), uniform(-1000, 1000), spread(-40, 51)],
             [0.9999999999999999, 1.0000000000000002, 2251799813685247.5, 1e-9] + TINY),
    "trigamma": (lambda x: m.psi(1, x), [uniform(0, 5), uniform(5, 200), spread(-500, 900, False),
                                         uniform(-20, 0)], [20.0, 19.999999999999996, 0.5, -0.5, 1e308]),
    "rsqrt": (lambda x: 1 / m.sqrt(x), [spread(-1074, 1023, False), uniform(0.5, 4)],
              [5e-324, 4.03936185, 1.0000000000000002, 0.9999999999999999, 1.7976931348623157e308]),
    "xlogy": (lambda x, y: x * m.log(y), [lambda: (spread(-1074, 900)(), spread(-1074, 1023, False)())],
              [(1.9817724, 1.0000000000000002), (-3.0, 5e-324), (5e-324, 1e300), (1e-310, 1e-120)]),
    "logaddexp": (lambda x, y: max(x, y) + m.log1p(m.exp(-abs(x - y))),
                  [lambda: (rng.uniform(-0.6, 5), rng.uniform(-5, 5)), lambda: (rng.uniform(-800, 800), 3.0)],
                  [(0.0, -50.0), (0.0, -140.0), (0.0, -300.0), (0.0, -690.0), (1e300, 1e300), (5e-324, -100.0)]),
    "logaddexp2": (lambda x, y: max(x, y) + m.log1p(m.power(2, -abs(x - y))) / m.log(2),
                   [lambda: (rng.uniform(-0.9, 5), rng.uniform(-5, 5)), lambda: (rng.uniform(-800, 800), 3.0)],
                   [(0.0, -50.0), (0.0, -140.0), (0.0, -300.0), (0.0, -690.0), (1e300, 1e300), (1.0, 1.0)]),
}


def finite(value):
    result = float(value)
    return None if math.isinf(result) or math.isnan(result) else result


def table(name, f, draws, hard):
    rows, i = [], 0
    while len(rows) < POINTS:
        a = hard[i] if i < len(hard) else draws[i % len(draws)]()
        i += 1
        a = a if isinstance(a, tuple) else (a,)
        if name == "lgamma" and a[0] < 0 and abs(f(mpf(a[0]))) < 0.01:
            continue
        expected = finite(f(*map(mpf, a)))
        if expected is not None:
            rows.append((a[0], a[1] if len(a) == 2 else 0.0, expected))
    print(f"static const golden {name}_golden[] = {{")
    for row in rows:
        print("    {" + ", ".join(v.hex() for v in row) + "},")
    print("};\n")


print("/*\n * {x, y, f(x, y)} with f correctly rounded; y is 0 for functions of one argument.\n"
      " * Written by numerics_golden.py; do not edit.\n */")
for NAME, (F, DRAWS, HARD) in list((FUNCTIONS | PAIRS | LATER).items()):
    mp.prec = 1400 if NAME in ("sin", "cos", "tan") else 1200 if NAME in ("lgamma",) else 400
    if NAME in ("acos", "asinh", "acosh", "expm1", "log1p", "erfc", "log_sigmoid"):
        mp.prec = 2400
    table(NAME, F, DRAWS, HARD)
