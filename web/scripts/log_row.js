// One line of the log, or a mark between lines, as a row of a virtual list.

import {appendAnsi, needsSpans} from './ansi.js';
import {element, setText} from './dom.js';
import {clock} from './format.js';

const kRowChars = 1_000;  // of a line that are laid out in a row; details show the rest
const kKeyHues = 8;

/** The same key has the same hue everywhere. */
export function keyHue(key) {
  let hash = 0;
  for (let i = 0; i < Math.min(key.length, 64); ++i) hash = (hash * 31 + key.charCodeAt(i)) >>> 0;
  return hash % kKeyHues;
}

export function makeLogRow() {
  const row = element('div', {class: 'row', role: 'option'}, element('span', {class: 'time'}),
                      element('span', {class: 'key'}), element('span', {class: 'text'}));
  row.shown = null;  // the item that it shows
  return row;
}

/** Fills a row; cheap where it shows that item already. */
export function showLogRow(row, item, index, selected) {
  row.index = index;
  const isSelected = index === selected;
  if ((row.getAttribute('aria-selected') === 'true') !== isSelected) row.setAttribute('aria-selected', String(isSelected));
  if (row.shown === item) return;
  row.shown = item;
  const [time, key, text] = row.children;
  setText(time, clock(item.time));
  time.title = item.time;
  if (item.mark) {
    row.className = `row mark mark-${item.kind}`;
    setText(key, '');
    setText(text, item.text);
    return;
  }
  row.className = `row${item.line === '' ? ' blank' : ''}`;
  showText(key, item.key, 120);
  key.className = `key hue-${keyHue(item.key)}`;
  showText(text, item.line, kRowChars);
}

function showText(node, whole, limit) {
  const text = whole.length > limit ? `${whole.slice(0, limit)}…` : whole;
  if (!needsSpans(text)) return setText(node, text);
  node.replaceChildren();
  appendAnsi(node, text);
}
