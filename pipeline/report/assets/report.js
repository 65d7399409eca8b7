/* Draws the charts of the report from the JSON in the page and switches language and light. Loads nothing. */
(() => {
  'use strict';
  const root = document.documentElement;
  const { report, words, reasons } = JSON.parse(document.getElementById('data').textContent);
  const charts = new Map();
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  let theme = null;
  let printing = false;

  const isChinese = () => root.dataset.lang !== 'en';
  const say = (pair) => pair[isChinese() ? 0 : 1];
  const word = (key) => say(words[key]);
  const reason = (name) => (reasons[name] ? say(reasons[name]) : name);
  const count = (n) => n.toLocaleString('en-US');
  const percent = (part, whole) => (!whole ? '–' : part && part / whole < 0.001 ? '<0.1%' : (100 * part / whole).toFixed(1) + '%');
  const colour = (name) => getComputedStyle(root).getPropertyValue('--' + name).trim();
  const escape = (text) => String(text).replace(/[&<>"']/g, (c) => '&#' + c.charCodeAt(0) + ';');
  const tip = (lines) => '<div class="tip">' + lines.map(escape).join('<br>') + '</div>';

  const short = (x) => {
    const size = Math.abs(x);
    if (isChinese()) {
      if (size >= 1e8) return +(x / 1e8).toPrecision(3) + '亿';
      if (size >= 1e4) return +(x / 1e4).toPrecision(3) + '万';
    } else {
      if (size >= 1e9) return +(x / 1e9).toPrecision(3) + 'B';
      if (size >= 1e6) return +(x / 1e6).toPrecision(3) + 'M';
      if (size >= 1e4) return +(x / 1e3).toPrecision(3) + 'k';
    }
    return Number.isInteger(x) ? count(x) : String(+x.toPrecision(4));
  };

  const base = () => ({
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colour('ink') },
    tooltip: {
      backgroundColor: colour('card'), borderColor: colour('line'), padding: [6, 10], confine: true,
      textStyle: { color: colour('ink'), fontSize: 12 }, extraCssText: 'box-shadow:0 2px 10px rgba(0,0,0,.12)',
    },
  });
  const quiet = () => ({ axisLine: { show: false }, axisTick: { show: false }, splitLine: { show: false } });
  const label = (more) => ({ color: colour('soft'), fontSize: 12, ...more });
  const names = (width) => ({ ...label(), color: colour('ink'), width, overflow: 'truncate', interval: 0 });

  /* Rules from the most frequent on, as many as there are colours for; copies have their own; whatever is left is grey. */
  const RULES = 4;
  const isCopy = (r) => r.stage === 'exact' || r.stage === 'near';
  const frequent = () => report.reasons.filter((r) => !isCopy(r) && r.name !== '?').sort((a, b) => b.documents - a.documents).slice(0, RULES);

  function waterfall(element) {
    const rows = [{ name: word('read'), start: 0, size: report.read, fill: colour('soft') }];
    let left = report.read;
    report.reasons.forEach((r) => {
      left -= r.documents;
      rows.push({ name: reason(r.name), code: r.name, start: left, size: r.documents, fill: r.name === '?' ? colour('bad') : colour(isCopy(r) ? r.stage : 'out') });
    });
    rows.push({ name: word('published'), start: 0, size: report.kept, fill: colour('kept') });
    element.style.height = rows.length * 30 + 12 + 'px';
    const narrow = element.clientWidth < 560;
    const tag = (r, i) => (i && i < rows.length - 1 ? '−' : '') + count(r.size) + (i ? '  ' + percent(r.size, report.read) : '');
    return {
      ...base(),
      grid: { left: narrow ? 104 : 190, right: narrow ? 112 : 132, top: 2, bottom: 2 },
      xAxis: { type: 'value', show: false, max: report.read || 1 },
      yAxis: { type: 'category', inverse: true, data: rows.map((r) => r.name), ...quiet(), axisLabel: { ...names(narrow ? 96 : 178), align: 'left', margin: narrow ? 104 : 190 } },
      tooltip: { ...base().tooltip, formatter: (p) => { const r = rows[p.dataIndex]; return tip([r.code && r.code !== r.name ? r.name + ' (' + r.code + ')' : r.name, count(r.size) + ' · ' + percent(r.size, report.read)]); } },
      series: [
        { type: 'bar', stack: 'w', data: rows.map((r) => r.start), itemStyle: { color: 'transparent' }, silent: true, barWidth: 18 },
        { type: 'bar', stack: 'w', barMinHeight: 1, data: rows.map((r, i) => ({ value: r.size, itemStyle: { color: r.fill, borderRadius: 2 },
          label: { show: true, position: 'right', formatter: tag(r, i), color: colour('ink'), fontSize: 12 } })) },
      ],
    };
  }

  function sources(element) {
    const rules = frequent();
    const shown = [...rules, ...report.reasons.filter(isCopy)];
    const rest = (s) => Object.entries(s.removed).reduce((sum, [name, n]) => sum + (shown.some((r) => r.name === name) ? 0 : n), 0);
    const all = [{ name: word('kept'), fill: colour('kept'), of: (s) => s.kept },
      ...rules.map((r, i) => ({ name: reason(r.name), fill: colour('rule' + (i + 1)), of: (s) => s.removed[r.name] || 0 })),
      { name: word('other_reasons'), fill: colour('rest'), of: rest },
      ...report.reasons.filter(isCopy).map((r) => ({ name: reason(r.name), fill: colour(r.stage), of: (s) => s.removed[r.name] || 0 })),
      { name: word('unexplained'), fill: colour('bad'), of: (s) => Math.max(0, s.read - s.kept - Object.values(s.removed).reduce((a, b) => a + b, 0)) },
    ].filter((kind) => report.sources.some((s) => kind.of(s)));
    const key = document.querySelector('[data-key]');
    key.innerHTML = all.map((k) => '<li style="--c:' + k.fill + '">' + escape(k.name) + '</li>').join('');
    const list = report.sources;
    element.style.height = list.length * 34 + 12 + 'px';
    const narrow = element.clientWidth < 560;
    return {
      ...base(),
      grid: { left: narrow ? 110 : 220, right: 60, top: 2, bottom: 2 },
      xAxis: { type: 'value', show: false, max: 100 },
      yAxis: [{ type: 'category', inverse: true, data: list.map((s) => s.source), ...quiet(),
        axisLabel: { align: 'left', margin: narrow ? 110 : 220, interval: 0, formatter: (value, i) => '{a|' + value.replace(/[{}|]/g, ' ') + '}' + (narrow ? '\n' : ' ') + '{b|' + short(list[i].read) + '}',
          rich: { a: { color: colour('ink'), fontSize: 12, width: narrow ? 100 : 150, overflow: 'truncate', lineHeight: 15 }, b: { color: colour('soft'), fontSize: 11, width: narrow ? 100 : 50, align: narrow ? 'left' : 'right', lineHeight: 14 } } } },
      { type: 'category', inverse: true, position: 'right', data: list.map((s) => percent(s.kept, s.read)), ...quiet(), axisLabel: { ...label(), color: colour('kept'), fontWeight: 600, interval: 0, align: 'right', margin: 54 } }],
      tooltip: { ...base().tooltip, formatter: (p) => { const s = list[p.dataIndex]; return tip([s.source + ' · ' + word('read') + ' ' + count(s.read), ...all.filter((k) => k.of(s)).map((k) => k.name + ' ' + count(k.of(s)) + ' · ' + percent(k.of(s), s.read))]); } },
      series: all.map((k) => ({ type: 'bar', stack: 's', barWidth: 16, data: list.map((s) => (s.read ? 100 * k.of(s) / s.read : 0)), itemStyle: { color: k.fill, borderColor: colour('bg'), borderWidth: 0.5 } })),
    };
  }

  function histogram(element, picture) {
    const bins = picture.kept.length;
    const small = element.clientWidth < 360;
    const top = Math.max(...picture.kept.map((n, i) => n + picture.dropped[i]), 1);
    const range = (i) => (i === 0 ? '≤ ' + short(picture.edges[1]) : i === bins - 1 ? '≥ ' + short(picture.edges[i]) : short(picture.edges[i]) + ' – ' + short(picture.edges[i + 1]));
    const places = new Map(picture.ticks.map(([at, value]) => [at, value]));
    const marks = picture.marks.filter((m) => m.position !== null);
    const line = (m) => ({
      type: 'line', xAxisIndex: 1, silent: true, symbol: 'none', lineStyle: { color: colour('ink'), width: 1.5, type: [5, 4] }, z: 5,
      data: [[m.position, 0], { value: [m.position, top * 1.12], label: { show: true, formatter: (m.side === 'low' ? '≥ ' : '≤ ') + short(m.value), position: m.position > bins * 0.8 || (m.side === 'high' && m.position > bins * 0.2) ? 'left' : 'right', color: colour('ink'), fontSize: 12, fontWeight: 600, distance: 6 } }],
      showSymbol: true, symbolSize: 0.01, symbol: 'circle',
    });
    const bar = (name, data, fill) => ({ type: 'bar', name: word(name), stack: 'h', barCategoryGap: '6%', data, itemStyle: { color: fill } });
    return {
      ...base(),
      grid: { left: small ? 40 : 50, right: 14, top: 20, bottom: 24 },
      xAxis: [{ type: 'category', data: picture.kept.map((_, i) => i), axisLabel: { show: false }, axisTick: { show: false }, axisLine: { lineStyle: { color: colour('soft') } } },
        { type: 'value', min: 0, max: bins, position: 'bottom', ...quiet(), axisLabel: label({ fontSize: 11, hideOverlap: true, customValues: [...places.keys()], formatter: (at) => short(places.get(at)) }), axisTick: { show: true, length: 4, lineStyle: { color: colour('soft') }, customValues: [...places.keys()] } }],
      yAxis: { type: 'value', max: top * 1.12, splitNumber: 3, axisLine: { show: false }, axisTick: { show: false }, splitLine: { showMaxLine: false, lineStyle: { color: colour('line') } }, axisLabel: label({ fontSize: 11, showMaxLabel: false, formatter: short }) },
      tooltip: { ...base().tooltip, trigger: 'axis', axisPointer: { type: 'none' }, formatter: (list) => { const p = list.find((item) => item.seriesType === 'bar'); if (!p) return ''; const i = p.dataIndex; return tip([range(i), word('kept') + ' ' + count(picture.kept[i]), word('removed') + ' ' + count(picture.dropped[i])]); } },
      series: [bar('kept', picture.kept, colour('kept')), bar('removed', picture.dropped, colour('out')), ...marks.map(line)],
    };
  }

  /* Shares over thresholds, evenly spaced as they stand in the table; where the axis does not begin at 0 its labels say so. */
  function curve(element, line) {
    const kinds = [['documents', 'kept', 'documents', 'solid'], ['characters', 'out', 'chars', [2, 3]]].filter(([key]) => line[key]);
    const all = kinds.flatMap(([key]) => line[key]);
    const room = Math.max(0.005, (Math.max(...all) - Math.min(...all)) * 0.15);
    const low = Math.max(0, Math.min(...all) - room);
    const high = Math.min(1, Math.max(...all) + room);
    const at = (place, key) => ({ silent: true, symbol: 'none', type: 'line', lineStyle: { color: colour('ink'), width: 1.5, type: key === 'wi_now' ? [5, 4] : [1, 3] }, z: 5,
      data: [[place, low], { value: [place, high], label: { show: true, formatter: short(line.thresholds[place]) + ' ' + word(key), position: place > line.thresholds.length / 2 ? 'left' : 'right', color: colour('ink'), fontSize: 12, fontWeight: 600 } }], showSymbol: true, symbolSize: 0.01, symbol: 'circle' });
    return {
      ...base(),
      grid: { left: 54, right: 16, top: 20, bottom: 24 },
      xAxis: { type: 'category', boundaryGap: false, data: line.thresholds.map((_, i) => i), axisLine: { lineStyle: { color: colour('soft') } }, axisTick: { show: false }, axisLabel: label({ fontSize: 11, hideOverlap: true, formatter: (i) => short(line.thresholds[i]) }) },
      yAxis: { type: 'value', min: low, max: high, splitNumber: 3, axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: colour('line') } }, axisLabel: label({ fontSize: 11, showMinLabel: false, showMaxLabel: false, formatter: (x) => (100 * x).toFixed(high - low < 0.03 ? 1 : 0) + '%' }) },
      tooltip: { ...base().tooltip, trigger: 'axis', axisPointer: { type: 'line', lineStyle: { color: colour('line') } }, formatter: (list) => { const i = +list[0].axisValue; return tip([word('wi_threshold') + ' ' + short(line.thresholds[i]), ...kinds.map(([key, , name]) => word(name) + ' ' + (100 * line[key][i]).toFixed(2) + '%')]); } },
      series: [...kinds.map(([key, fill, name, type], n) => ({ type: 'line', name: word(name), data: line[key], symbol: 'none', lineStyle: { color: colour(fill), width: 2, type }, itemStyle: { color: colour(fill) }, z: 3 - n })), at(line.now, 'wi_now'), ...(line.was === null ? [] : [at(line.was, 'wi_was')])],
    };
  }

  const drawings = { waterfall, sources, histogram, curve };

  function draw(element) {
    if (!element.clientWidth) return;
    const data = element.dataset.path.split('/').filter(Boolean).reduce((part, key) => part[key], report);
    const option = drawings[element.dataset.chart](element, data);
    let made = charts.get(element);
    if (!made) charts.set(element, made = window.echarts.init(element, null, { renderer: 'svg' }));
    made.resize();
    made.setOption(option, true);
  }

  const drawAll = () => document.querySelectorAll('[data-chart]').forEach(draw);
  const redraw = () => charts.forEach((_, element) => draw(element));

  function setLanguage(code) {
    root.dataset.lang = code;
    root.lang = code === 'en' ? 'en' : 'zh';
    document.querySelectorAll('[data-set-lang]').forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.setLang === code)));
    redraw();
  }

  function setTheme() {
    root.dataset.theme = printing ? 'light' : theme || (dark.matches ? 'dark' : 'light');
    redraw();
  }

  document.querySelectorAll('[data-set-lang]').forEach((button) => button.addEventListener('click', () => setLanguage(button.dataset.setLang)));
  document.querySelector('[data-set-theme]').addEventListener('click', () => { theme = root.dataset.theme === 'dark' ? 'light' : 'dark'; setTheme(); });
  dark.addEventListener('change', setTheme);
  window.addEventListener('beforeprint', () => { printing = true; setTheme(); drawAll(); });
  window.addEventListener('afterprint', () => { printing = false; setTheme(); });
  document.querySelectorAll('details').forEach((part) => part.addEventListener('toggle', () => part.querySelectorAll('[data-chart]').forEach((element) => charts.has(element) || draw(element))));
  let waiting = 0;
  window.addEventListener('resize', () => { clearTimeout(waiting); waiting = setTimeout(redraw, 120); });

  setTheme();
  setLanguage((navigator.language || 'zh').toLowerCase().startsWith('zh') ? 'zh' : 'en');
  /* One chart a turn, so that the page can be read and scrolled while thirty of them are drawn. */
  const queue = [...document.querySelectorAll('[data-chart]')];
  (function next() {
    const element = queue.shift();
    if (!element) return;
    if (!charts.has(element)) draw(element);
    setTimeout(next);
  })();
})();
