'use strict';
document.querySelectorAll('[data-tab]').forEach(button => button.addEventListener('click', () => {
  document.querySelectorAll('[data-tab]').forEach(b => b.setAttribute('aria-selected', b === button));
  document.querySelectorAll('[data-panel]').forEach(p => { p.hidden = p.dataset.panel !== button.dataset.tab; });
}));

document.querySelectorAll('.sortable').forEach(table => table.querySelectorAll('th').forEach((head, column) =>
  head.addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') === 'ascending';
    table.querySelectorAll('th').forEach(h => h.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const key = row => row.cells[column].textContent;
    const compare = (a, b) => {
      const [x, y] = [parseFloat(key(a)), parseFloat(key(b))];
      return Number.isNaN(x) || Number.isNaN(y) ? key(a).localeCompare(key(b)) : x - y;
    };
    const rows = [...table.tBodies[0].rows].sort((a, b) => down ? compare(b, a) : compare(a, b));
    table.tBodies[0].append(...rows);
  })));

const tip = document.getElementById('tip');
document.querySelectorAll('.chart').forEach(chart => {
  const curves = [...chart.querySelectorAll('.curve')].map(line => ({
    name: line.dataset.name, color: line.getAttribute('stroke'), points: JSON.parse(line.dataset.points)}));
  if (!curves.length) return;
  const dot = document.createElementNS('http://www.w3.org/2000/svg', 'circle');
  dot.setAttribute('r', 5);
  dot.setAttribute('class', 'dot');
  chart.addEventListener('mousemove', event => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
    let best = {distance: Infinity};
    for (const curve of curves) {
      for (const [x, y, note] of curve.points) {
        const distance = Math.hypot(x - place.x, y - place.y);
        if (distance < best.distance) best = {distance, x, y, note, curve};
      }
    }
    dot.setAttribute('cx', best.x);
    dot.setAttribute('cy', best.y);
    dot.setAttribute('fill', best.curve.color);
    chart.append(dot);
    tip.textContent = `${best.curve.name}\n${best.note}`;
    tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - 330)}px`;
    tip.style.top = `${event.clientY + 14}px`;
    tip.hidden = false;
  });
  chart.addEventListener('mouseleave', () => { dot.remove(); tip.hidden = true; });
});
