// Dark, light, or as the system says.

const kOrder = ['auto', 'dark', 'light'];
const kSigns = {auto: '◐', dark: '●', light: '○'};
const root = document.documentElement;

function chosenTheme() {
  return root.dataset.theme ?? 'auto';
}

function applyTheme(theme) {
  if (theme === 'auto') delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (theme === 'auto') localStorage.removeItem('mayfly-theme');
    else localStorage.setItem('mayfly-theme', theme);
  } catch {
    // Then it holds until the page is left.
  }
  announce();
}

function announce() {
  document.dispatchEvent(new CustomEvent('mayfly-theme'));
}

export function nextTheme() {
  applyTheme(kOrder[(kOrder.indexOf(chosenTheme()) + 1) % kOrder.length]);
}

/** Makes `button` the switch. Charts listen for the event `mayfly-theme` on the document. */
export function setUpTheme(button) {
  const show = () => {
    button.textContent = kSigns[chosenTheme()];
    button.title = `Theme: ${chosenTheme()}`;
    button.setAttribute('aria-label', `Theme: ${chosenTheme()}. Change`);
  };
  button.addEventListener('click', nextTheme);
  document.addEventListener('mayfly-theme', show);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', announce);
  show();
}

/** A colour of the theme as it is in force now, for what is painted and not styled. */
export function themeColor(name) {
  const probe = document.createElement('span');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}
