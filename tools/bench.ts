/**
 * `npm run bench`: measures latchkey against the least that grpc-js servers cost, through Envoy, and through misses, revocations
 * and floods, and writes docs/benchmarks.md. `-- --help` names its options.
 */

import { readOptions, USAGE } from '../test/bench/options.ts';
import { runBench } from '../test/bench/run-bench.ts';
import { ROOT } from './run-command.ts';

const read = readOptions(process.argv.slice(2));
if (read.kind === 'run') {
  const { options } = read;
  try {
    await runBench({ options, root: ROOT, say: (line) => console.log(line) });
  } catch (error) {
    console.error(error);
    // Whatever a measurement had started and did not get to stop ends with this process.
    process.exit(1);
  }
} else if (read.kind === 'help') {
  console.log(USAGE);
} else {
  console.error(`${read.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
