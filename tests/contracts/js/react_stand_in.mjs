// The parts of React that the event guide's hook needs, for one component: state and refs that survive renderings, and
// effects that run after a rendering, and again after a clean-up when their dependencies change.

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
