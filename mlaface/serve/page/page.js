// The page: tabs, and what each of them asks the server.
import { ask, useKey } from './api.js';
import { draw } from './chart.js';
import { Picture } from './picture.js';

const $ = (id) => document.getElementById(id);
let model = null;

function element(name, words, kind) {
  const node = document.createElement(name);
  if (words !== undefined) node.textContent = words;
  if (kind) node.className = kind;
  return node;
}

function say(place, kind, verdict, ...lines) {
  place.className = `result ${kind}`;
  place.replaceChildren(...(verdict ? [element('p', verdict, 'verdict')] : []), ...lines.filter(Boolean).map((line) => element('p', line)));
}

// runs an action of a button: says what is going on, and what went wrong
async function act(button, place, action) {
  button.disabled = true;
  say(place, '', '', 'Looking…');
  try {
    await action();
  } catch (error) {
    say(place, 'failed', '', error.message);
  } finally {
    button.disabled = false;
  }
}

// ---- tabs
const tabs = [...document.querySelectorAll('[role=tab]')];

function select(tab, focus = true) {
  for (const each of tabs) {
    each.setAttribute('aria-selected', each === tab);
    each.tabIndex = each === tab ? 0 : -1;
    $(each.getAttribute('aria-controls')).hidden = each !== tab;
  }
  if (focus) tab.focus();
  if (tab.id === 'tab-enroll') listPeople();
}

tabs.forEach((tab, place) => {
  tab.addEventListener('click', () => select(tab));
  tab.addEventListener('keydown', (event) => {
    const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    select(tabs[(to + tabs.length) % tabs.length]);
  });
});

// ---- compare
const pair = ['first', 'second'].map((id) => new Picture($(id), pairChanged));

function pairChanged() {
  const both = pair.every((picture) => picture.file);
  $('compare-go').disabled = !both;
  $('compare-more').hidden = true;
  $('compare-result').replaceChildren();
  if (both) compare();
}

const oneIn = (far) => `one in ${Math.round(1 / far).toLocaleString('en')}`;

function compare() {
  const shown = pair.map((picture) => picture.file);
  return act($('compare-go'), $('compare-result'), async () => {
    const found = await ask(`/v1/compare?crops=true&attention=${model.attention}&aligned=${$('compare-aligned').checked}`,
      { files: { first: shown[0], second: shown[1] } });
    if (pair.some((picture, place) => picture.file !== shown[place])) return; // another photograph came meanwhile
    const cosine = found.cosine.toFixed(3);
    if (found.same === null) {
      say($('compare-result'), '', `Cosine ${cosine}`, `No verdict: ${found.reason}`);
    } else {
      const limit = found.threshold.toFixed(3);
      say($('compare-result'), found.same ? 'same' : 'other', found.same ? 'Same person' : 'Different people',
        `Cosine ${cosine}, ${found.same ? 'at or above' : 'below'} the threshold ${limit}.`
        + (found.far ? ` Of pairs of different people about ${oneIn(found.far)} would reach it (${found.reason}).` : ''));
    }
    pair.forEach((picture, place) => {
      picture.mark([found.faces[place]], found.sizes[place][0]);
      const many = found.found[place];
      picture.note.textContent = many > 1 ? `${many} faces; the largest was taken.` : '';
    });
    $('compare-more').hidden = false;
    draw($('scores'), found.cosine, found.threshold, model);
    showCrops(found.faces);
  });
}

function showCrops(faces) {
  $('crops').replaceChildren(...faces.map((face, place) => {
    const figure = element('figure', undefined, 'crop');
    const stack = element('div');
    const image = element('img');
    [image.src, image.alt] = [face.crop, `${place ? 'Second' : 'First'} face, aligned`];
    const over = element('img', undefined, 'overlay');
    over.alt = '';
    over.hidden = true;
    stack.append(image, over);
    const { size, sharpness, yaw } = face.quality;
    figure.append(stack, element('figcaption', `${Math.round(size)} pixels wide, sharpness ${Math.round(sharpness)}, turned ${Math.round(yaw)}°`));
    return figure;
  }));
  const names = Object.keys(faces[0].attention || {});
  $('attention').hidden = !names.length;
  $('attention').replaceChildren($('attention').querySelector('legend'), ...['none', ...names].map((name) => {
    const label = element('label', undefined, 'check');
    const choice = element('input');
    Object.assign(choice, { type: 'radio', name: 'map', value: name, checked: name === 'none' });
    choice.addEventListener('change', () => overlay(faces, name));
    label.append(choice, name === 'none' ? 'not shown' : name);
    return label;
  }));
}

function overlay(faces, name) {
  document.querySelectorAll('.overlay').forEach((image, place) => {
    image.hidden = name === 'none';
    if (name !== 'none') image.src = faces[place].attention[name];
  });
}

$('compare-go').addEventListener('click', compare);
$('compare-aligned').addEventListener('change', () => pair.every((picture) => picture.file) && compare());

// ---- identify
const unknown = new Picture($('unknown'), () => {
  $('identify-go').disabled = !unknown.file;
  $('identify-result').replaceChildren();
  $('identify-faces').replaceChildren();
  if (unknown.file) identify();
});

