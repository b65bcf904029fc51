// Asks for a point in time.

import {element} from './dom.js';

const kAges = [['1m', '1 min'], ['5m', '5 min'], ['15m', '15 min'], ['1h', '1 h'], ['6h', '6 h'], ['1d', '1 day']];

/** Local time as the input wants it: 2026-11-21T10:00:00. */
function localText(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

/** Shows the dialog; calls `chosen(since)` with what the read API takes: an age, or RFC 3339. */
export function askForTime(chosen) {
  const input = element('input', {type: 'datetime-local', step: '1', value: localText(new Date(Date.now() - 300000)), autocomplete: 'off'});
  const dialog = element('dialog', {class: 'dialog', 'aria-label': 'Jump to time', close: () => dialog.remove()});
  const finish = (since) => {
    dialog.close();
    chosen(since);
  };
  const submit = (event) => {
    event.preventDefault();
    const date = new Date(input.value);
    if (!Number.isNaN(date.getTime())) finish(date.toISOString());
  };
  const ages = element('div', {class: 'chips'}, ...kAges.map(([age, label]) =>
      element('button', {type: 'button', click: () => finish(age)}, `${label} ago`)));
  dialog.append(element('form', {submit}, element('h2', {}, 'Jump to time'), ages,
      element('label', {class: 'field'}, element('span', {}, 'Your local time'), input),
      element('div', {class: 'dialog-actions'},
          element('button', {type: 'button', click: () => dialog.close()}, 'Cancel'),
          element('button', {type: 'submit', class: 'primary'}, 'Jump'))));
  document.body.append(dialog);
  dialog.showModal();
}
