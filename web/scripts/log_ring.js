// The lines that a log view holds: the newest ones, bounded in number and in characters, with the marks
// between them. What left it, or never came to be seen, is counted: shown + dropped = received.

export const kMaxLines = 5_000;
const kMaxChars = 8 << 20;  // of all lines together
const kMaxLineChars = 32 << 10;  // of one line; the rest is cut off, and said

export class LogRing {
  #items = [];
  #first = 0;  // index of the oldest one in #items
  #chars = 0;
  #lines = 0;
  received = 0;

  /** Lines that can be scrolled to. */
  get shown() {
    return this.#lines;
  }

  /** Lines that were received and are no longer there: dropped for display, still with the host. */
  get dropped() {
    return this.received - this.#lines;
  }

  get length() {
    return this.#items.length - this.#first;
  }

  at(index) {
    return this.#items[this.#first + index];
  }

  /** {mark: false, seq, time, key, line, cut}: `cut` characters are not kept. */
  addLine(record) {
    const cut = Math.max(0, record.line.length - kMaxLineChars);
    const line = cut > 0 ? record.line.slice(0, kMaxLineChars) : record.line;
    this.received += 1;
    this.#lines += 1;
    this.#chars += line.length + record.key.length;
    this.#items.push({mark: false, seq: record.seq, time: record.time, key: record.key, key_b64: record.key_b64, line, cut});
    this.#trim();
  }

  /** {mark: true, kind, text}, beside the lines. */
  addMark(kind, text) {
    this.#items.push({mark: true, kind, text, time: new Date().toISOString()});
    this.#trim();
  }

  /** What is there now, as an array of its own. */
  snapshot() {
    return this.#items.slice(this.#first);
  }

  #trim() {
    while (this.length > kMaxLines || (this.#chars > kMaxChars && this.length > 1)) {
      const oldest = this.#items[this.#first];
      this.#items[this.#first++] = undefined;
      if (oldest.mark) continue;
      this.#lines -= 1;
      this.#chars -= oldest.line.length + oldest.key.length;
    }
    if (this.#first >= kMaxLines) {  // moved together now and then, not for every line
      this.#items.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
