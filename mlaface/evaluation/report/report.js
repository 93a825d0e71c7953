'use strict';
const tabs = [...document.querySelectorAll('[data-tab]')];
function choose(tab) {
  tabs.forEach(other => {
    other.setAttribute('aria-selected', other === tab);
    other.tabIndex = other === tab ? 0 : -1;
  });
  document.querySelectorAll('[data-panel]').forEach(p => { p.hidden = p.dataset.panel !== tab.dataset.tab; });
}
tabs.forEach((tab, place) => {
  tab.addEventListener('click', () => choose(tab));
  tab.addEventListener('keydown', event => {
    const moves = {ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: tabs.length - 1};
    if (!(event.key in moves)) return;
    event.preventDefault();
    const next = tabs[(moves[event.key] + tabs.length) % tabs.length];
    choose(next);
    next.focus();
  });
});

document.querySelectorAll('.sortable').forEach(table => table.querySelectorAll('thead th').forEach((head, column) =>
  head.querySelector('button').addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') === 'ascending';
    table.querySelectorAll('thead th').forEach(h => h.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const key = row => row.cells[column].textContent;
    const compare = (a, b) => {
      const [x, y] = [parseFloat(key(a)), parseFloat(key(b))];
      return Number.isNaN(x) || Number.isNaN(y) ? key(a).localeCompare(key(b)) : x - y;
    };
    for (const body of table.tBodies) {  // each benchmark by itself, under its name
      const rows = [...body.rows].filter(row => !row.classList.contains('group'));
      body.append(...rows.sort((a, b) => down ? compare(b, a) : compare(a, b)));
    }
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
    tip.hidden = false;
    tip.style.left = `${Math.max(0, Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 4)}px`;
  });
  chart.addEventListener('mouseleave', () => { dot.remove(); tip.hidden = true; });
});
