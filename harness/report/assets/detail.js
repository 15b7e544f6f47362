'use strict';

// The panel of one scenario. The address names it (#id=STO-03&run=2), so that it can be
// linked to and the browser's back button closes it.
SP.detail = { current: null };

SP.detail.open = (scenario, run) => {
  const dialog = SP.byId('detail');
  SP.detail.current = scenario.id;
  if (!dialog.open) dialog.showModal();
  SP.detail.render(scenario, run);
  dialog.scrollTop = 0;
};

SP.detail.close = () => {
  SP.detail.current = null;
  if (SP.byId('detail').open) SP.byId('detail').close();
};

SP.detail.render = (scenario, run) => {
  const result = scenario.results[run];
  const status = SP.status(result);
  const head = SP.el('div', { class: 'd-head' },
    SP.el('div', {}, SP.el('span', { class: `badge s-${status}` }, `${SP.symbols[status]} ${SP.words[status]}`),
      SP.el('h2', { id: 'd-title' }, `${scenario.id} ${scenario.title}`)),
    SP.el('button', { type: 'button', class: 'quiet', id: 'd-close', onclick: () => SP.byId('detail').close() }, 'Close'));
  head.firstChild.style.flex = '1';
  const tabs = SP.el('div', { class: 'tabs', role: 'group', 'aria-label': 'Runs' }, scenario.results.map((r, i) => SP.el('button', {
    type: 'button', class: `s-${SP.status(r)}`, 'aria-pressed': String(i === run), onclick: () => { location.replace(`#id=${encodeURIComponent(scenario.id)}&run=${i + 1}`); },
  }, SP.el('b', {}, SP.symbols[SP.status(r)]), ` run ${i + 1}`)));
  const body = SP.byId('d-body');
  body.replaceChildren(head, tabs, ...(result ? SP.detail.parts(scenario, result, run) : [SP.el('p', {}, 'This scenario did not run in this run.')]));
};

SP.detail.parts = (scenario, result, run) => {
  const info = SP.data.runs[run];
  const fact = (name, value) => SP.el('span', {}, `${name} `, SP.el('b', {}, value));
  const parts = [SP.el('p', { class: 'facts' }, fact('category', scenario.category), fact('took', SP.seconds(result.d)), fact('seed', info.seed), fact('file', scenario.file))];
  const add = (title, ...nodes) => parts.push(SP.el('h3', {}, title), ...nodes);
  if (SP.text(result.c)) parts.push(SP.el('p', { class: `first s-${result.s}` }, SP.text(result.c)));
  add('Timeline', SP.timeline(result, SP.detail.width()) || SP.el('p', { class: 'muted' }, 'The page keeps timelines of failures and of the slowest green run; this one is in report.json.'));
  if (result.l && result.l.length) add('Load', ...result.l.map((l) => SP.load(l, SP.detail.width())));
  add('Promises', SP.detail.chips(SP.text(result.p)));
  if (result.f && result.f.length) add('Faults', SP.detail.faults(result.f));
  if (SP.text(result.t)) add('In full', SP.detail.page(SP.text(result.t)));
  if (result.x && result.x.length) add('Left behind', SP.el('ul', {}, result.x.map((r) => SP.el('li', {}, r))));
  if (SP.replay(result, run)) add('Run it again', SP.copyBox(SP.replay(result, run)));
  if (result.a && result.a.length) add('Evidence kept', SP.el('ul', {}, result.a.map((path) => SP.el('li', {}, SP.detail.link(path)))));
  return parts;
};

// page shows the failure's text; lines of the diff carry colour besides their sign.
SP.detail.page = (text) => SP.el('pre', {}, text.split('\n').flatMap((line) => {
  const kind = line[0] === '-' ? 'diff-want' : line[0] === '+' ? 'diff-got' : '';
  return kind ? [SP.el('span', { class: kind }, line), '\n'] : [`${line}\n`];
}));

SP.detail.width = () => Math.max(280, SP.byId('d-body').clientWidth - (innerWidth <= 620 ? 32 : 48));

// link only ever points below the report's own folder.
SP.detail.link = (path) => (/^[\w][\w./-]*$/.test(path) && !path.includes('..') ? SP.el('a', { href: path }, path) : SP.el('code', {}, path));

SP.detail.chips = (letters) => {
  const kinds = { p: ['passed', '✓', 'kept'], f: ['failed', '✗', 'broken'], i: ['inconclusive', '?', 'inconclusive'], n: ['skipped', '–', 'not judged'] };
  return SP.el('ul', { class: 'chips' }, SP.promises.map((text, i) => {
    const [status, symbol, word] = kinds[letters[i] || 'n'];
    const shown = status === 'passed' || status === 'skipped' ? '' : ` ${text}: ${word}`;
    return SP.el('li', { class: `s-${status}`, title: `${text}: ${word}`, 'aria-label': `P${i + 1} ${text}: ${word}` }, SP.el('b', {}, symbol), `P${i + 1}${shown}`);
  }));
};

SP.detail.faults = (faults) => {
  const receipt = (f) => (f.applied === 0 || (f.planned > 0 && f.applied < f.planned) ? SP.el('span', { class: 'badge s-inconclusive' }, '? not as planned') : SP.el('span', { class: 'badge s-passed' }, '✓ applied'));
  return SP.el('div', { class: 'scroll' }, SP.el('table', { class: 'd-table' },
    SP.el('thead', {}, SP.el('tr', {}, ['Fault', 'Target', 'Kind', 'Planned', 'Matched', 'Applied', ''].map((h) => SP.el('th', { scope: 'col' }, h)))),
    SP.el('tbody', {}, faults.map((f) => SP.el('tr', {}, SP.el('th', { scope: 'row' }, f.id), [f.target, f.kind, f.planned, f.matched, f.applied].map((v) => SP.el('td', {}, String(v))), SP.el('td', {}, receipt(f)))))));
};
