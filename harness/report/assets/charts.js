'use strict';

// The numeric charts. uPlot draws on a canvas, so each chart also gets a name for screen
// readers, and its numbers as a table.
SP.charts = { drawn: [] };

SP.charts.axis = (extra) => ({
  stroke: SP.color('muted'), font: '12px system-ui, sans-serif',
  grid: { stroke: SP.color('line'), width: 1 }, ticks: { stroke: SP.color('line'), width: 1, size: 4 }, ...extra,
});

// level draws a horizontal line with its name, such as a target.
SP.charts.level = (value, label, dash, color) => (u) => {
  const y = u.valToPos(value, 'y', true);
  const { left, width } = u.bbox;
  const c = u.ctx;
  c.save();
  c.strokeStyle = SP.color(color);
  c.lineWidth = 1.5 * devicePixelRatio;
  c.setLineDash(dash.map((d) => d * devicePixelRatio));
  c.beginPath(); c.moveTo(left, y); c.lineTo(left + width, y); c.stroke();
  c.fillStyle = SP.color(color);
  c.font = `${11.5 * devicePixelRatio}px system-ui, sans-serif`;
  c.textAlign = 'right'; c.textBaseline = 'bottom';
  c.fillText(label, left + width - 4 * devicePixelRatio, y - 3 * devicePixelRatio);
  c.restore();
};

// pin writes a label beside a point, and keeps it inside the chart.
SP.charts.pin = (u, x, y, label, color, below) => {
  const c = u.ctx;
  const [px, py] = [u.valToPos(x, 'x', true), u.valToPos(y, 'y', true)];
  c.save();
  c.textAlign = 'left';
  c.font = `600 ${12 * devicePixelRatio}px system-ui, sans-serif`;
  const w = c.measureText(label).width;
  const at = Math.min(Math.max(px - w / 2, u.bbox.left + 4), u.bbox.left + u.bbox.width - w - 4);
  const above = !below && py - u.bbox.top > 24 * devicePixelRatio;
  c.fillStyle = SP.color(color);
  c.textBaseline = above ? 'bottom' : 'top';
  c.strokeStyle = SP.color('surface');
  c.lineWidth = 4 * devicePixelRatio;
  c.strokeText(label, at, py + (above ? -9 : 9) * devicePixelRatio);
  c.fillText(label, at, py + (above ? -9 : 9) * devicePixelRatio);
  c.restore();
};

SP.charts.make = (id, label, height, table, build) => {
  const host = SP.byId(id);
  const holder = SP.el('div', { role: 'img', 'aria-label': label });
  const rows = table.rows.map((r) => SP.el('tr', {}, r.map((v) => SP.el('td', {}, String(v)))));
  host.replaceChildren(holder, SP.el('details', { class: 'data' }, SP.el('summary', {}, 'The numbers'),
    SP.el('table', {}, SP.el('thead', {}, SP.el('tr', {}, table.head.map((h) => SP.el('th', { scope: 'col' }, h)))), SP.el('tbody', {}, rows))));
  const chart = { plot: null };
  chart.draw = () => {
    if (chart.plot) chart.plot.destroy();
    const { options, data } = build();
    const size = { width: Math.max(holder.clientWidth, 200), height };
    chart.plot = new uPlot({ ...size, legend: { show: false }, cursor: { show: false }, padding: [16, 14, 0, 0], ...options }, data, holder);
  };
  SP.charts.drawn.push(chart);
  chart.draw();
};
SP.charts.drawAll = () => SP.charts.drawn.forEach((c) => c.draw());

SP.charts.rateScale = (rates) => [Math.max(0, Math.min(80, Math.floor(Math.min(...rates) / 10) * 10 - 5)), 104];
SP.charts.rateAxis = () => SP.charts.axis({ size: 52, values: (_, v) => v.map((t) => (t > 100 ? '' : `${t} %`)) });

