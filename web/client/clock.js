// Time, as something that tests can move by hand.

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
 * What a promise gives, if it does so in time.
 *
 * @template T
 * @param {Clock} clock
 * @param {number} ms
 * @param {T | Promise<T>} promise
 * @param {string} what is waited for, for the error
 * @returns {Promise<T>}
 * @throws {Error} it took too long
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
