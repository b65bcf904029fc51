// Numbers, sizes, ages and times for people. Numbers beyond 2^53 come as strings of digits.

const kExact = new Intl.NumberFormat('en-US');
const kUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** "12,345"; exact for numbers of any size. */
export function exact(value) {
  return kExact.format(typeof value === 'string' ? BigInt(value) : value);
}

/** "12.3k" */
export function short(value) {
  const number = Number(value);
  if (number < 10000) return kExact.format(Math.round(number * 10) / 10);
  const step = Math.min(Math.floor(Math.log10(number) / 3), 6);
  return trimmed(number / 1000 ** step) + ['', 'k', 'M', 'G', 'T', 'P', 'E'][step];
}

/** "1.2 MiB" */
export function bytes(value) {
  let number = Number(value);
  let unit = 0;
  while (number >= 1024 && unit + 1 < kUnits.length) {
    number /= 1024;
    ++unit;
  }
  return `${unit === 0 ? number : trimmed(number)} ${kUnits[unit]}`;
}

function trimmed(number) {
  return number >= 100 ? String(Math.round(number)) : String(Math.round(number * 10) / 10);
}

/** "0.4 s", "12 s", "3 min", "5 h", "3 d" */
export function age(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 1) return `${(Math.floor(seconds * 10) / 10).toFixed(1)} s`;
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

const kClock = new Intl.DateTimeFormat('en-GB', {hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false});
let lastSecond = '';
let lastClock = '';

/** "10:00:00.123" in the reader's time zone, of an RFC 3339 time. */
export function clock(time) {
  const second = time.slice(0, 19);
  if (second !== lastSecond) {  // lines of one second come together
    const date = new Date(time);
    lastClock = Number.isNaN(date.getTime()) ? '--:--:--' : kClock.format(date);
    lastSecond = second;
  }
  return `${lastClock}.${time.slice(20, 23).padEnd(3, '0').replace(/\D/g, '0')}`;
}

/** "3 min ago", of an RFC 3339 time. */
export function ago(time) {
  const ms = Date.now() - Date.parse(time);
  return ms < 1000 ? 'just now' : `${age(ms)} ago`;
}

/** "21 Nov 2026, 10:00:00 (3 min ago)" */
export function moment(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const day = date.toLocaleString('en-GB', {day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit'});
  return `${day} (${ago(time)})`;
}

/** "value_too_long" as "value too long". */
export function words(cause) {
  return cause.replaceAll('_', ' ');
}

export function plural(count, one, many = `${one}s`) {
  return `${exact(count)} ${Number(count) === 1 ? one : many}`;
}
