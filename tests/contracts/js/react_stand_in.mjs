// What the event guide's hook needs of React, for one component: state and references that last from one
// rendering to the next, effects that run after it, and again, cleaned up first, when what they depend on changes.

let component;
let onRendered;
let slots = [];
let next = 0;
let effects = [];
let scheduled = false;

function slot(create) {
  const index = next++;
  return (slots[index] ??= create());
}

function rerenderSoon() {
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    render();
  });
}

function render() {
  if (!component) return;
  next = 0;
  effects = [];
  const result = component();
  for (const run of effects) run();
  onRendered(result);
}

export function useState(initial) {
  const state = slot(() => ({ value: initial }));
  const set = (value) => {
    if (Object.is(value, state.value)) return;
    state.value = value;
    rerenderSoon();
  };
  return [state.value, set];
}

export function useRef(initial) {
  return slot(() => ({ current: initial }));
}

export function useEffect(effect, dependencies) {
  const kept = slot(() => ({ dependencies: null, cleanUp: undefined }));
  if (kept.dependencies?.every((value, index) => Object.is(value, dependencies[index]))) return;
  effects.push(() => {
    kept.cleanUp?.();
    kept.dependencies = dependencies;
    kept.cleanUp = effect();
  });
}

export function mount(rendered, callback) {
  component = rendered;
  onRendered = callback;
  render();
}

export function unmount() {
  component = undefined;
  for (const { cleanUp } of slots) cleanUp?.();
  slots = [];
}
