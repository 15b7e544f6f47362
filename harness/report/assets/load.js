'use strict';

// load draws one load step: what was aimed at and reached, how many requests went wrong and
// how, a bar for each range of latencies, and the percentiles.
SP.load = (load, width) => {
  const rate = (perSecond) => `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)}/s`;
  const fact = (name, value, wrong) => SP.el('span', { class: wrong ? 'wrong' : null }, `${wrong ? '✗ ' : ''}${name} `, SP.el('b', {}, value));
  const facts = [fact('sent', `${load.sent} of ${load.planned}`), fact('aimed', load.aimed ? rate(load.aimed) : 'as fast as answered')];
  if (load.reached) facts.push(fact('reached', rate(load.reached)));
  facts.push(fact('late', String(load.late)), fact('dropped', String(load.dropped), load.dropped > 0), fact('not acknowledged', String(load.unacked), load.unacked > 0));
  const names = ['p50', 'p90', 'p99', 'p99.9', 'slowest'];
  return SP.el('div', { class: 'load' },
    SP.el('p', { class: 'facts' }, SP.el('b', {}, load.id), facts),
    load.counts.length ? SP.loadBars(load, width) : null,
    SP.el('p', { class: 'facts' }, names.map((name, i) => fact(name, SP.millis(load.p[i])))));
};

SP.millis = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : SP.seconds(ms / 1000));

SP.loadBars = (load, width) => {
  const [top, foot, most] = [18, 32, Math.max(...load.counts)];
  const tall = 90;
  const step = Math.min(90, width / load.counts.length);
  const svg = SP.svg('svg', { class: 'timeline bars', viewBox: `0 0 ${width} ${top + tall + foot}`, role: 'img', 'aria-label': SP.loadText(load) });
  load.counts.forEach((n, i) => {
    const height = n ? Math.max(2, (tall * n) / most) : 0;
    const middle = step * (i + 0.5);
    svg.append(SP.svg('rect', { class: 'step', x: step * i + 2, y: top + tall - height, width: step - 4, height, rx: 2 }, SP.svg('title', {}, `${SP.loadRange(load, i)}: ${n}`)));
    if (n) svg.append(SP.svg('text', { class: 'label', x: middle, y: top + tall - height - 5, 'text-anchor': 'middle' }, String(n)));
    svg.append(SP.svg('text', { class: 'soft', x: middle, y: top + tall + 14, 'text-anchor': 'middle' }, SP.loadEnd(load.upper[i])));
  });
  svg.append(SP.svg('line', { class: 'rail', x1: 0, x2: width, y1: top + tall, y2: top + tall }),
    SP.svg('text', { class: 'soft', x: 2, y: top + tall + 29 }, 'requests by latency up to, ms'));
  return svg;
};

SP.loadEnd = (upper) => (upper ? String(upper) : '∞');
SP.loadRange = (load, i) => `up to ${SP.loadEnd(load.upper[i])} ms`;
SP.loadText = (load) => `Latencies of ${load.id}: ${load.counts.map((n, i) => `${n} ${SP.loadRange(load, i)}`).join(', ')}`;
