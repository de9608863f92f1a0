// The REST API, typed by the OpenAPI document: `await answered(rest.GET('/api/v1/movies/'))`. The pages use it, and the
// npm package contains it.

import createClient, { type Client } from 'openapi-fetch';
import { problemOf, unreachable } from './problem.js';
import type { components, paths } from './schema.js';

export { Problem, UNREACHABLE } from './problem.js';
export type { components, paths };

/** A JSON Web Token, or a function that fetches one whenever it is needed. */
export type Token = string | (() => string | null | undefined | Promise<string | null | undefined>);

/** `GET`, `POST` and so on, typed by path. */
export type Rest = Client<paths>;

export interface RestOptions {
  /** The user's; guests have none. */
  token?: Token;
  /** Called with a token that the server has rejected. */
  refused?: (token: string) => void;
  /** How often a request that may be repeated is sent at most. */
  attempts?: number;
  /** Time for an answer, in milliseconds. */
  answerMs?: number;
  /** In place of the global one. */
  fetch?: (request: Request) => Promise<Response>;
}

/** The server answers every request sooner than this, so a call that takes longer has been lost. */
const ANSWER_MS = 30_000;
const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 500;
/** Who is asked to wait longer is told so at once. */
const LONGEST_PAUSE_MS = 5_000;
const SAFE = ['GET', 'HEAD'];
const TEMPORARY = [429, 503];

/**
 * A client of the REST API of a server.
 *
 * Requests that change nothing, and those with an `Idempotency-Key`, are sent again if there is no answer, or one that
 * says that the server cannot answer now.
 *
 * @param server its address, with its path prefix
 */
export function restClient(server: string | URL, options: RestOptions = {}): Rest {
  const { token, refused, attempts = ATTEMPTS, answerMs = ANSWER_MS, fetch: send = (request) => fetch(request) } = options;

  async function attempt(original: Request, last: boolean): Promise<Response> {
    const signal = AbortSignal.any([original.signal, AbortSignal.timeout(answerMs)]);
    const request = new Request(last ? original : original.clone(), { signal });
    const bearer = typeof token === 'function' ? await token() : token;
    const own = request.headers.has('Authorization');
    if (bearer && !own) request.headers.set('Authorization', `Bearer ${bearer}`);
    const response = await send(request);
    if (response.status === 401 && bearer && !own) refused?.(bearer);
    return response;
  }

  async function repeated(request: Request): Promise<Response> {
    const repeatable = SAFE.includes(request.method) || request.headers.has('Idempotency-Key');
    for (let number = 1; ; number++) {
      const last = !repeatable || number >= attempts;
      try {
        const response = await attempt(request, last);
        const pauseMs = last ? null : await pauseAfter(response, number);
        if (pauseMs === null) return response;
        await pause(pauseMs);
      } catch (error) {
        if (last || request.signal.aborted) throw error;
        await pause(jittered(number));
      }
    }
  }

  return createClient<paths>({ baseUrl: String(server), fetch: repeated });
}

interface Result<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/**
 * The data of a call's answer.
 *
 * @throws {Problem} the server refused the call or could not be reached
 */
export async function answered<Data>(call: Promise<Result<Data>>): Promise<Data> {
  let result: Result<Data>;
  try {
    result = await call;
  } catch (error) {
    if (!isOutage(error)) throw error;
    throw unreachable();
  }
  if (!result.response.ok) throw problemOf(result.response.status, result.error);
  return result.data as Data;
}

/** Whether there was no whole answer: no network, too late, or cut off. Other errors are bugs of the page. */
function isOutage(error: unknown): boolean {
  return error instanceof TypeError || error instanceof DOMException || error instanceof SyntaxError;
}

/** How long to wait before the next attempt, in milliseconds; null if there is to be none. */
async function pauseAfter(response: Response, number: number): Promise<number | null> {
  if (!TEMPORARY.includes(response.status) && !(await isInFlight(response))) return null;
  const asked = Number(response.headers.get('Retry-After') ?? 0) * 1000;
  // Up to twice as long, so that clients that were refused together do not come back together.
  return asked > LONGEST_PAUSE_MS ? null : Math.max((asked || 0) * (1 + Math.random()), jittered(number));
}

/** Whether the server is still carrying out an earlier request with the same `Idempotency-Key`. */
async function isInFlight(response: Response): Promise<boolean> {
  if (response.status !== 409) return false;
  const body: unknown = await response.clone().json().catch(() => null);
  return problemOf(response.status, body).code === 'idempotency_key_in_flight';
}

/** Random, so that not all clients return at once. */
function jittered(number: number): number {
  return Math.random() * FIRST_PAUSE_MS * 2 ** number;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
