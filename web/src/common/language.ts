// Makes `navigator.language` a language that `Intl` knows. Under the C locale of POSIX a browser says "en-US@posix", with
// which libraries fail while they are loaded; import this before them.

try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  const { locale } = new Intl.NumberFormat().resolvedOptions();
  Object.defineProperty(navigator, 'language', { value: locale, configurable: true });
}

export {};
