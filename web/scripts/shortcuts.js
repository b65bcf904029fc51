// The keyboard: one letter each, while no field is being typed into; `?` lists them.

import {element} from './dom.js';

const kRows = [
  ['?', 'this help'], ['o', 'overview'], ['[  ]', 'directory before, after'], ['/', 'filter'], ['c', 'choose a key (log)'],
  ['f  Space', 'pause, follow (log); search (servers)'], ['t', 'jump to time (log)'], ['j  k  ↑  ↓', 'next, previous line'],
  ['g  G', 'first line; last line, follow'], ['Enter', 'the whole line'], ['Esc', 'leave a field; close; clear the filter'],
  ['s', 'all servers (hub)'], ['d', 'dark, light, as the system'],
];

export function showHelp() {
  if (document.querySelector('dialog[open]')) return;
  const dialog = element('dialog', {class: 'dialog', 'aria-label': 'Keyboard', close: () => dialog.remove()});
  const table = element('dl', {class: 'keys'});
  for (const [keys, does] of kRows) {
    const names = keys.split('  ').map((key) => element('kbd', {}, key));
    table.append(element('dt', {}, ...names), element('dd', {}, does));
  }
  dialog.append(element('h2', {}, 'Keyboard'), table,
      element('div', {class: 'dialog-actions'}, element('button', {type: 'button', class: 'primary', click: () => dialog.close()}, 'Close')));
  document.body.append(dialog);
  dialog.showModal();
}

function typing(target) {
  return target.closest?.('input, select, textarea, [contenteditable]') !== null;
}

/** `actions`: key → function; the function named `list` gets all others and says whether it took them. */
export function listenForKeys(actions) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape') {
      event.preventDefault();  // browsers empty a search field, without a word in time
      return typing(event.target) ? event.target.blur() : actions.Escape?.();
    }
    if (typing(event.target)) return;
    const onControl = event.target.closest?.('button, a') !== null;
    if (onControl && (event.key === 'Enter' || event.key === ' ')) return;
    const action = event.key === '?' ? showHelp : actions[event.key];
    if (action) action();
    else if (!actions.list?.(event.key)) return;
    event.preventDefault();
  });
}
