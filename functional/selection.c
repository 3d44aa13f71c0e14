/* selection.c: quickselect and sorting by insertion, as selection.h says. */
#include "selection.h"

#include <math.h>

typedef bool (*less_fn)(tern_ranked a, tern_ranked b);

static bool is_less(tern_ranked a, tern_ranked b) {
    return a.value < b.value;
}
static bool is_before(tern_ranked a, tern_ranked b) { /* NaN last */
    return a.value < b.value || (isnan(b.value) && !isnan(a.value));
}

static void swap(tern_ranked *a, tern_ranked *b) {
    tern_ranked kept = *a;
    *a = *b;
    *b = kept;
}

/* What is below the first goes to the front at once; anything else goes down past what it is below. */
static void insert_all(tern_ranked *row, int64_t count, less_fn less) {
    for (int64_t i = 1; i < count; i++) {
        tern_ranked moving = row[i];
        bool front = less(moving, row[0]);
        int64_t at = i;
        for (; at > 0 && (front || less(moving, row[at - 1])); at--) row[at] = row[at - 1];
        row[at] = moving;
    }
}

void tern_insertion_sort(tern_ranked *row, int64_t count) {
    insert_all(row, count, is_less);
}

/* The median of the second, the middle and the last element, to the front: the pivot. */
static void median_to_front(tern_ranked *row, int64_t n) {
    tern_ranked *a = row + 1, *b = row + n / 2, *c = row + n - 1;
    if (is_before(*a, *b))
        swap(row, is_before(*b, *c) ? b : is_before(*a, *c) ? c : a);
    else
        swap(row, is_before(*a, *c) ? a : is_before(*b, *c) ? c : b);
}

/* Parts row[1, n) by the pivot row[0]: returns the first of those that are not before it. */
static int64_t part(tern_ranked *row, int64_t n) {
    int64_t first = 1, last = n;
    for (;; first++) {
        while (is_before(row[first], row[0])) first++;
        do last--;
        while (is_before(row[0], row[last]));
        if (first >= last) return first;
        swap(row + first, row + last);
    }
}

/* Shell's sort, for a row that was made to defeat the medians. */
static void sort_anyhow(tern_ranked *row, int64_t n) {
    for (int64_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (int64_t i = gap; i < n; i++) {
            tern_ranked moving = row[i];
            int64_t at = i;
            for (; at >= gap && is_before(moving, row[at - gap]); at -= gap)
                row[at] = row[at - gap];
            row[at] = moving;
        }
}

/* The element of rank k in its place. */
static void select_rank(tern_ranked *row, int64_t n, int64_t k) {
    int rounds = 0;
    for (int64_t rest = n; rest > 1; rest /= 2) rounds += 2;
    while (n > 3) {
        if (rounds-- == 0) {
            sort_anyhow(row, n);
            return;
        }
        median_to_front(row, n);
        int64_t cut = part(row, n);
        if (cut > k) {
            n = cut;
            continue;
        }
        row += cut;
        n -= cut;
        k -= cut;
    }
    insert_all(row, n, is_before);
}

/* The ranks count from `before` on, which row[0] has. */
static void select_from(tern_ranked *row, int64_t n, int64_t before, const int64_t *ranks,
                        int64_t count) {
    while (count > 0) {
        int64_t middle = count / 2, at = ranks[middle] - before;
        select_rank(row, n, at);
        select_from(row, at, before, ranks, middle);
        row += at + 1;
        n -= at + 1;
        before += at + 1;
        ranks += middle + 1;
        count -= middle + 1;
    }
}

void tern_select_ranks(tern_ranked *row, int64_t n, const int64_t *ranks, int64_t count) {
    select_from(row, n, 0, ranks, count);
}
