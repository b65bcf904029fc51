// Server-sent events out of a byte stream, as they come.

const kMaxLine = 1 << 20;   // characters of one line that are kept while it is incomplete
const kHeadOfHuge = 4096;   // of a longer one

/**
 * Takes pieces of text, hands out events {type, data, id, huge}. Memory is bounded whatever comes: of a
 * line over kMaxLine only the head is kept, and `huge` says how many characters there were.
 */
export class EventParser {
  #rest = '';
  #skipped = 0;
  #event = newEvent();

  /** The events that `text` completes. */
  push(text) {
    const events = [];
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#endLine(text.slice(start, end), events);
      start = end + 1;
    }
    this.#keep(text.slice(start));
    return events;
  }

  #keep(text) {
    if (this.#skipped > 0) {
      this.#skipped += text.length;
      return;
    }
    this.#rest += text;
    if (this.#rest.length > kMaxLine) {
      this.#skipped = this.#rest.length;
      this.#rest = this.#rest.slice(0, kHeadOfHuge);
    }
  }

  #endLine(text, events) {
    let line = text;
    if (this.#skipped > 0) {
      this.#event.huge = this.#skipped + text.length;
      line = this.#rest;
    } else if (this.#rest !== '') {
      line = this.#rest + text;
    }
    this.#rest = '';
    this.#skipped = 0;
    if (line.endsWith('\r')) line = line.slice(0, -1);
    if (line === '') return this.#endEvent(events);
    this.#field(line);
  }

  #endEvent(events) {
    if (this.#event.data !== null) events.push(this.#event);
    this.#event = newEvent();
  }

  #field(line) {
    if (line.startsWith('data: ')) {
      const data = line.slice(6);
      this.#event.data = this.#event.data === null ? data : `${this.#event.data}\n${data}`;
    } else if (line.startsWith('event: ')) {
      this.#event.type = line.slice(7);
    } else if (line.startsWith('id: ')) {
      this.#event.id = line.slice(4);
    }
    // Comments keep the connection alive; `retry` is our own business (live_stream.js).
  }
}

function newEvent() {
  return {type: 'message', data: null, id: null, huge: 0};
}
