const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface NextSignal {
  /** Its name. */
  readonly signal: Promise<string>;
  /** Aborted by it. */
  readonly stop: AbortSignal;
  /** From now on a signal ends the process, as ever. */
  ignore(): void;
}

/** The first Ctrl-C, SIGTERM or end of the terminal; until `ignore` it does not end the process. */
export function nextSignal(): NextSignal {
  const controller = new AbortController();
  let resolve: (name: string) => void = () => {};
  const signal = new Promise<string>((settle) => {
    resolve = settle;
  });
  const onSignal = (name: string): void => {
    resolve(name);
    controller.abort();
  };
  for (const name of ENDINGS) process.on(name, onSignal);
  return {
    ...{ signal, stop: controller.signal },
    ignore() {
      for (const name of ENDINGS) process.off(name, onSignal);
    },
  };
}
