'use strict';

// The sections that need the data, the filters, and the address bar.
SP.app = {};

SP.app.categories = () => {
  SP.byId('categories').append(...SP.data.categories.map((c) => {
    const rate = c.total ? (100 * c.passed) / c.total : 0;
    const fill = SP.el('span', { class: 'fill' });
    fill.style.width = `${rate}%`;
    return SP.el('div', { class: rate < SP.data.target ? 'rate short' : 'rate' }, SP.el('span', {}, c.name),
      SP.el('span', { class: 'track', 'aria-hidden': 'true' }, fill, SP.el('span', { class: 'bar95' })),
      SP.el('span', { class: 'value num' }, `${rate < SP.data.target ? '✗ ' : ''}${c.passed}/${c.total} ${SP.percent(c.passed, c.total)}`));
  }));
};

SP.app.heat = () => {
  const heat = SP.byId('heat');
  const dense = SP.data.runs.length > 6;
  heat.classList.toggle('dense', dense);
  const seen = new Set();
  heat.append(...SP.data.categories.map((c) => {
    const scenarios = SP.data.scenarios.filter((s) => s.category === c.name);
    const stacks = scenarios.map((s) => {
      s.results.forEach((r) => seen.add(SP.status(r)));
      const label = `${s.id} ${s.title}: ${SP.green(s)} of ${s.results.length} runs green`;
      return SP.el('button', { type: 'button', class: SP.worst(s) === 'passed' ? 'stack' : 'stack bad', title: label, 'aria-label': label, onclick: () => SP.app.go(s) },
        s.results.map((r) => SP.cell(SP.status(r))), dense ? null : SP.el('small', { 'aria-hidden': 'true' }, s.id.replace(/^.*-/, '')));
    });
    return SP.el('div', { class: 'heat-group' }, SP.el('h3', {}, c.name, SP.el('small', {}, `${scenarios.length} scenario${scenarios.length === 1 ? '' : 's'}`)), SP.el('div', { class: 'stacks' }, stacks));
  }));
  SP.byId('legend').append(...Object.keys(SP.words).filter((w) => seen.has(w)).map((w) => SP.el('span', { class: 'item' }, SP.cell(w), SP.words[w])));
};

SP.app.go = (scenario) => { location.hash = `id=${encodeURIComponent(scenario.id)}&run=${SP.telling(scenario) + 1}`; };

SP.app.row = (s) => {
  const bad = s.results.find((r) => r && r.s !== 'passed');
  const strip = SP.el('span', { class: 'strip', role: 'img', 'aria-label': s.results.map((r, i) => `run ${i + 1} ${SP.words[SP.status(r)]}`).join(', ') }, s.results.map((r) => SP.cell(SP.status(r))));
  return SP.el('tr', { 'data-id': s.id }, SP.el('td', {}, strip), SP.el('td', {}, SP.el('a', { href: `#id=${encodeURIComponent(s.id)}` }, s.id)),
    SP.el('td', {}, s.title, bad ? SP.el('span', { class: 'why' }, SP.text(bad.c)) : null), SP.el('td', {}, s.category),
    SP.el('td', { class: 'num' }, `${SP.green(s)}/${s.results.length}`), SP.el('td', { class: 'num' }, SP.seconds(SP.slowest(s))));
};

SP.app.haystack = (s) => {
  const broken = new Set();
  const words = [s.id, s.title, s.category, s.file];
  for (const r of s.results) {
    if (!r) continue;
    words.push(SP.text(r.c), SP.words[r.s]);
    [...SP.text(r.p)].forEach((letter, i) => { if (letter === 'f') broken.add(`P${i + 1}`); });
  }
  return [...words, ...broken].join(' ').toLowerCase();
};

SP.app.list = () => {
  const all = SP.data.scenarios.map((s) => ({ s, text: SP.app.haystack(s), row: SP.app.row(s), statuses: new Set(s.results.map(SP.status)) }));
  const [text, category, status, order] = ['f-text', 'f-category', 'f-status', 'f-order'].map(SP.byId);
  category.append(...SP.data.categories.map((c) => SP.el('option', { value: c.name }, c.name)));
  const present = new Set(all.flatMap((a) => [...a.statuses]));
  status.append(...Object.keys(SP.words).filter((w) => present.has(w)).map((w) => SP.el('option', { value: w }, SP.words[w])));
  const orders = { catalogue: () => 0, failed: (a, b) => SP.green(a.s) - SP.green(b.s), slow: (a, b) => SP.slowest(b.s) - SP.slowest(a.s) };
  const apply = () => {
    const needles = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((a) => needles.every((n) => a.text.includes(n)) && (!category.value || a.s.category === category.value) && (!status.value || a.statuses.has(status.value)));
    SP.byId('rows').replaceChildren(...found.sort(orders[order.value]).map((a) => a.row));
    SP.byId('found').textContent = found.length === all.length ? `${all.length} scenarios` : `${found.length} of ${all.length} scenarios`;
  };
  SP.byId('filters').addEventListener('input', apply);
  SP.byId('filters').addEventListener('submit', (e) => e.preventDefault());
  apply();
};

SP.app.runs = () => {
  SP.byId('run-rows').append(...SP.data.runs.map((r, i) => SP.el('tr', {}, SP.el('th', { scope: 'row' }, `Run ${i + 1}`), SP.el('td', {}, SP.el('code', {}, r.seed)),
    SP.el('td', {}, `${r.procs} process${r.procs === 1 ? '' : 'es'}`), SP.el('td', {}, r.order), SP.el('td', {}, SP.seconds(r.duration)))));
  if (SP.data.trimmed) SP.byId('trimmed').textContent = 'To stay small, this page keeps the timelines of failures and of each scenario’s slowest green run.';
};

SP.app.follow = () => {
  const address = new URLSearchParams(location.hash.slice(1));
  const scenario = SP.data.scenarios.find((s) => s.id === address.get('id'));
  if (!scenario) { SP.detail.close(); return; }
  const asked = Number(address.get('run')) - 1;
  SP.detail.open(scenario, asked >= 0 && asked < scenario.results.length ? asked : SP.telling(scenario));
};

SP.app.events = () => {
  SP.byId('theme').addEventListener('click', () => SP.theme.set(SP.theme.isDark() ? 'light' : 'dark'));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', SP.theme.show);
  document.addEventListener('click', (e) => { const b = e.target.closest('[data-copy]'); if (b) SP.copy(b); });
  const dialog = SP.byId('detail');
  dialog.addEventListener('click', (e) => { if (e.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => { if (SP.detail.current) { SP.detail.current = null; history.replaceState(null, '', '#'); } });
  addEventListener('hashchange', SP.app.follow);
  let width = innerWidth;
  addEventListener('resize', () => { if (innerWidth !== width) { width = innerWidth; SP.charts.drawAll(); SP.app.follow(); } });
  // Paper is white whatever the screen is: redraw the canvases for it, then go back.
  let before;
  addEventListener('beforeprint', () => { before = document.documentElement.dataset.theme; document.documentElement.dataset.theme = 'light'; SP.charts.drawAll(); });
  addEventListener('afterprint', () => { if (before) document.documentElement.dataset.theme = before; else delete document.documentElement.dataset.theme; SP.charts.drawAll(); });
};

SP.app.categories();
SP.app.heat();
SP.app.list();
SP.app.runs();
SP.charts.runs();
SP.charts.trend();
SP.charts.bound();
SP.charts.latency();
SP.app.events();
SP.theme.show();
SP.app.follow();
