/*
 * Loaded before each test file that starts processes. They end in handlers of `exit`, which Node does not call when a signal ends
 * it, as when a run is broken off; and Vitest has taken process.exit away.
 */

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    process.emit('exit', 1);
    process.kill(process.pid, 'SIGKILL');
  });
}
