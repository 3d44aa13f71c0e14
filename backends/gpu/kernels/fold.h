/*
 * fold.h: what the lanes of a group have found, joined by a tree in a fixed order. `own` is each lane's and
 * becomes the group's; `combine` joins x and y. The kernel has LOCAL num room[GROUP_SIZE].
 */
#define GROUP_SIZE 64

#define FOLD(own, combine)                                                                         \
    room[LANE] = own;                                                                              \
    BARRIER;                                                                                       \
    for (i32 far = GROUP_SIZE / 2; far > 0; far /= 2) {                                            \
        if (LANE < far) {                                                                          \
            num x = room[LANE], y = room[LANE + far];                                              \
            room[LANE] = combine;                                                                  \
        }                                                                                          \
        BARRIER;                                                                                   \
    }                                                                                              \
    own = room[0];                                                                                 \
    BARRIER;
