// Loads the viewers of documents, which are bundles of other packages, and the documents. These pages have no <base>:
// the viewers' links are fragments, so all URLs are relative to the page itself.

/** The address that samples have in the documents; pages show their own in its place. */
const SAMPLE_SERVER = 'http://127.0.0.1:8000';

/** Runs the script of a viewer, which defines a global. */
export function loadScript(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement('script'), { src: `viewers/${name}` });
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(`${name} could not be loaded`));
    document.head.append(script);
  });
}

/** Applies the styles of a viewer. */
export function loadStyles(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: `viewers/${name}` });
    link.onload = () => resolve();
    link.onerror = () => reject(new Error(`${name} could not be loaded`));
    document.head.append(link);
  });
}

/** Text of a sample, with the address of this server. */
export function here(sample: string): string {
  return sample.replaceAll(SAMPLE_SERVER, location.origin);
}

/** A document of this server, such as "openapi.json". */
export async function loadDocument(name: string): Promise<any> {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name} could not be loaded: ${answer.status}`);
  return JSON.parse(here(await answer.text()));
}

/** Where a page shows what it has. */
export function page(): HTMLElement {
  return document.getElementById('page') as HTMLElement;
}