function identify() {
  return act($('identify-go'), $('identify-result'), async () => {
    const found = await ask(`/v1/identify?crops=true&aligned=${$('identify-aligned').checked}`, { files: { image: unknown.file } });
    unknown.mark(found.faces, found.width, (face) => face.person || '');
    const known = found.faces.filter((face) => face.person);
    const verdict = !found.faces.length ? 'No face found' : !found.people ? 'Nobody is enrolled yet'
      : known.length ? known.map((face) => face.person).join(', ') : found.threshold === null ? 'No verdict' : 'Nobody who is enrolled';
    const chance = found.stranger_chance;
    say($('identify-result'), known.length ? 'same' : 'other', verdict,
      found.faces.length ? `${found.faces.length} face${found.faces.length > 1 ? 's' : ''}, ${found.people} ${found.people === 1 ? 'person' : 'people'} enrolled.` : 'Is it larger than about 20 pixels, and not far aside?',
      found.threshold === null ? `No threshold: ${found.reason}` : `Threshold ${found.threshold.toFixed(3)}.`,
      chance > 0.05 ? `With so many people about ${Math.round(100 * chance)}% of strangers are taken for somebody.` : '');
    $('identify-faces').replaceChildren(...found.faces.map((face, place) => {
      const line = element('li'), image = element('img'), words = element('div');
      [image.src, image.alt] = [face.crop, `Face ${place + 1}, aligned`];
      words.append(element('b', face.person || 'not known'), element('p', face.matches.map((match) => `${match.name} ${match.cosine.toFixed(3)}`).join(', '), 'quiet'));
      line.append(image, words);
      return line;
    }));
  });
}

$('identify-go').addEventListener('click', identify);
$('identify-aligned').addEventListener('change', () => unknown.file && identify());

// ---- enrol
const known = new Picture($('known'), enrollable);

function enrollable() {
  $('enroll-go').disabled = !known.file || !$('name').value.trim();
}

$('name').addEventListener('input', enrollable);
$('name').addEventListener('keydown', (event) => event.key === 'Enter' && !$('enroll-go').disabled && $('enroll-go').click());
$('enroll-go').addEventListener('click', () => act($('enroll-go'), $('enroll-result'), async () => {
  const name = $('name').value.trim();
  const { skipped } = await ask(`/v1/enroll?aligned=${$('enroll-aligned').checked}`, { files: { image: known.file }, fields: { name } });
  await known.take(null, true);
  $('name').value = '';
  await listPeople();
  say($('enroll-result'), 'same', `${name} is enrolled${skipped ? ' with this photograph already' : ''}`, 'The photograph itself was not kept.');
}).then(enrollable));

async function listPeople() {
  if (model.gallery.reason) return;
  try {
    const { people } = await ask('/v1/people');
    $('people').replaceChildren(...(people.length ? people.map(personLine) : [element('li', 'Nobody yet.', 'quiet')]));
  } catch (error) {
    $('people').replaceChildren(element('li', error.message, 'wrong'));
  }
}

function personLine({ name, images }) {
  const line = element('li'), button = element('button', 'Delete');
  button.setAttribute('aria-label', `Delete ${name}`);
  button.addEventListener('click', () => remove(name));
  line.append(element('span', name), element('span', `${images} image${images === 1 ? '' : 's'}`, 'quiet'), ...(model.gallery.may_write ? [button] : []));
  return line;
}

function remove(name) {
  $('sure-text').textContent = `${name} and all that is kept of this face will be gone.`;
  $('sure').showModal();
  $('sure-no').onclick = () => $('sure').close();
  $('sure-yes').onclick = () => act($('sure-yes'), $('enroll-result'), async () => {
    $('sure').close();
    const found = await ask(`/v1/people/${encodeURIComponent(name)}`, { method: 'DELETE' });
    await listPeople();
    say($('enroll-result'), '', `${name} is deleted`, found.cleared ? 'Nothing of it stays in the files.' : found.reason);
    $('tab-enroll').focus();
  });
}

// ---- start
function begin() {
  const { name } = model.model;
  $('about').textContent = `Do two photographs show one person? The network is ${name}`
    + (model.threshold === null ? ', which has no calibrated threshold.' : '.');
  const closed = model.gallery.reason || (model.gallery.may_write ? null : 'This key may only read.');
  if (closed) {
    $('enroll-form').hidden = true;
    say($('enroll-result'), '', '', closed);
  }
  $('unlock').hidden = true;
  $('work').hidden = false;
}

async function start() {
  try {
    model = await ask('/v1/model');
    begin();
  } catch (error) {
    $('about').textContent = error.status === 401 ? 'Do two photographs show one person?' : error.message;
    if (error.status !== 401) return;
    $('unlock').hidden = false;
    $('unlock-said').textContent = error.code === 'unknown_key' ? error.message : '';
    $('key').focus();
  }
}

$('unlock-form').addEventListener('submit', (event) => {
  event.preventDefault();
  useKey($('key').value);
  $('key').value = '';
  start();
});
for (const name of ['dragover', 'drop']) addEventListener(name, (event) => event.preventDefault()); // never leave the page
start();
