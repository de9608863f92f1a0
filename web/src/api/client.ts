// The REST API, typed by the OpenAPI document: `await answered(api.GET('/api/v1/movies/'))`.

import createClient, { type Middleware } from 'openapi-fetch';
import { patience, SERVER } from '../common/base';
import { accessToken, tokenRefused } from '../common/session';
import { problemOf, unreachable } from './problem';
import type { paths } from './schema';

export const api = createClient<paths>({
  baseUrl: SERVER,
  fetch: (request) => fetch(request, { signal: AbortSignal.any([request.signal, patience()]) }),
});

/** Sends the user's token along, and ends the log-in here if the server has ended it. */
const authentication: Middleware = {
  async onRequest({ request }) {
    const token = await accessToken();
    if (token && !request.headers.has('Authorization')) request.headers.set('Authorization', `Bearer ${token}`);
    return request;
  },
  onResponse({ request, response }) {
    const sent = request.headers.get('Authorization');
    if (response.status === 401 && sent) tokenRefused(sent.slice('Bearer '.length));
  },
};
api.use(authentication);

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
  } catch {
    throw unreachable();
  }
  if (!result.response.ok) throw problemOf(result.response.status, result.error);
  return result.data as Data;
}
