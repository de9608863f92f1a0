// Requests to the server's REST API: the token, the server's time, and failures that say what happened.

import type { ServerClock } from './server_clock.js';
import type { Token } from './public.js';

const PATIENCE_MS = 15_000;
const LONGEST_PAUSE_MS = 3_000;
const ATTEMPTS = 3;

/** The server refused a request, or could not be reached. */
export class Refusal extends Error {
  override name = 'Refusal';

  /**
   * @param code the server's own, or "unreachable"
   * @param message for people
   * @param status HTTP status, 0 without an answer
   * @param taken ids of the seats that somebody else has
   * @param largest size of the largest party that fits, if the server says so
   * @param stranded ids of the seats that a choice would leave alone
   * @param alternatives choices to make instead, as ids
   */
  constructor(
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly taken: readonly number[] = [],
    readonly largest: number | null = null,
    readonly stranded: readonly number[] = [],
    readonly alternatives: readonly (readonly number[])[] = [],
  ) {
    super(message);
  }
}

export class Rest {
  #base: URL;
  #token: Token;
  #clock: ServerClock;
  #accessCode: string;

  /**
   * @param base address of the server, with its path prefix
   * @param accessCode opens seats that are kept back; empty for none
   */
  constructor(base: URL, token: Token, clock: ServerClock, accessCode = '') {
    this.#base = base;
    this.#token = token;
    this.#clock = clock;
    this.#accessCode = accessCode;
  }

  /** @param attempts how often it is sent at most if there is no answer; 1 for callers that repeat it themselves */
  async get<Answer>(path: string, attempts = ATTEMPTS): Promise<Answer> {
    return (await this.#send('GET', path, undefined, undefined, attempts)).body as Answer;
  }

  /** @param key lets the server tell a repeated request from a new one, where that makes a difference */
  async post<Answer>(path: string, body: object, key?: string): Promise<Answer> {
    return (await this.#send('POST', path, body, key)).body as Answer;
  }

  async delete(path: string): Promise<void> {
    await this.#send('DELETE', path);
  }

  /** Every request that is sent here may be repeated: reserving and giving back twice is the same as once, or it has a key. */
  async #send(
    method: string,
    path: string,
    body?: object,
    key?: string,
    attempts = ATTEMPTS,
  ): Promise<{ body: unknown; headers: Headers }> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#attempt(method, path, body, key);
      if (answer instanceof Response) {
        if (answer.ok) {
          const content = answer.status === 204 ? null : await answer.json().catch(() => null);
          return { body: content, headers: answer.headers };
        }
        const refusal = await refusalOf(answer);
        if (answer.status === 401 && attempt === 1 && typeof this.#token === 'function') continue;
        if (![429, 503].includes(answer.status) || attempt >= ATTEMPTS) throw refusal;
        const seconds = Number(answer.headers.get('Retry-After') ?? 1);
        if (seconds * 1000 > LONGEST_PAUSE_MS) throw refusal;
        // Up to twice as long, so that clients that were refused together do not come back together.
        await pause(seconds * 1000 * (1 + Math.random()));
      } else {
        if (attempt >= attempts) throw answer;
        await pause(300 * attempt);
      }
    }
  }

  async #attempt(method: string, path: string, body?: object, key?: string): Promise<Response | Refusal> {
    try {
      const headers: Record<string, string> = {};
      const token = typeof this.#token === 'function' ? await this.#token() : this.#token;
      if (token) headers['Authorization'] = `Bearer ${token}`;
      if (this.#accessCode) headers['X-Access-Code'] = this.#accessCode;
      if (body) headers['Content-Type'] = 'application/json';
      if (key) headers['Idempotency-Key'] = key;
      const answer = await fetch(new URL(path, this.#base), {
        method,
        headers,
        cache: 'no-store',
        signal: AbortSignal.timeout(PATIENCE_MS),
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      // The header has whole seconds, so the time was up to a second later.
      const date = Date.parse(answer.headers.get('Date') ?? '');
      if (!Number.isNaN(date)) this.#clock.heard(date);
      return answer;
    } catch {
      return new Refusal('unreachable', 'The server cannot be reached.');
    }
  }
}

async function refusalOf(answer: Response): Promise<Refusal> {
  const problem: Record<string, unknown> = await answer.json().catch(() => ({}));
  const { code, detail, held, booked, largest, stranded, alternatives } = problem;
  const ids = [held, booked].flatMap((list) => (Array.isArray(list) ? (list as number[]) : []));
  return new Refusal(
    typeof code === 'string' ? code : `status_${answer.status}`,
    typeof detail === 'string' ? detail : `The server answered with ${answer.status}.`,
    answer.status,
    ids,
    typeof largest === 'number' ? largest : null,
    Array.isArray(stranded) ? (stranded as number[]) : [],
    Array.isArray(alternatives) ? (alternatives as number[][]) : [],
  );
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
