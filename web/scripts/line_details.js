// Everything about one line, in full: what a row has no room for.

import {appendAnsi} from './ansi.js';
import {element, fact} from './dom.js';
import {exact, moment, plural} from './format.js';

/** Fills `pane` with `item`. `actions`: {onlyKey(item), since(item), close()}. */
export function showLineDetails(pane, item, actions) {
  const text = element('pre', {class: 'details-text', tabindex: '0', 'aria-label': 'the whole line'});
  appendAnsi(text, item.mark ? item.text : item.line);
  const facts = element('dl', {class: 'facts'});
  if (!item.mark) {
    const key = element('span', {class: 'mono'});
    appendAnsi(key, item.key);
    facts.append(fact('Key', key), fact('Number', exact(item.seq)));
  }
  facts.append(fact('Time', element('time', {datetime: item.time, title: item.time}, moment(item.time))));
  if (item.cut > 0) facts.append(fact('Not kept here', plural(item.cut, 'more character')));
  const buttons = element('div', {class: 'details-actions'});
  if (!item.mark) {
    buttons.append(element('button', {type: 'button', click: () => actions.onlyKey(item)}, 'Only this key'),
                   element('button', {type: 'button', click: () => actions.since(item)}, 'From here on'),
                   element('button', {type: 'button', click: () => navigator.clipboard?.writeText(item.line)}, 'Copy'));
  }
  buttons.append(element('button', {type: 'button', class: 'close', 'aria-label': 'Close details', click: actions.close}, '✕'));
  pane.replaceChildren(element('div', {class: 'details-head'}, facts, buttons), text);
  pane.hidden = false;
}
