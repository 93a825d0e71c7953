// Where a cosine lies between those of different and of the same people.
import { svg } from './picture.js';

const WIDTH = 860, TOP = 46, FLOOR = 200, LOW = -0.4, HIGH = 1;
const x = (cosine) => 20 + (Math.min(Math.max(cosine, LOW), HIGH) - LOW) / (HIGH - LOW) * (WIDTH - 40);

function text(left, top, words, kind = '', anchor = 'middle') {
  return svg('text', { x: left, y: top, class: kind, 'text-anchor': anchor }, words);
}

// shares of pairs in bins, smoothed over three of them: a few thousand pairs are ragged
function curve({ edges }, shares) {
  const smooth = shares.map((share, bin) => (shares[bin - 1] ?? 0) / 4 + share / 2 + (shares[bin + 1] ?? 0) / 4);
  return smooth.map((share, bin) => [(edges[bin] + edges[bin + 1]) / 2, share]).filter(([center]) => center >= LOW);
}

function area(points, most, kind) {
  const path = points.map(([center, share]) => `${x(center).toFixed(1)},${(FLOOR - share / most * (FLOOR - TOP - 20)).toFixed(1)}`);
  return svg('path', { class: kind, d: `M${x(LOW)},${FLOOR} L${path.join(' L')} L${x(HIGH)},${FLOOR} Z` });
}

function named(points, words, kind) {
  const [center] = points.reduce((best, point) => (point[1] > best[1] ? point : best));
  return text(x(center), FLOOR - 10, words, kind);
}

// zones between thresholds, where the model's calibration has no distributions
function bar(thresholds, kind) {
  const limits = thresholds.map((row) => row.threshold).sort((a, b) => a - b);
  const zones = [[LOW, limits[0], 'area-other'], [limits[limits.length - 1], HIGH, 'area-same']];
  return zones.map(([from, to, name]) => svg('rect', { x: x(from), width: x(to) - x(from), y: FLOOR - 50, height: 50, class: name }));
}

export function draw(figure, cosine, threshold, model) {
  figure.replaceChildren();
  const caption = document.createElement('figcaption');
  const { scores, thresholds } = model;
  if (!thresholds.length) {
    caption.textContent = `Where this cosine lies between those of the same and of different people is not known: ${model.reason}`;
    figure.append(caption);
    return;
  }
  const chart = svg('svg', { viewBox: `0 0 ${WIDTH} 240`, role: 'img' });
  if (scores) {
    const [other, same] = [curve(scores, scores.different), curve(scores, scores.same)];
    const most = Math.max(...[...other, ...same].map(([, share]) => share));
    chart.append(area(other, most, 'area-other'), area(same, most, 'area-same'),
      named(other, 'different people', 'name-other'), named(same, 'same person', 'name-same'));
  } else {
    chart.append(...bar(thresholds), text(x(LOW) + 12, FLOOR - 20, 'different people', 'name-other', 'start'), text(x(HIGH) - 12, FLOOR - 20, 'same person', 'name-same', 'end'));
  }
  chart.append(svg('line', { x1: x(LOW), x2: x(HIGH), y1: FLOOR, y2: FLOOR, class: 'axis' }));
  for (const tick of [-0.4, -0.2, 0, 0.2, 0.4, 0.6, 0.8, 1]) chart.append(text(x(tick), FLOOR + 28, tick.toFixed(1)));
  if (threshold !== null) {
    chart.append(svg('line', { x1: x(threshold), x2: x(threshold), y1: TOP, y2: FLOOR, class: 'limit' }));
  }
  const side = cosine > 0.6 ? ['end', -10] : ['start', 10];
  chart.append(svg('line', { x1: x(cosine), x2: x(cosine), y1: 20, y2: FLOOR, class: 'score' }), svg('circle', { cx: x(cosine), cy: 20, r: 7, class: 'knob' }),
    text(x(cosine) + side[1], 26, `this pair: ${cosine.toFixed(3)}`, 'strong', side[0]));
  const rows = thresholds.map((row) => `at ${row.threshold.toFixed(3)} one in ${Math.round(1 / row.far).toLocaleString('en')} pairs of different people passes, and ${(100 * row.tar).toFixed(1)}% of pairs of one person`);
  caption.textContent = `Cosine. ${scores ? 'The curves are pairs of' : 'Measured on'} ${model.calibrated_on?.join(', ') || 'the calibration'}: ${rows.join('; ')}. The dashed line decides.`;
  chart.setAttribute('aria-label', `The cosine ${cosine.toFixed(3)} between those of different people and of the same person`);
  figure.append(chart, caption);
}
