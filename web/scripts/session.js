// Who is logged in, where the hub asks people to.

import {getJson} from './api.js';
import {byId, element} from './dom.js';

/** Shows the name and a way out. Says nothing where nobody has to log in. */
export async function showSession() {
  let session;
  try {
    session = await getJson(new URL('/frontend/session', document.baseURI));
  } catch {
    return;
  }
  byId('session').replaceChildren(element('span', {class: 'muted'}, session.user),
      element('form', {method: 'post', action: '/logout'}, element('input', {type: 'hidden', name: 'csrf', value: session.csrf}),
              element('button', {type: 'submit'}, 'Log out')));
}
