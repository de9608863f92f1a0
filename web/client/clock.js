// The clock, which tests replace with a manual one.

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds that never go backwards
 * @property {(callback: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */

/** @type {Clock} */
export const systemClock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

/**
 * Wait for a promise, but not longer than a time limit.
 *
 * @template T
 * @param {Clock} clock
 * @param {number} ms the time limit
 * @param {T | Promise<T>} promise
 * @param {string} what names what is waited for in the error message
 * @returns {Promise<T>}
 * @throws {Error} the promise was not settled in time
 */
export async function within(clock, ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = clock.setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clock.clearTimeout(timer);
  }
}
