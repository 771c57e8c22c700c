// What the threads of a run share: units that may be done in any order.
#pragma once

// Where the share of thread `part` of `parts` begins, and that of the one before it ends. The same
// for every step: a thread comes back to what it made.
static inline long thread_share(const long units, const int part, const int parts) {
    return units * part / parts;
}
