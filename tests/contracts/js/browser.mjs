// Stands in for the browser in the guides' clients: URLs relative to the server, and elements by id.

export const parameters = JSON.parse(process.argv[2]);

const fetchAnything = globalThis.fetch;
globalThis.fetch = (address, options) => fetchAnything(new URL(address, parameters.baseUrl), options);

const elements = {};
globalThis.document = {
  getElementById: (id) => (elements[id] ??= {}),
};

export const report = (findings) => console.log(JSON.stringify({ map: elements, ...findings }));