SP.charts.runs = () => {
  const { runs, target, bar } = SP.data;
  if (!runs.length) return;
  const rates = runs.map((r) => (r.total ? (100 * r.passed) / r.total : 0));
  const x = runs.map((_, i) => i + 1);
  SP.charts.make('chart-runs', `Pass rate of ${runs.length} runs: ${rates.map((r, i) => `run ${i + 1} ${SP.percent(runs[i].passed, runs[i].total)}`).join(', ')}`, 230,
    { head: ['Run', 'Passed', 'Rate'], rows: runs.map((r, i) => [i + 1, `${r.passed} of ${r.total}`, SP.percent(r.passed, r.total)]) },
    () => ({
      data: [x, rates],
      options: {
        scales: { x: { time: false, range: [0.5, runs.length + 0.5] }, y: { range: SP.charts.rateScale([...rates, bar]) } },
        axes: [SP.charts.axis({ splits: () => x.filter((v) => runs.length <= 10 || v % 5 === 0 || v === 1), values: (_, v) => v.map((t) => (runs.length <= 4 ? `run ${t}` : t)), grid: { show: false } }), SP.charts.rateAxis()],
        series: [{}, { stroke: SP.color('accent'), width: 1, dash: [2, 4], points: { show: true, size: 11, fill: SP.color('accent'), stroke: SP.color('accent') } }],
        hooks: {
          draw: [SP.charts.level(target, `target ${target} %`, [], 'ink'), SP.charts.level(bar, '', [5, 4], 'muted'),
            (u) => { if (runs.length <= 6) rates.forEach((r, i) => SP.charts.pin(u, i + 1, Math.min(r, target - 2), `${runs[i].passed}/${runs[i].total}`, 'ink', true)); }],
        },
      },
    }));
};

SP.charts.trend = () => {
  const { trend, target } = SP.data;
  const rates = trend.map((t) => (100 * t.passed) / t.total);
  const x = trend.map((_, i) => i);
  const last = trend.length - 1;
  const say = (t) => `${t.passed} of ${t.total}, ${SP.percent(t.passed, t.total)}`;
  SP.byId('trend-caption').textContent = `The way here: from ${say(trend[0])} (${trend[0].label})${last > 0 ? ` to ${say(trend[last])} (${trend[last].label})` : ''}`;
  SP.charts.make('chart-trend', SP.byId('trend-caption').textContent, 240,
    { head: ['When', 'What', 'Passed', 'Rate'], rows: trend.map((t) => [t.when, t.label, `${t.passed} of ${t.total}`, SP.percent(t.passed, t.total)]) },
    () => ({
      data: [x, rates],
      options: {
        scales: { x: { time: false, range: [-0.3, Math.max(last, 1) + 0.3] }, y: { range: SP.charts.rateScale([...rates, 45]) } },
        axes: [SP.charts.axis({ splits: () => (last > 0 ? [0, last] : [0]), values: (_, v) => v.map((i) => (i === 0 ? 'baseline' : 'today')), grid: { show: false } }), SP.charts.rateAxis()],
        series: [{}, { stroke: SP.color('accent'), width: 2, points: { show: true, size: 8, fill: SP.color('surface'), stroke: SP.color('accent'), width: 2 } }],
        hooks: {
          draw: [SP.charts.level(target, `target ${target} %`, [], 'ink'), (u) => {
            SP.charts.pin(u, 0, rates[0], `${trend[0].passed}/${trend[0].total}`, 'ink');
            if (last > 0) SP.charts.pin(u, last, rates[last], `${trend[last].passed}/${trend[last].total}`, 'ink', true);
          }],
        },
      },
    }));
};

