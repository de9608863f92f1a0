// Builds the pages into dist/: hashed files, each beside its compressed variants, which the server sends as they are.
// All URLs in the output are relative, because only the server knows the path prefix.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

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

export default defineConfig({
  base: './',
  plugins: [compressed()],
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    target: 'es2022',
    // Only what must not be inlined: the content security policy allows data: URLs for images alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ['index.html', 'ops.html'].map((page) => resolve(import.meta.dirname, page)) },
  },
  test: {
    environment: 'happy-dom',
    include: ['tests/**/*.test.{ts,tsx}', 'src/**/*.test.{ts,tsx}'],
  },
});
