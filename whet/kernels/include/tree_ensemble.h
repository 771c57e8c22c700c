/* Decision tree ensembles (random forests, boosted trees) over a table of nodes.
 *
 *   tree_ensemble_T(x, y, trees, values, members, leaf_weights, base, batch, features, targets,
 *                   roots, aggregate)
 *       x[batch][features] -> y[batch][targets]; T is f32 or f64. base[targets] may be null.
 *
 * Node i compares x[feature[i]] with values[i] by mode[i] and goes to yes[i] or no[i]: a node, or
 * leaf l written as ~l. roots holds one such entry a tree. A NaN goes to yes if missing_yes[i]
 * (missing_yes may be null: to no, except TREE_NOT_EQUAL). TREE_MEMBER asks whether x is among
 * members[member_start[i]...], a list ended by NaN. Leaf l votes with the pairs leaf_target[k],
 * leaf_weights[k] for leaf_start[l] <= k < leaf_start[l + 1]. base is added last.
 * Sources: ai.onnx.ml TreeEnsemble-5, TreeEnsembleClassifier-3, TreeEnsembleRegressor-3.
 */
#ifndef WHET_TREE_ENSEMBLE_H
#define WHET_TREE_ENSEMBLE_H
#include "types.h"

enum {
    TREE_LESS_OR_EQUAL, TREE_LESS, TREE_GREATER_OR_EQUAL, TREE_GREATER, TREE_EQUAL,
    TREE_NOT_EQUAL, TREE_MEMBER
};
enum { TREE_AVERAGE, TREE_SUM, TREE_MIN, TREE_MAX };

typedef struct {
    const i32 *feature, *yes, *no;
    const u8 *mode, *missing_yes;
    const i32 *member_start;
    const i32 *leaf_start, *leaf_target;
    const i32 *roots;
} tree_table;

#define TREE_FAMILY(T) \
    WHET_INLINE int tree_is_member_##T(const T *members, const T x) \
    { \
        for (; *members == *members; members++) \
            if (*members == x) \
                return 1; \
        return 0; \
    } \
    WHET_INLINE int tree_compare_##T(const tree_table *t, const T *values, const T *members, \
                                     const i32 node, const T x) \
    { \
        if (x != x && t->missing_yes && t->missing_yes[node]) \
            return 1; \
        switch (t->mode[node]) { \
        case TREE_LESS_OR_EQUAL: \
            return x <= values[node]; \
        case TREE_LESS: \
            return x < values[node]; \
        case TREE_GREATER_OR_EQUAL: \
            return x >= values[node]; \
        case TREE_GREATER: \
            return x > values[node]; \
        case TREE_EQUAL: \
            return x == values[node]; \
        case TREE_NOT_EQUAL: \
            return x != values[node]; \
        default: \
            return tree_is_member_##T(members + t->member_start[node], x); \
        } \
    } \
    WHET_INLINE i32 tree_leaf_##T(const tree_table *t, const T *values, const T *members, \
                                  i32 node, const T *x) \
    { \
        while (node >= 0) \
            node = tree_compare_##T(t, values, members, node, x[t->feature[node]]) \
                       ? t->yes[node] \
                       : t->no[node]; \
        return ~node; \
    } \
    WHET_INLINE void tree_ensemble_##T(const T *x, T *y, const tree_table *t, const T *values, \
                                       const T *members, const T *leaf_weights, const T *base, \
                                       const long batch, const long features, \
                                       const long targets, const long roots, \
                                       const int aggregate) \
    { \
        const T start = aggregate == TREE_MIN   ? (T)highest_##T() \
                        : aggregate == TREE_MAX ? (T)lowest_##T() \
                                                : 0; \
        for (long b = 0; b < batch; b++, x += features, y += targets) { \
            for (long j = 0; j < targets; j++) \
                y[j] = start; \
            for (long r = 0; r < roots; r++) { \
                const i32 leaf = tree_leaf_##T(t, values, members, t->roots[r], x); \
                for (i32 k = t->leaf_start[leaf]; k < t->leaf_start[leaf + 1]; k++) { \
                    T *vote = y + t->leaf_target[k]; \
                    const T w = leaf_weights[k]; \
                    if (aggregate == TREE_MIN) \
                        *vote = w < *vote ? w : *vote; \
                    else if (aggregate == TREE_MAX) \
                        *vote = w > *vote ? w : *vote; \
                    else \
                        *vote += w; \
                } \
            } \
            for (long j = 0; j < targets; j++) { \
                y[j] = aggregate == TREE_AVERAGE ? y[j] / (T)roots : y[j]; \
                y[j] += base ? base[j] : 0; \
            } \
        } \
    }
TREE_FAMILY(f32)
TREE_FAMILY(f64)

#endif
