// Requests to this server, and errors in its own words.
let key = '';

export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function useKey(given) {
  key = given;
}

export async function ask(path, { files = {}, fields = {}, method } = {}) {
  const options = { method: method || 'GET', headers: key ? { authorization: `Bearer ${key}` } : {} };
  const parts = [...Object.entries(fields), ...Object.entries(files)];
  if (parts.length) {
    options.method = 'POST';
    options.body = new FormData();
    for (const [name, value] of parts) options.body.append(name, value);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused(0, 'unreachable', 'The server does not answer: is it running?');
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const { code = 'unknown', message = `The server answered ${answer.status}.` } = content.error || {};
    throw new Refused(answer.status, code, message);
  }
  return content;
}
