import { act } from 'preact/test-utils';
import { render } from 'preact';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Problem, unreachable } from '../src/api/problem';
import { pauseMs, useLoaded, type Loaded } from '../src/common/loading';

let root: HTMLElement;
let loaded: Loaded<string>;
let calls: number;
let answer: () => Promise<string>;

function Page({ input }: { input: number }) {
  loaded = useLoaded(() => {
    calls += 1;
    return answer();
  }, [input]);
  return null;
}

async function show(input: number): Promise<void> {
  await act(async () => render(<Page input={input} />, root));
}

async function pass(milliseconds: number): Promise<void> {
  await act(async () => {
    await vi.advanceTimersByTimeAsync(milliseconds);
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  root = document.createElement('div');
  calls = 0;
  answer = async () => 'films';
});

afterEach(async () => {
  await act(async () => render(null, root));
  vi.useRealTimers();
});

test('what was loaded is shown', async () => {
  await show(1);
  expect([loaded.data, loaded.problem, calls]).toEqual(['films', null, 1]);
});

test('while the server is away the last answer stays, and the call is repeated until it succeeds', async () => {
  await show(1);
  answer = async () => {
    throw unreachable();
  };
  await act(async () => loaded.reload());
  expect([loaded.data, loaded.problem?.code]).toEqual(['films', 'unreachable']);
  await pass(60_000);
  expect(calls).toBeGreaterThan(4);
  answer = async () => 'more films';
  await pass(20_000);
  expect([loaded.data, loaded.problem]).toEqual(['more films', null]);
  const before = calls;
  await pass(60_000);
  expect(calls).toBe(before);
});

test('the call is repeated at once when the network is back', async () => {
  answer = async () => {
    throw unreachable();
  };
  await show(1);
  answer = async () => 'films';
  await act(async () => {
    dispatchEvent(new Event('online'));
  });
  expect([loaded.data, loaded.problem]).toEqual(['films', null]);
});

test('a refusal is not repeated', async () => {
  answer = async () => {
    throw new Problem(404, 'not_found', 'There is no such film', false);
  };
  await show(1);
  await pass(60_000);
  expect([loaded.problem?.code, calls]).toEqual(['not_found', 1]);
});

test('an answer that comes after the page has moved on is dropped', async () => {
  let late: (films: string) => void = () => undefined;
  answer = () => new Promise((resolve) => (late = resolve));
  await show(1);
  answer = async () => 'second';
  await show(2);
  await act(async () => late('first'));
  expect(loaded.data).toBe('second');
});

test('pauses grow to a limit, and differ between pages', () => {
  expect([1, 2, 3, 4, 5, 9].map((failures) => pauseMs(failures, () => 0.5))).toEqual([
    1000, 2000, 4000, 8000, 15_000, 15_000,
  ]);
  expect([pauseMs(1, () => 0), pauseMs(1, () => 1)]).toEqual([750, 1250]);
});
