/* Boxes from anchors and the best of those that overlap, as TFLite_Detection_PostProcess.
 *
 * boxes[n][width] encodes (y, x, h, w) against anchors[n][4]; scores[n][columns], of which the last
 * `classes` count. Results beyond *count are zero. Equal scores keep the order of the boxes.
 */
#ifndef WHET_POSTPROCESS_H
#define WHET_POSTPROCESS_H
#include "math.h"

typedef struct {
    int n, width, columns, classes, detections, categories, per_class, regular;
} detection_shape;

WHET_INLINE void detection_decode(const detection_shape *s, const f32 *boxes, const f32 *anchors,
                                  const f32 *scales, f32 *corners)
{
    for (int i = 0; i < s->n; i++)
        for (int a = 0; a < 2; a++) {
            const f32 *box = boxes + (long)i * s->width, *anchor = anchors + 4L * i;
            const f32 center = box[a] / scales[a] * anchor[2 + a] + anchor[a];
            const f32 half = 0.5f * math_exp_f32(box[2 + a] / scales[2 + a]) * anchor[2 + a];
            corners[4L * i + a] = center - half;
            corners[4L * i + 2 + a] = center + half;
        }
}

WHET_INLINE f32 detection_area(const f32 *b) { return (b[2] - b[0]) * (b[3] - b[1]); }

WHET_INLINE f32 detection_overlap(const f32 *a, const f32 *b)
{
    const f32 area = detection_area(a), other = detection_area(b);
    if (area <= 0 || other <= 0)
        return 0;
    const f32 high = (a[2] < b[2] ? a[2] : b[2]) - (a[0] > b[0] ? a[0] : b[0]);
    const f32 wide = (a[3] < b[3] ? a[3] : b[3]) - (a[1] > b[1] ? a[1] : b[1]);
    const f32 common = (high > 0 ? high : 0) * (wide > 0 ? wide : 0);
    return common / (area + other - common);
}

/* At most `most` boxes by falling scores[i * stride], in kept; alive[n] is scratch. */
WHET_INLINE int detection_suppress(const int n, const f32 *corners, const f32 *scores,
                                   const int stride, const f32 least, const f32 overlap,
                                   const int most, u8 *alive, i32 *kept)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        alive[i] = scores[(long)i * stride] >= least;
    while (count < most) {
        int best = -1;
        for (int i = 0; i < n; i++)
            if (alive[i]
                && (best < 0 || scores[(long)i * stride] > scores[(long)best * stride]))
                best = i;
        if (best < 0)
            break;
        kept[count++] = best;
        alive[best] = 0;
        for (int i = 0; i < n; i++)
            if (alive[i] && detection_overlap(corners + 4L * best, corners + 4L * i) > overlap)
                alive[i] = 0;
    }
    return count;
}

/* Each class on its own, the best of all merged: (box, class) pairs in found[detections]. */
WHET_INLINE int detection_regular(const detection_shape *s, const f32 *corners, const f32 *scores,
                                  const f32 least, const f32 overlap, u8 *alive, i32 *kept,
                                  i32 *found)
{
    int count = 0;
    for (int c = 0; c < s->classes; c++) {
        const int best = detection_suppress(s->n, corners, scores + c, s->columns, least, overlap,
                                            s->per_class, alive, kept);
        for (int k = 0; k < best; k++) {
            const f32 score = scores[(long)kept[k] * s->columns + c];
            int at = count;
            while (at > 0
                   && scores[(long)found[2 * at - 2] * s->columns + found[2 * at - 1]] < score)
                at--;
            if (at >= s->detections)
                continue;
            count += count < s->detections;
            for (int i = count - 1; i > at; i--)
                found[2 * i] = found[2 * i - 2], found[2 * i + 1] = found[2 * i - 1];
            found[2 * at] = kept[k], found[2 * at + 1] = c;
        }
    }
    return count;
}

/* All classes at once by each box's best; then its `categories` best classes in turn. */
WHET_INLINE int detection_together(const detection_shape *s, const f32 *corners,
                                   const f32 *scores, const f32 least, const f32 overlap,
                                   u8 *alive, i32 *kept, f32 *best, i32 *found)
{
    for (int i = 0; i < s->n; i++) {
        const f32 *row = scores + (long)i * s->columns;
        best[i] = row[0];
        for (int c = 1; c < s->classes; c++)
            best[i] = row[c] > best[i] ? row[c] : best[i];
    }
    const int boxes = detection_suppress(s->n, corners, best, 1, least, overlap, s->detections,
                                         alive, kept);
    int count = 0;
    for (int k = 0; k < boxes; k++) {
        const f32 *row = scores + (long)kept[k] * s->columns;
        int last = -1;
        for (int q = 0; q < s->categories; q++) {
            int next = -1;
            for (int c = 0; c < s->classes; c++) {
                const int tied = last >= 0 && row[c] == row[last] && c > last;
                if ((last < 0 || row[c] < row[last] || tied) && (next < 0 || row[c] > row[next]))
                    next = c;
            }
            found[2 * count] = kept[k], found[2 * count + 1] = last = next;
            count++;
        }
    }
    return count;
}

/* work: f32[4 n] corners, f32[n], i32[most + 2 rows], u8[n], where rows is the results' length and
 * most = detections or per_class, whichever is greater. */
WHET_INLINE void detection_postprocess(const detection_shape *s, const int rows, const int most,
                                       const f32 *scales, const double least,
                                       const double overlap, const f32 *boxes, const f32 *scores,
                                       const f32 *anchors, void *work, f32 *out_boxes,
                                       f32 *out_classes, f32 *out_scores, f32 *out_count)
{
    f32 *corners = work, *best = corners + 4L * s->n;
    i32 *kept = (i32 *)(best + s->n), *found = kept + most;
    u8 *alive = (u8 *)(found + 2L * rows);
    const f32 *labelled = scores + (s->columns - s->classes);
    const f32 low = (f32)least, high = (f32)overlap;
    detection_decode(s, boxes, anchors, scales, corners);
    const int count =
        s->regular ? detection_regular(s, corners, labelled, low, high, alive, kept, found)
                   : detection_together(s, corners, labelled, low, high, alive, kept, best, found);
    for (int i = 0; i < rows; i++) {
        const int box = i < count ? found[2 * i] : 0, c = i < count ? found[2 * i + 1] : 0;
        for (int a = 0; a < 4; a++)
            out_boxes[4L * i + a] = i < count ? corners[4L * box + a] : 0.0f;
        out_classes[i] = (f32)c;
        out_scores[i] = i < count ? labelled[(long)box * s->columns + c] : 0.0f;
    }
    *out_count = (f32)count;
}
#endif
