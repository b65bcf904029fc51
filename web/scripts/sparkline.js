// A small line of a number's history. By time on the x axis, so that a pause looks like one.

import {svg} from './dom.js';

const kWidth = 96;
const kHeight = 22;
const kInset = 2;

export function makeSparkline() {
  return svg('svg', {class: 'spark', viewBox: `0 0 ${kWidth} ${kHeight}`, preserveAspectRatio: 'none', 'aria-hidden': 'true'},
             svg('polyline', {class: 'spark-line'}));
}

/** Shows `values` at `times` (any unit). Fewer than two: nothing. */
export function showSparkline(graph, times, values) {
  const line = graph.firstChild;
  if (values.length < 2) return line.setAttribute('points', '');
  const low = Math.min(...values);
  const high = Math.max(...values);
  const start = times[0];
  const span = Math.max(1e-9, times[times.length - 1] - start);
  const rise = high - low;
  const points = values.map((value, i) => {
    const x = kInset + (times[i] - start) / span * (kWidth - 2 * kInset);
    const part = rise === 0 ? 0.5 : (value - low) / rise;
    return `${x.toFixed(1)},${(kHeight - kInset - part * (kHeight - 2 * kInset)).toFixed(1)}`;
  });
  line.setAttribute('points', points.join(' '));
}
