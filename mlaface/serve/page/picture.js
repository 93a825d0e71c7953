// A place for a photograph: dropped, pasted, chosen or taken; with boxes over it.
import { takePhoto } from './camera.js';

const SVG = 'http://www.w3.org/2000/svg';
const KNOWN = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/bmp'];
const LARGE = 4 * 2 ** 20, LONGEST = 2560;

export function svg(name, attributes = {}, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

export class Picture {
  constructor(place, changed) {
    this.place = place;
    this.changed = changed;
    this.file = null;
    place.append(document.getElementById('picture').content.cloneNode(true));
    const find = (selector) => place.querySelector(selector);
    [this.frame, this.note, this.input] = ['.frame', '.note', 'input'].map(find);
    [this.choose, this.clear] = ['.choose', '.clear'].map(find);
    const label = place.dataset.label;
    find('h3').textContent = label;
    find('.empty').textContent = 'Drop a photograph here';
    for (const [name, what] of [['.choose', 'choose a file'], ['.shoot', 'take it by the camera'], ['.clear', 'remove it']]) {
      find(name).setAttribute('aria-label', `${label}: ${what}`);
    }
    this.input.setAttribute('aria-label', label);
    this.choose.addEventListener('click', () => this.input.click());
    this.input.addEventListener('change', () => this.take(this.input.files[0]));
    find('.shoot').addEventListener('click', async () => this.take(await takePhoto()));
    this.clear.addEventListener('click', () => { this.take(null, true); this.choose.focus(); });
    this.frame.addEventListener('dragover', (event) => { event.preventDefault(); this.frame.classList.add('over'); });
    this.frame.addEventListener('dragleave', () => this.frame.classList.remove('over'));
    this.frame.addEventListener('drop', (event) => {
      event.preventDefault();
      this.frame.classList.remove('over');
      this.take(event.dataTransfer.files[0]);
    });
  }

  async take(file, emptied = false) {
    if (!file && !emptied) return;
    this.file = null;
    this.note.textContent = '';
    this.frame.querySelector('svg')?.remove();
    this.input.value = '';
    if (file) {
      try {
        await this.show(file);
      } catch {
        this.note.textContent = `${file.name || 'This'} is no image that this browser can read: choose a JPEG or PNG.`;
      }
    }
    this.frame.classList.toggle('full', this.file !== null);
    this.frame.querySelector('.empty').hidden = this.file !== null;
    this.clear.hidden = this.file === null;
    this.changed();
  }

  async show(file) {
    const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
    const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
    canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const encode = () => new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.92));
    this.file = KNOWN.includes(file.type) && file.size <= LARGE ? file : await encode();
    // shown from the canvas: as the server sees it, and no address of the file stays behind
    this.view = svg('svg', { viewBox: `0 0 ${canvas.width} ${canvas.height}`, role: 'img', 'aria-label': this.place.dataset.label });
    this.view.append(svg('image', { href: canvas.toDataURL('image/jpeg', 0.9), width: canvas.width, height: canvas.height }));
    this.frame.append(this.view);
    [this.width, this.height] = [canvas.width, canvas.height];
  }

  // faces with box and points in pixels of an image of the given width; tag(face) gives a name or ''
  mark(faces, width, tag = () => '') {
    this.view.querySelectorAll('.mark').forEach((node) => node.remove());
    const scale = this.width / width, line = Math.max(this.width, this.height) / 110;
    for (const face of faces) {
      const [x1, y1, x2, y2] = face.box.map((value) => value * scale);
      const place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1, rx: line };
      const name = tag(face);
      const mark = svg('g', { class: 'mark' });
      mark.append(svg('rect', { ...place, class: 'halo', 'stroke-width': line * 1.5 }),
        svg('rect', { ...place, class: name ? 'box known' : 'box', 'stroke-width': line }));
      for (const [x, y] of face.points) {
        mark.append(svg('circle', { cx: x * scale, cy: y * scale, r: line * 0.8, class: 'point', 'stroke-width': line / 4 }));
      }
      if (name) {
        const size = Math.max(this.width, this.height) / 24;
        mark.append(svg('text', { x: x1, y: Math.max(y1 - size / 3, size), class: 'tag', 'font-size': size, 'stroke-width': size / 5 }, name));
      }
      this.view.append(mark);
    }
  }
}
