// Bundles what Angular's compiler has compiled. Angular's own packages are linked, as the Angular CLI does.

import { createEs2015LinkerPlugin } from '@angular/compiler-cli/linker/babel';
import { transformAsync } from '@babel/core';
import { readFile } from 'node:fs/promises';
import { defineConfig } from 'vite';

const linker = createEs2015LinkerPlugin({
  fileSystem: { resolve: (...paths) => paths.join('/'), exists: () => false, dirname: (path) => path, readFile },
  logger: { level: 1, debug() {}, info() {}, warn: console.warn, error: console.error },
  linkerJitMode: false,
});

const linkAngular = {
  name: 'link-angular',
  async transform(code, id) {
    if (!id.includes('/@angular/') || !code.includes('ɵɵngDeclare')) return null;
    return transformAsync(code, { filename: id, plugins: [linker], configFile: false, babelrc: false, compact: false });
  },
};

export default defineConfig({
  base: './',
  plugins: [linkAngular],
  define: { ngDevMode: 'false', ngJitMode: 'false', ngServerMode: 'false' },
});
