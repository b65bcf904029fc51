// The keys and values of one status directory, kept true by a stream and, for what was removed, by the
// whole list now and then; and the history of numbers, which the host does not keep.

import {apiUrl, getJson} from './api.js';
import {LiveStream} from './live_stream.js';

const kListMs = 15_000;      // removed keys are noticed so often
const kMaxKeys = 20_000;     // in the table
const kMaxHistories = 2_000; // of keys, those that changed last
const kHistoryPoints = 120;
const kMaxValueChars = 32 << 10;  // of one value; the rest is cut off, and said

/** The number that a value is, or null; what the scrape takes as a number too. */
export function numberOf(value) {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) && Number.isFinite(Number(value)) ? Number(value) : null;
}

export class StatusStore {
  entries = new Map();  // identity → what #put() makes of a record
  leftOut = 0;          // keys beyond kMaxKeys
  state = 'connecting';
  stateDetail = {};
  #directory;
  #histories = new Map();  // identity → {times, values}, least recently changed first
  #changed;
  #stream;
  #timer = 0;
  #stop = new AbortController();

  /** `changed(ids)`: these entries are new or others; null: any may be. */
  constructor(directory, changed) {
    this.#directory = directory;
    this.#changed = changed;
    // The stream comes first: nothing is lost between the list and it.
    this.#stream = new LiveStream((cursor) => apiUrl(['watch', directory], {after: cursor}), {
      onEvents: (events) => this.#take(events),
      onState: (state, detail) => this.#setState(state, detail),
    });
  }

  stop() {
    this.#stream.stop();
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  nudge() {
    this.#stream.nudge();
  }

  history(id) {
    return this.#histories.get(id) ?? {times: [], values: []};
  }

  #setState(state, detail) {
    const wasLive = this.state === 'live';
    this.state = state;
    this.stateDetail = detail;
    if (state === 'live' && !wasLive) this.#readList();
    this.#changed([]);
  }

  async #readList() {
    clearTimeout(this.#timer);
    const asked = performance.now();
    try {
      const list = await getJson(apiUrl(['status', this.#directory]), this.#stop.signal);
      this.#takeList(list.keys, asked);
    } catch {
      // The stream's state says what is wrong; the next list comes by itself.
    }
    if (!this.#stop.signal.aborted) this.#timer = setTimeout(() => this.#readList(), kListMs);
  }

  #takeList(records, asked) {
    const listed = new Set();
    this.leftOut = Math.max(0, records.length - kMaxKeys);
    for (const record of records.slice(0, kMaxKeys)) listed.add(this.#put(record));
    for (const [id, entry] of this.entries) {
      // What came after the list was asked for may be missing in it.
      if (!listed.has(id) && entry.receivedAt < asked) this.#remove(id);
    }
    this.#changed(null);
  }

  #remove(id) {
    this.entries.delete(id);
    this.#histories.delete(id);
  }

  #take(events) {
    const ids = [];
    for (const event of events) {
      if (event.type === 'record' && event.data !== null) ids.push(this.#put(event.data));
      else if (event.type === 'gap') this.#takeGap(event.data);
    }
    this.#changed(ids.filter((id) => id !== null));
  }

  #takeGap(gap) {
    if (gap.missed === null) {  // another memory, whose numbers begin anew
      this.entries.clear();
      this.#histories.clear();
    }
    this.#readList();
  }

  /** Takes a record that is newer than what is there. Returns its identity; null: no room. */
  #put(record) {
    const id = record.key_b64 === undefined ? `t${record.key}` : `b${record.key_b64}`;
    const before = this.entries.get(id);
    if (before && before.seq >= record.seq) return id;
    if (!before && this.entries.size >= kMaxKeys) return null;
    const number = numberOf(record.value);
    const receivedAt = performance.now();
    this.entries.set(id, {
      id, key: record.key, value: record.value.slice(0, kMaxValueChars), seq: record.seq, time: record.time, number,
      writtenAt: receivedAt - record.age_ms, receivedAt, changes: before ? before.changes + 1 : 0,
      cut: Math.max(0, record.value.length - kMaxValueChars),
    });
    if (number !== null) this.#remember(id, record.time, number);
    return id;
  }

  #remember(id, time, value) {
    const history = this.history(id);
    this.#histories.delete(id);  // to the end of the order
    this.#histories.set(id, history);
    history.times.push(Date.parse(time));
    history.values.push(value);
    if (history.values.length > kHistoryPoints) {
      history.times.shift();
      history.values.shift();
    }
    if (this.#histories.size > kMaxHistories) this.#histories.delete(this.#histories.keys().next().value);
  }
}
