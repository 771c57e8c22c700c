/* resize.h by a scale, and for RESIZE_CROP a part of the axis, that are data.
 *
 *   resize_axis_T(x, scale, roi, y, outer, in, out, first, count, inner, rule)
 *   resize_axis_nearest(x, scale, roi, fill, y, outer, in, out, first, count, inner_bytes, rule,
 *                       nearest, element_bytes)
 * roi is f64[2] or null; the other fields of the rule are the caller's.
 */
#ifndef WHET_RESIZE_AXIS_H
#define WHET_RESIZE_AXIS_H
#include "resize.h"

WHET_INLINE resize_rule resize_rule_of(const resize_rule *given, const double *scale,
                                       const double *roi)
{
    resize_rule rule = *given;
    rule.scale = *scale;
    rule.roi_start = roi ? roi[0] : 0;
    rule.roi_end = roi ? roi[1] : 1;
    return rule;
}

#define RESIZE_AXIS(T) \
    WHET_INLINE void resize_axis_##T(const T *x, const double *scale, const double *roi, T *y, \
                                     const long outer, const long in, const long out, \
                                     const long first, const long count, const long inner, \
                                     const resize_rule *given) \
    { \
        const resize_rule rule = resize_rule_of(given, scale, roi); \
        resize_##T(x, y, outer, in, out, first, count, inner, &rule); \
    }

WHET_INLINE void resize_axis_nearest(const void *x, const double *scale, const double *roi,
                                     const void *fill, void *y, const long outer, const long in,
                                     const long out, const long first, const long count,
                                     const long inner_bytes, const resize_rule *given,
                                     const int nearest, const long element_bytes)
{
    const resize_rule rule = resize_rule_of(given, scale, roi);
    resize_nearest(x, y, outer, in, out, first, count, inner_bytes, &rule, nearest, fill,
                   element_bytes);
}

WHET_FOR_FLOATS(RESIZE_AXIS)
#endif
