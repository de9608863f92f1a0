// Builds the pages into dist/: hashed files, each beside its compressed variants, which the server sends as they are.
// All URLs in the output are relative, because only the server knows the path prefix.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';
import { defineConfig, type ViteUserConfig as UserConfig } from 'vitest/config';

const OUTPUT = resolve(import.meta.dirname, 'dist');
const COMPRESSED = /\.(js|css|svg)$/;

/** Writes a .br and a .gz file beside every text file of the output. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    closeBundle() {
      const assets = join(OUTPUT, 'assets');
      for (const name of readdirSync(assets).filter((file) => COMPRESSED.test(file))) {
        const content = readFileSync(join(assets, name));
        const options = { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } };
        writeFileSync(join(assets, `${name}.br`), brotliCompressSync(content, options));
        writeFileSync(join(assets, `${name}.gz`), gzipSync(content, { level: 9 }));
      }
    },
  };
}

const DOCUMENTS = resolve(import.meta.dirname, 'documents', 'node_modules');
const VIEWERS = {
  'asyncapi.css': '@asyncapi/react-component/styles/default.min.css',
  'asyncapi.js': '@asyncapi/react-component/browser/standalone/without-parser.js',
  'redoc.standalone.js': 'redoc/bundles/redoc.standalone.js',
};

/** Redoc would load its maker's logo from its maker's server. */
const LOGO = /https:\/\/cdn\.redoc\.ly\/redoc\/logo-mini(-full)?\.svg/g;
const NO_PICTURE = 'data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=';

/** Copies the viewers of the API's documents, which are bundles already. A lower quality saves ten seconds. */
function viewers(): Plugin {
  return {
    name: 'viewers',
    apply: 'build',
    closeBundle() {
      const folder = join(OUTPUT, 'documents');
      mkdirSync(folder);
      for (const [name, source] of Object.entries(VIEWERS)) {
        const content = readFileSync(join(DOCUMENTS, source), 'utf8').replaceAll(LOGO, NO_PICTURE);
        writeFileSync(join(folder, name), content);
        const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 7 } };
        writeFileSync(join(folder, `${name}.br`), brotliCompressSync(content, quality));
        writeFileSync(join(folder, `${name}.gz`), gzipSync(content));
      }
    },
  };
}

const PAGES = ['index.html', 'ops.html', 'redoc.html', 'asyncapi.html'];

const pages: UserConfig = {
  base: './',
  plugins: [compressed(), viewers()],
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    target: 'es2022',
    // Only what must not be inlined: the content security policy allows data: URLs for images alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: PAGES.map((page) => resolve(import.meta.dirname, page)) },
  },
  test: {
    environment: 'happy-dom',
    include: ['tests/**/*.test.{ts,tsx}', 'src/**/*.test.{ts,tsx}'],
  },
};

/** The types of the component beside its script. */
function typed(): Plugin {
  return {
    name: 'typed',
    apply: 'build',
    closeBundle() {
      const types = resolve(import.meta.dirname, 'src', 'seats', 'public.ts');
      copyFileSync(types, join(OUTPUT, 'frontrow-seats.d.ts'));
    },
  };
}

/** `<frontrow-seats>` as one file with a stable name, for pages of other sites: `vite build --mode component`. */
const component: UserConfig = {
  plugins: [typed()],
  build: {
    outDir: OUTPUT,
    emptyOutDir: false,
    copyPublicDir: false,
    target: 'es2022',
    lib: { entry: 'src/seats/index.ts', formats: ['es'], fileName: () => 'frontrow-seats.js' },
  },
};

export default defineConfig(({ mode }) => (mode === 'component' ? component : pages));
