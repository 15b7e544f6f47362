'use strict';

// SP holds everything: the data, and the small helpers that the other files use.
const SP = { data: JSON.parse(document.getElementById('data').textContent) };

SP.symbols = { passed: '✓', failed: '✗', inconclusive: '?', environment: 'E', harness_error: 'H', skipped: '–', missing: '–' };
SP.words = {
  passed: 'passed', failed: 'failed', inconclusive: 'inconclusive', environment: 'environment never came up',
  harness_error: 'harness error', skipped: 'skipped', missing: 'did not run',
};
SP.promises = [
  'Nothing acknowledged is lost', 'One incident, one RemediationRequest', 'Storms are bounded', 'No orphans', 'Counters are true',
  'Not acked means said so', 'Isolation', 'Order does not matter', 'Nothing secret leaks',
];

// el makes an element. Text is always set as text, never as markup.
SP.el = (tag, attributes, ...children) => SP.fill(document.createElement(tag), attributes, children);
SP.svg = (tag, attributes, ...children) => SP.fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
SP.fill = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined));
  return node;
};
SP.byId = (id) => document.getElementById(id);
SP.text = (index) => (index < 0 ? '' : SP.data.strings[index]);

SP.percent = (part, whole) => {
  if (!whole) return 'none ran';
  const tenths = Math.floor((part * 1000) / whole); // cut, so that only all is 100 %
  return `${tenths % 10 ? (tenths / 10).toFixed(1) : tenths / 10} %`;
};
SP.seconds = (s) => {
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 60) return `${s.toFixed(1)} s`;
  const r = Math.round(s);
  return r < 3600 ? `${Math.floor(r / 60)} min ${String(r % 60).padStart(2, '0')} s` : `${Math.floor(r / 3600)} h ${String(Math.floor((r % 3600) / 60)).padStart(2, '0')} min`;
};

SP.cell = (status) => SP.el('span', { class: `cell s-${status}`, 'aria-hidden': 'true' }, SP.symbols[status]);
SP.status = (result) => (result ? result.s : 'missing');
SP.green = (scenario) => scenario.results.filter((r) => r && r.s === 'passed').length;
SP.slowest = (scenario) => Math.max(0, ...scenario.results.map((r) => (r ? r.d : 0)));

// worst is the status that stands for a scenario over all its runs.
SP.worst = (scenario) => {
  const order = ['environment', 'harness_error', 'failed', 'missing', 'skipped', 'inconclusive', 'passed'];
  const seen = scenario.results.map(SP.status);
  return order.find((s) => seen.includes(s));
};
// telling is the run worth opening first: the first that is not green, else the one whose
// timeline was kept.
SP.telling = (scenario) => {
  const bad = scenario.results.findIndex((r) => SP.status(r) !== 'passed');
  return bad >= 0 ? bad : Math.max(0, scenario.results.findIndex((r) => r.st));
};
SP.replay = (result, run) => SP.text(result.r).replaceAll('{seed}', SP.data.runs[run].seed);

// color resolves a custom property to a colour that a canvas understands.
SP.color = (name) => {
  const probe = SP.el('span');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
};

SP.copyBox = (command) => SP.el('div', { class: 'copy' }, SP.el('code', {}, command), SP.el('button', { type: 'button', class: 'quiet', 'data-copy': command }, 'Copy'));

// copy falls back to selecting the text where the browser gives no clipboard.
SP.copy = async (button) => {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren(button.previousElementSibling);
    button.textContent = 'Selected';
  }
  setTimeout(() => { button.textContent = 'Copy'; }, 1600);
};

SP.theme = {
  stored() { try { return localStorage.getItem('stormproof-theme'); } catch { return null; } },
  isDark() {
    const set = document.documentElement.dataset.theme;
    return set ? set === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  },
  set(name) {
    document.documentElement.dataset.theme = name;
    try { localStorage.setItem('stormproof-theme', name); } catch { /* a page without storage forgets, that is all */ }
    SP.theme.show();
  },
  show() {
    const dark = SP.theme.isDark();
    SP.byId('theme').textContent = dark ? 'Light' : 'Dark';
    SP.byId('theme').setAttribute('aria-label', `Switch to the ${dark ? 'light' : 'dark'} theme`);
    SP.byId('theme').setAttribute('aria-pressed', String(dark));
    if (SP.charts) SP.charts.drawAll();
  },
};
if (SP.theme.stored()) document.documentElement.dataset.theme = SP.theme.stored();
