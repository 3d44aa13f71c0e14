#include "sort_items.h"

#include <stdbool.h>
#include <string.h>

/* Up to FEW items are inserted one by one, up to SOME (for each 32 bits of key) merged from runs, more
 * distributed by digits of 8 bits; from MANY on by digits of 11. */
enum { RUN = 16, FEW = 24, SOME = 160, MANY = 8192, DIGITS_MOST = 6 * 2048 };

#define TYPED(name) name##_narrow
#define ITEM        narrow_item
#define KEY(item)   ((item) >> 32)
#include "sort_items.inc"

#define TYPED(name) name##_wide
#define ITEM        wide_item
#define KEY(item)   (item).key
#include "sort_items.inc"
