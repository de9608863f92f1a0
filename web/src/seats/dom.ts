// Builds elements in a line each.

type Properties<Name extends keyof HTMLElementTagNameMap> = Partial<
  Omit<HTMLElementTagNameMap[Name], 'style' | 'children' | 'attributes'>
> & { attributes?: Record<string, string> };

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties<Name> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  const { attributes = {}, ...others } = properties as { attributes?: Record<string, string> };
  Object.assign(made, others);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** A drawing of lines on a square of 24 units. */
export function icon(path: string): SVGSVGElement {
  const drawing = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  drawing.setAttribute('viewBox', '0 0 24 24');
  drawing.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  line.setAttribute('d', path);
  drawing.append(line);
  return drawing;
}

/** Set a text only if it differs, so that screen readers hear no news where there are none. */
export function write(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
