// The read API, relative to the page: the same page works at a host, behind the hub's
// /frontend/servers/{name}/, and behind a relay that drops query strings (parameters ride in the path).

export const place = document.documentElement.dataset.place;  // 'host', 'hub' or 'servers'

/** What the server refused, or why it was not reached (status 0). */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

const kNoAnswer = 'no connection';

/** ['logs', 'demo'], {last: 5} → URL of api/v1/logs/demo;last=5. Undefined parameters are left out. */
export function apiUrl(segments, parameters = {}, base = document.baseURI) {
  let path = `api/v1/${segments.map(encodeURIComponent).join('/')}`;
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null) path += `;${name}=${encodeURIComponent(value)}`;
  }
  return new URL(path, base);
}

/** Parameters that name a key, whatever its bytes. */
export function keyParameters(record) {
  if (!record) return {};
  return record.key_b64 === undefined ? {key: record.key} : {key_b64: record.key_b64};
}

async function problemOf(response) {
  let body = {};
  try {
    body = JSON.parse((await response.text()).slice(0, 65536));
  } catch {
    // Not ours: a relay or a proxy in between. Its status says enough.
  }
  const detail = typeof body.detail === 'string' ? body.detail : `HTTP ${response.status} ${response.statusText}`;
  return new Problem(response.status, typeof body.code === 'string' ? body.code : '', detail);
}

/** A response of status 200, else throws Problem (or what `signal` says). */
export async function request(url, {signal, accept = 'application/json'} = {}) {
  let response;
  try {
    response = await fetch(url, {signal, headers: {Accept: accept}, cache: 'no-store', redirect: 'manual'});
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, 'unreachable', kNoAnswer);
  }
  const ended = response.status === 401 || response.type === 'opaqueredirect';
  if (ended && place !== 'host') location.assign('/login');  // of the session
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** An object whose integers beyond 2^53 are strings. For answers without free text: see directories(). */
function parseExact(text) {
  return JSON.parse(text.replace(/:(\d{16,})(?=[,}\]])/g, ':"$1"'));
}

const kTimeoutMs = 20_000;

async function getText(url, signal) {
  const limit = AbortSignal.timeout(kTimeoutMs);
  try {
    return await (await request(url, {signal: signal ? AbortSignal.any([signal, limit]) : limit})).text();
  } catch (error) {
    if (error.name === 'TimeoutError') throw new Problem(0, 'timeout', 'no answer');
    if (error instanceof Problem || signal?.aborted) throw error;
    throw new Problem(0, 'unreachable', kNoAnswer);  // broken off in the middle
  }
}

/** GET /api/v1/directories. Its strings are names and times, which hold no `:digits,`. */
export async function directories(signal, base) {
  return parseExact(await getText(apiUrl(['directories'], {}, base), signal));
}

export async function getJson(url, signal) {
  return JSON.parse(await getText(url, signal));
}

/** One object per line. Reads at most `limit` of them, then hangs up. */
export async function getLines(url, limit, signal) {
  const response = await request(url, {signal, accept: 'application/x-ndjson'});
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const lines = [];
  let rest = '';
  while (lines.length < limit) {
    const {done, value} = await reader.read();
    if (done) return {lines, more: false};
    const parts = (rest + value).split('\n');
    rest = parts.pop();
    for (const part of parts) lines.push(JSON.parse(part));
  }
  await reader.cancel();
  return {lines: lines.slice(0, limit), more: true};
}
