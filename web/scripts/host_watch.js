// Whether the hub has the host of this page connected.

import {getJson} from './api.js';

const kPollMs = 5_000;

export class HostWatch {
  #name;
  #changed;
  #wasConnected = null;

  /** `changed(host, isBack)`: after each answer; `isBack`: it was away at the one before. */
  constructor(changed) {
    this.#changed = changed;
    // /frontend/servers/{name}/
    this.#name = decodeURIComponent(new URL(document.baseURI).pathname.split('/').at(-2));
  }

  async start() {
    try {
      const {servers} = await getJson(new URL(`/api/v1/servers?name=${encodeURIComponent(this.#name)}`, document.baseURI));
      const host = servers.find((server) => server.name === this.#name);
      if (host) this.#take(host);
    } catch {
      // The views say that nothing answers.
    }
    setTimeout(() => this.start(), kPollMs);
  }

  #take(host) {
    this.#changed(host, host.connected && this.#wasConnected === false);
    this.#wasConnected = host.connected;
  }
}
