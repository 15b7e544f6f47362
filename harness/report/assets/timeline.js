'use strict';

// timeline draws one execution: a row per step, faults as hatched bands over all of them,
// requests below (a dot when acknowledged, a cross when not), advances of the clock dashed.
SP.timeline = (result, width) => {
  const steps = (result.st || []).map(([n, at, took, bad]) => ({ name: SP.text(n), at, took, bad: bad === 1 }));
  const marks = (result.m || []).map(([k, l, at, took, ok]) => ({ kind: SP.text(k), label: SP.text(l), at, took, ok: ok === 1 }));
  if (!steps.length && !marks.length) return null;

  const end = Math.max(1, ...steps.map((s) => s.at + s.took), ...marks.map((m) => m.at + m.took));
  const pad = 6;
  const x = (ms) => pad + ((width - 2 * pad) * ms) / end;
  const faults = marks.filter((m) => m.kind === 'fault');
  const requests = marks.filter((m) => m.kind === 'request');
  const advances = marks.filter((m) => m.kind === 'advance');
  const top = 8 + 16 * faults.length;
  const rows = top + 32 * steps.length;
  const height = rows + (requests.length ? 44 : 12) + 22;
  const cut = (s, px) => { const n = Math.max(6, Math.floor(px / 6.2)); return s.length > n ? `${s.slice(0, n - 1)}…` : s; };

  const svg = SP.svg('svg', { class: 'timeline', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': SP.timelineText(steps, faults, SP.requests(result, requests), end) });
  svg.append(SP.svg('defs', {}, SP.svg('pattern', { id: 'hatch', width: 7, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
    SP.svg('line', { class: 'hatch', x1: 0, y1: 0, x2: 0, y2: 7 }))));

  faults.forEach((f, i) => {
    const [left, right] = [x(f.at), x(f.at + f.took)];
    const w = Math.max(3, right - left);
    svg.append(SP.svg('rect', { class: 'fault', x: left, y: 8 + 16 * i, width: w, height: rows + (requests.length ? 34 : 4) - 8 - 16 * i, 'stroke-width': 1 }, SP.svg('title', {}, f.label)));
    const after = left + 4 < width * 0.6;
    svg.append(SP.svg('text', { class: 'label', x: after ? left + 4 : right - 4, y: 20 + 16 * i, 'text-anchor': after ? 'start' : 'end' }, cut(`fault: ${f.label}`, after ? width - left : right)));
  });
  advances.forEach((a) => svg.append(SP.svg('line', { class: 'advance', x1: x(a.at), x2: x(a.at), y1: top, y2: rows + 30 }, SP.svg('title', {}, a.label))));
  steps.forEach((s, i) => {
    const y = top + 32 * i;
    svg.append(SP.svg('line', { class: 'rail', x1: pad, x2: width - pad, y1: y + 24, y2: y + 24 }));
    svg.append(SP.svg('rect', { class: s.bad ? 'step bad' : 'step', x: x(s.at), y: y + 20, width: Math.max(2, x(s.at + s.took) - x(s.at)), height: 8, rx: 2 },
      SP.svg('title', {}, `${s.name}: ${SP.seconds(s.took / 1000)}`)));
    svg.append(SP.svg('text', { class: 'label', x: pad, y: y + 14 }, cut(`${s.bad ? '✗ ' : ''}${i + 1}. ${s.name}`, width - 90)));
    svg.append(SP.svg('text', { class: 'soft', x: width - pad, y: y + 14, 'text-anchor': 'end' }, SP.seconds(s.took / 1000)));
  });
  requests.forEach((r) => svg.append(SP.timelineRequest(r, x(r.at), rows + 12)));
  if (requests.length) {
    const [all, refused] = SP.requests(result, requests);
    const drawn = all > requests.length ? `, ${requests.length} drawn` : '';
    svg.append(SP.svg('text', { class: 'soft', x: pad, y: rows + 34 }, cut(`${all} requests${drawn}${refused ? `, ${refused} refused or lost (✕)` : ', all acknowledged'}${advances.length ? '; dashed: clock moved' : ''}`, width - 10)));
  }
  svg.append(SP.svg('text', { class: 'soft', x: pad, y: height - 6 }, '0'), SP.svg('text', { class: 'soft', x: width - pad, y: height - 6, 'text-anchor': 'end' }, SP.seconds(end / 1000)));
  return svg;
};

SP.timelineRequest = (r, x, y) => {
  const title = SP.svg('title', {}, `${r.label}: ${r.ok ? 'acknowledged' : 'not acknowledged'} after ${SP.seconds(r.took / 1000)}`);
  if (r.ok) return SP.svg('circle', { class: 'ok', cx: x, cy: y, r: 3 }, title);
  return SP.svg('path', { class: 'refused', d: `M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8` }, title);
};

SP.timelineText = (steps, faults, requests, end) => `Timeline of ${SP.seconds(end / 1000)}: ${steps.length} steps${steps.some((s) => s.bad) ? `, failed at ${steps.find((s) => s.bad).name}` : ''}; ${faults.length} faults; ${requests[0]} requests, ${requests[1]} not acknowledged`;

// requests are how many there were and how many of them were not acknowledged; the timeline
// may draw a sample of them.
SP.requests = (result, drawn) => {
  const [all, refused] = result.n || [0, 0];
  return all >= drawn.length ? [all, refused] : [drawn.length, drawn.filter((r) => !r.ok).length]; // an older report counts none
};
