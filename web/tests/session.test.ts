import { beforeEach, expect, test, vi } from 'vitest';
import { accessToken, logIn, logOut, loggedOutElsewhere, tokenRefused, user } from '../src/common/session';

const PROFILE = { id: 7, email: 'ada@home.example', is_admin: false };
let served: Record<string, (body: unknown) => Response>;
let asked: string[];

function tokens(access: string, lifeSeconds = 3600): Response {
  return Response.json({ access_token: access, refresh_token: `${access}-refresh`, expires_in: lifeSeconds });
}

beforeEach(async () => {
  localStorage.clear();
  asked = [];
  served = {
    '/api/v1/auth/login': () => tokens('first'),
    '/api/v1/auth/me': () => Response.json(PROFILE),
    '/api/v1/auth/logout': () => new Response(null, { status: 204 }),
  };
  vi.stubGlobal('fetch', async (url: string, options?: RequestInit) => {
    const path = new URL(url).pathname;
    asked.push(path);
    const answer = served[path];
    if (!answer) throw new TypeError('Failed to fetch');
    return answer(options?.body ? JSON.parse(String(options.body)) : null);
  });
  user.value = undefined;
  loggedOutElsewhere.value = false;
});

test('after the log-in the user and the token are known, after the log-out neither', async () => {
  await logIn('ada@home.example', 'correct horse battery');
  expect([user.value?.email, await accessToken()]).toEqual(['ada@home.example', 'first']);
  await logOut();
  expect([user.value, await accessToken(), loggedOutElsewhere.value]).toEqual([null, undefined, false]);
});

test('a wrong password is the problem that the server describes', async () => {
  served['/api/v1/auth/login'] = () =>
    Response.json({ detail: 'Wrong e-mail address or password', code: 'wrong', retryable: false }, { status: 401 });
  await expect(logIn('ada@home.example', 'wrong')).rejects.toMatchObject({
    status: 401,
    message: 'Wrong e-mail address or password',
  });
  expect(await accessToken()).toBeUndefined();
});

test('many calls renew a token that expires soon once', async () => {
  served['/api/v1/auth/login'] = () => tokens('first', 0);
  await logIn('ada@home.example', 'correct horse battery');
  served['/api/v1/auth/refresh-token'] = (body) => {
    expect(body).toEqual({ refresh_token: 'first-refresh' });
    return tokens('second');
  };
  asked = [];
  const all = await Promise.all([accessToken(), accessToken(), accessToken()]);
  expect(all).toEqual(['second', 'second', 'second']);
  expect(asked.filter((path) => path.endsWith('refresh-token'))).toHaveLength(1);
});

test('a renewal that fails because the server is away keeps the log-in', async () => {
  served['/api/v1/auth/login'] = () => tokens('first', 0);
  served['/api/v1/auth/refresh-token'] = () => tokens('first', 0);
  await logIn('ada@home.example', 'correct horse battery');
  delete served['/api/v1/auth/refresh-token'];
  expect(await accessToken()).toBe('first');
  expect(loggedOutElsewhere.value).toBe(false);
});

test('a refused token ends the log-in here, an older one does not', async () => {
  await logIn('ada@home.example', 'correct horse battery');
  tokenRefused('older');
  expect(user.value?.email).toBe('ada@home.example');
  tokenRefused('first');
  expect([user.value, loggedOutElsewhere.value]).toEqual([null, true]);
});

test('a log-out in another tab is noticed', async () => {
  await logIn('ada@home.example', 'correct horse battery');
  const key = localStorage.key(0);
  localStorage.clear();
  dispatchEvent(new StorageEvent('storage', { key }));
  expect([user.value, loggedOutElsewhere.value]).toEqual([null, true]);
});
