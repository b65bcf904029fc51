// One status key as a row of a virtual list.

import {appendAnsi, needsSpans} from './ansi.js';
import {element, setText} from './dom.js';
import {age} from './format.js';
import {makeSparkline, showSparkline} from './sparkline.js';

const kFlashMs = 900;
const kRowChars = 400;

export function makeStatusRow() {
  const cell = (name, ...children) => element('div', {class: `cell ${name}`, role: 'cell'}, ...children);
  const row = element('div', {class: 'row', role: 'row'}, cell('key'), cell('value', element('span', {class: 'value-text'})),
                      cell('history', makeSparkline()), cell('age'));
  row.shown = null;
  return row;
}

/** Fills a row. `staleAfterMs`: 0 = never. */
export function showStatusRow(row, entry, index, {history, staleAfterMs, selected}) {
  const [key, value, graph, written] = row.children;
  const ageMs = performance.now() - entry.writtenAt;
  const stale = staleAfterMs > 0 && ageMs >= staleAfterMs;
  const other = row.shown?.id !== entry.id;
  row.setAttribute('aria-rowindex', String(index + 2));
  row.classList.toggle('stale', stale);
  row.classList.toggle('selected', entry.id === selected);
  setText(written, stale ? `${age(ageMs)} · stale` : age(ageMs));
  if (row.shown === entry) return;
  row.shown = entry;
  if (other) showText(key, entry.key);
  showText(value.firstChild, entry.value);
  value.classList.toggle('number', entry.number !== null);
  written.title = entry.time;
  const {times, values} = history;
  showSparkline(graph.firstChild, times, values);
  if (!other && entry.changes > 0) flash(value.firstChild);
}

function showText(node, whole) {
  const text = whole.length > kRowChars ? `${whole.slice(0, kRowChars)}…` : whole;
  if (!needsSpans(text)) return setText(node, text);
  node.replaceChildren();
  appendAnsi(node, text);
}

function flash(node) {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  for (const running of node.getAnimations()) running.cancel();
  node.animate([{backgroundColor: 'var(--flash)'}, {backgroundColor: 'transparent'}], {duration: kFlashMs, easing: 'ease-out'});
}
