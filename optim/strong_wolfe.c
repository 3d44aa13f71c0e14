/* strong_wolfe.c: bracketing an interval, then zooming into it. Comparisons with NaN go as Python's. */
#include "strong_wolfe.h"

#include <math.h>

static const double sufficient_decrease = 1e-4, curvature = 0.9, smallest_change = 1e-9;
enum { MOST_ITERATIONS = 25 };

/* What the two phases hand on. */
typedef struct search {
    tern_line *line;
    tern_line_point bracket[2];
    int iteration;
    bool done; /* bracket[0] satisfies the conditions */
} search;

/* Python's min and max: the first where a comparison with NaN is false. */
static double smaller(double a, double b) {
    return b < a ? b : a;
}

static double larger(double a, double b) {
    return b > a ? b : a;
}

/* The minimum of the cubic through two points with these derivatives, within the bounds. */
static double cubic_minimum(const tern_line_point *a, const tern_line_point *b, double low,
                            double high) {
    double d1 = a->slope + b->slope - 3 * (a->loss - b->loss) / (a->t - b->t);
    double square = d1 * d1 - a->slope * b->slope;
    if (!(square >= 0)) return (low + high) / 2;
    double d2 = sqrt(square), at;
    if (a->t <= b->t)
        at = b->t - (b->t - a->t) * ((b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2));
    else
        at = a->t - (a->t - b->t) * ((a->slope + d2 - d1) / (a->slope - b->slope + 2 * d2));
    return smaller(larger(at, low), high);
}

/* A spare that neither point uses. */
static tern_tensor *spare(const tern_line *line, const tern_line_point *a,
                          const tern_line_point *b) {
    int i = 0;
    while (line->spares[i] == a->grad || line->spares[i] == b->grad) i++;
    return line->spares[i];
}

static bool evaluate(tern_line *line, double t, tern_line_point *point) {
    point->t = t;
    line->evaluations++;
    return line->evaluate(line->user, point);
}

static bool too_high(const tern_line *line, const tern_line_point *point) {
    return point->loss > line->start.loss + sufficient_decrease * point->t * line->start.slope;
}

static bool is_flat(const tern_line *line, const tern_line_point *point) {
    return fabs(point->slope) <= -curvature * line->start.slope;
}

/* Steps outwards until two points have one that satisfies the conditions between them. */
static bool find_bracket(search *s, double t) {
    tern_line *line = s->line;
    tern_line_point previous = line->start, current = {.grad = line->spares[0]};
    if (!evaluate(line, t, &current)) return false;
    for (; s->iteration < MOST_ITERATIONS; s->iteration++) {
        bool rises =
            too_high(line, &current) || (s->iteration > 1 && current.loss >= previous.loss);
        s->done = !rises && is_flat(line, &current);
        s->bracket[0] = s->done ? current : previous;
        s->bracket[1] = current;
        if (rises || s->done || current.slope >= 0) return true;
        double low = current.t + 0.01 * (current.t - previous.t), high = current.t * 10;
        double next = cubic_minimum(&previous, &current, low, high);
        previous = current;
        current.grad = spare(line, &previous, &previous);
        if (!evaluate(line, next, &current)) return false;
    }
    s->bracket[0] = line->start;
    s->bracket[1] = current;
    return true;
}

/* The next length to try: the cubic's minimum, but away from the ends if it stays close to them. */
static double next_trial(const search *s, bool *close) {
    const tern_line_point *b = s->bracket;
    double low = smaller(b[0].t, b[1].t), high = larger(b[0].t, b[1].t);
    double t = cubic_minimum(&b[0], &b[1], low, high), margin = 0.1 * (high - low);
    if (!(smaller(high - t, t - low) < margin)) {
        *close = false;
    } else if (*close || t >= high || t <= low) {
        t = fabs(t - high) < fabs(t - low) ? high - margin : low + margin;
        *close = false;
    } else {
        *close = true;
    }
    return t;
}

static int lower_end(const search *s) {
    return s->bracket[0].loss <= s->bracket[1].loss ? 0 : 1;
}

/* Narrows the bracket; the result is its lower end. */
static bool zoom(search *s, tern_line_point *out_point) {
    tern_line_point *b = s->bracket;
    bool close = false;
    int low = s->done ? 0 : lower_end(s);
    while (!s->done && s->iteration < MOST_ITERATIONS) {
        if (fabs(b[1].t - b[0].t) * s->line->largest < smallest_change) break;
        tern_line_point trial = {.grad = spare(s->line, &b[0], &b[1])};
        if (!evaluate(s->line, next_trial(s, &close), &trial)) return false;
        s->iteration++;
        if (too_high(s->line, &trial) || trial.loss >= b[low].loss) {
            b[1 - low] = trial;
            low = lower_end(s);
            continue;
        }
        s->done = is_flat(s->line, &trial);
        if (!s->done && trial.slope * (b[1 - low].t - b[low].t) >= 0) b[1 - low] = b[low];
        b[low] = trial;
    }
    *out_point = b[low];
    return true;
}

bool tern_strong_wolfe(tern_line *line, double t, tern_line_point *out_point) {
    search s = {.line = line};
    return find_bracket(&s, t) && zoom(&s, out_point);
}
