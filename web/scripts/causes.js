// Drops and evictions by cause, as chips.

import {element} from './dom.js';
import {exact, short, words} from './format.js';

const kMeanings = {
  stopped: 'the service was stopped', bad_command: 'the command was unknown or malformed',
  unknown_directory: 'no such directory in the hub’s list', too_many_directories: 'the pattern’s directories are used up',
  key_too_long: 'longer than max_key_bytes', value_too_long: 'longer than max_value_bytes',
  record_too_large: 'too large to be kept at all', too_many_keys: 'max_keys reached', too_many_events: 'max_events_per_key is 0',
  no_memory: 'the segment was full',
  keys: 'a new key took the place of the least recently written one', events_per_key: 'the key’s oldest, over max_events_per_key',
  bytes_per_key: 'the key’s oldest, over max_bytes_per_key', total_bytes: 'the directory’s oldest, over max_total_bytes',
  memory: 'the segment was full: the oldest went', age: 'older than max_age', quota_lowered: 'a quota was lowered',
  directory_removed: 'the directory was removed', unset: 'removed by UNSET',
};

export function sum(counts) {
  return Object.values(counts ?? {}).reduce((total, count) => total + Number(count), 0);
}

/** Chips of all causes that are not 0. `kind`: 'dropped' or 'evicted'. */
export function causeChips(kind, counts) {
  const causes = Object.entries(counts ?? {}).filter(([, count]) => Number(count) > 0);
  return causes.map(([cause, count]) =>
      element('span', {class: `chip chip-${kind}`, title: `${exact(count)} ${kind}: ${kMeanings[cause] ?? words(cause)}`},
              words(cause), ' ', element('b', {}, short(count))));
}
