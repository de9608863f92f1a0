// Prepares the AsyncAPI document for AsyncAPI's React component, which is used without its parser of half a megabyte: this
// resolves references and adds the parser's marks.

type Node = any;

/** The document with references replaced by what they refer to, and the names that the component looks for. */
export function parsed(document: Node): Node {
  const known = new Map<string, Node>();

  function at(reference: string): Node {
    return reference
      .slice(2)
      .split('/')
      .reduce((node, step) => node[step], document);
  }

  function resolved(node: Node): Node {
    if (Array.isArray(node)) return node.map(resolved);
    if (node === null || typeof node !== 'object') return node;
    const reference = node.$ref;
    if (typeof reference !== 'string') {
      return Object.fromEntries(Object.entries(node).map(([name, part]) => [name, resolved(part)]));
    }
    if (!known.has(reference)) {
      const target = {};
      known.set(reference, target);
      Object.assign(target, resolved(at(reference)));
    }
    return known.get(reference);
  }

  for (const kind of ['channels', 'operations'] as const) mark(document[kind], 'x-parser-unique-object-id');
  mark(document.components.messages, 'x-parser-unique-object-id');
  mark(document.components.messages, 'x-parser-message-name');
  mark(document.components.schemas, 'x-parser-schema-id');
  return { ...resolved(document), 'x-parser-spec-parsed': true, 'x-parser-api-version': 3 };
}

/** Writes its name into each of some objects. */
function mark(named: Record<string, Node>, key: string): void {
  for (const [name, node] of Object.entries(named)) if (!node.$ref) node[key] = name;
}