// The bound that n green runs in a row prove, with the place where this tree stands.
SP.charts.bound = () => {
  const { flake } = SP.data;
  const x = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 59, 80, 100, 150, 200, 299, 400];
  const y = x.map((n) => 100 * (1 - 0.05 ** (1 / n)));
  if (flake && flake.power) {
    const p = (k) => `${Math.round(100 * (flake.power[k] || 0))} %`;
    SP.byId('power').textContent = `The gate itself notices a suite that is red in 5 % of runs with a chance of ${p('p05')}, and one that is red in 20 % with ${p('p20')}.`;
  }
  const here = flake && flake.runs > 0 ? { n: Math.min(flake.runs, 400), b: 100 * flake.upper_bound_95 } : null;
  SP.charts.make('chart-bound', 'Upper bound on the flake rate by number of green runs: 3 runs 63 %, 59 runs 5 %, 299 runs 1 %', 250,
    { head: ['Green runs in a row', 'Red at most'], rows: x.map((n, i) => [n, `${y[i].toFixed(1)} %`]) },
    () => ({
      data: [x, y],
      options: {
        padding: [16, 24, 0, 0],
        scales: { x: { time: false, distr: 3, range: [1, 400] }, y: { distr: 3, range: [0.5, 100] } },
        axes: [SP.charts.axis({ splits: () => [1, 3, 10, 30, 59, 100, 299], filter: (_, s) => s, values: (_, v) => v.map((t) => (t === null ? '' : String(t))), label: 'green runs in a row', labelFont: '12px system-ui, sans-serif', labelSize: 22 }),
          SP.charts.axis({ size: 56, splits: () => [1, 5, 20, 63, 100], filter: (_, s) => s, values: (_, v) => v.map((t) => (t === null ? '' : `≤ ${t} %`)) })],
        series: [{}, { stroke: SP.color('accent'), width: 2, points: { show: false } }],
        hooks: { draw: here ? [(u) => {
          const c = u.ctx;
          c.save(); c.fillStyle = SP.color('fail'); c.beginPath();
          c.arc(u.valToPos(here.n, 'x', true), u.valToPos(Math.max(here.b, 0.5), 'y', true), 6 * devicePixelRatio, 0, 7); c.fill(); c.restore();
          SP.charts.pin(u, here.n, Math.max(here.b, 0.5), `here: ${flake.runs} run${flake.runs === 1 ? '' : 's'}, ≤ ${here.b.toFixed(1)} %`, 'fail');
        }] : [] },
      },
    }));
};

SP.charts.latency = () => {
  const h = SP.data.latency;
  const caption = SP.byId('latency-caption');
  if (!h.total) { caption.textContent = 'No request was timed.'; return; }
  const ms = (v) => SP.seconds(v / 1000);
  caption.textContent = `${h.total.toLocaleString('en')} requests: half within ${ms(h.p50)}, 95 % within ${ms(h.p95)}, 99 % within ${ms(h.p99)}, the slowest ${ms(h.max)}.`;
  const first = Math.max(0, h.counts.findIndex((c) => c > 0));
  const last = h.counts.findLastIndex((c) => c > 0);
  const counts = h.counts.slice(first, last + 1);
  const name = (i) => (i < h.upper.length ? (h.upper[i] < 1000 ? `${h.upper[i]}` : `${h.upper[i] / 1000} s`) : '>10 s');
  const x = counts.map((_, i) => i);
  SP.charts.make('chart-latency', caption.textContent, 240,
    { head: ['Up to', 'Requests'], rows: counts.map((c, i) => [name(first + i) + (first + i < 10 ? ' ms' : ''), c]) },
    () => ({
      data: [x, counts],
      options: {
        scales: { x: { time: false, range: [-0.6, counts.length - 0.4] }, y: { range: (_, __, max) => [0, max * 1.1] } },
        axes: [SP.charts.axis({ splits: () => x, values: (_, v) => v.map((i) => name(first + i)), grid: { show: false }, label: 'up to … ms', labelFont: '12px system-ui, sans-serif', labelSize: 22 }), SP.charts.axis({ size: 52 })],
        series: [{}, { stroke: SP.color('accent'), fill: SP.color('accent'), paths: uPlot.paths.bars({ size: [0.8, 60] }), points: { show: false } }],
      },
    }));
};
