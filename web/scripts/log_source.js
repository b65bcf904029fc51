// What a log view shows, as it comes: one stream into one ring, with marks where something is missing.

import {apiUrl, getLines, keyParameters} from './api.js';
import {age, clock, plural} from './format.js';
import {LiveStream} from './live_stream.js';
import {LogRing} from './log_ring.js';

const kGapReasons = {
  replaced: 'the host began with empty memory',
  key_restarted: 'the key was evicted whole in between',
};

/** {missed: 12} in words. */
export function gapText(gap) {
  const reason = kGapReasons[gap.reason] ?? gap.reason;
  if (gap.missed === null) return `an unknown number of lines missed: ${reason}`;
  return `${plural(gap.missed, 'line')} missed${reason ? `: ${reason}` : ''}`;
}

export class LogSource {
  ring = new LogRing();
  missed = 0;  // by gaps that say how many
  state = 'connecting';
  stateDetail = {};
  #directory;
  #query;
  #stream = null;
  #lostAt = null;
  #changed;

  /**
   * `query`: {key: {key, key_b64?} or null, grep, last}. `changed()` is called whenever the ring or the
   * state is another.
   */
  constructor(directory, query, changed) {
    this.#directory = directory;
    this.#query = query;
    this.#changed = changed;
  }

  start() {
    this.#stream = new LiveStream((cursor) => this.#url('tail', {last: this.#query.last, after: cursor}), {
      onEvents: (events) => this.#take(events),
      onState: (state, detail) => this.#setState(state, detail),
    });
  }

  stop() {
    this.#stream?.stop();
    this.#stream = null;
  }

  nudge() {
    this.#stream?.nudge();
  }

  /** Fills the ring with lines of a time instead: {since} or {until, last}. Throws Problem. */
  async fetchPast(parameters, limit, signal) {
    const {lines, more} = await getLines(this.#url('logs', parameters), limit, signal);
    for (const line of lines) this.ring.addLine(line);
    this.state = 'past';
    this.#changed();
    return more;
  }

  markDrops(text) {
    this.ring.addMark('drop', text);
    this.#changed();
  }

  #url(what, parameters) {
    const filter = {...keyParameters(this.#query.key), grep: this.#query.grep || undefined};
    return apiUrl([what, this.#directory], {...parameters, ...filter});
  }

  #take(events) {
    for (const event of events) {
      if (event.type === 'record') this.#takeRecord(event);
      else if (event.type === 'gap') this.#takeGap(event.data);
    }
    this.#changed();
  }

  #takeRecord(event) {
    if (event.data !== null) return this.ring.addLine(event.data);
    // Too long for a page: what its head says, without the line.
    const seq = Number(/^\{"seq":(\d+)/.exec(event.text)?.[1] ?? 0);
    const time = /"time":"([0-9TZ:.-]+)"/.exec(event.text)?.[1] ?? '';
    this.ring.addLine({seq, time, key: '…', line: `[a line of about ${plural(event.huge, 'character')}: read it with curl]`});
  }

  #takeGap(gap) {
    if (gap.missed !== null) this.missed += gap.missed;
    this.ring.addMark('gap', gapText(gap));
  }

  #setState(state, detail) {
    const now = Date.now();
    if (state === 'waiting' && this.state === 'live') {
      this.#lostAt = now;
      this.ring.addMark('lost', `connection lost at ${clock(new Date(now).toISOString())}`);
    }
    if (state === 'live' && this.#lostAt !== null) {
      this.ring.addMark('back', `connected again after ${age(now - this.#lostAt)}`);
      this.#lostAt = null;
    }
    this.state = state;
    this.stateDetail = detail;
    this.#changed();
  }
}
