/** The first SIGINT or SIGTERM, as a promise; until `ignore` it does not end the process. */
export function nextSignal(): { readonly signal: Promise<string>; ignore(): void } {
  let resolve: (name: string) => void = () => {};
  const signal = new Promise<string>((settle) => {
    resolve = settle;
  });
  const onInt = (): void => resolve('SIGINT');
  const onTerm = (): void => resolve('SIGTERM');
  process.on('SIGINT', onInt);
  process.on('SIGTERM', onTerm);
  return {
    signal,
    ignore() {
      process.off('SIGINT', onInt);
      process.off('SIGTERM', onTerm);
    },
  };
}
