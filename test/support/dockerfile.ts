/** One instruction as it is written, with its variables filled in. */
export interface Instruction {
  /** `COPY`. */
  readonly name: string;
  /** `from` → `build` for `--from=build`. */
  readonly flags: ReadonlyMap<string, string>;
  /** What follows the flags, on one line. */
  readonly text: string;
  /** The file's own line, from 1, for messages. */
  readonly line: number;
}

export interface Stage {
  /** Of `AS name`; the number of the stage where it has none. */
  readonly name: string;
  /** The image that it starts from. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** What a container of the last stage starts with. */
export interface ImageConfig {
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly stopSignal: string;
  readonly ports: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
}

/**
 * The stages of a Dockerfile, for the part of the language that ours uses. Whatever else stands there is an error: a test
 * that passes over an instruction would test another image.
 */
export function parseDockerfile(text: string): readonly Stage[] {
  const variables = new Map<string, string>();
  const stages: (Stage & { readonly instructions: Instruction[] })[] = [];
  for (const { text: written, line } of logicalLines(text)) {
    const filled = fillIn(written, variables);
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(filled) ?? [];
    const stage = stages.at(-1);
    if (name === 'ARG' && stage === undefined) {
      const [variable = '', value = ''] = rest.split(/=(.*)/s);
      variables.set(variable, value);
    } else if (name === 'FROM') {
      const [, base = '', as] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? [];
      stages.push({ name: as ?? String(stages.length), base, instructions: [] });
    } else if (stage !== undefined && KNOWN.has(name)) {
      stage.instructions.push({ name, line, ...splitFlags(rest) });
    } else {
      throw new Error(`line ${line}: ${written} is not understood here`);
    }
  }
  return stages;
}

const KNOWN: ReadonlySet<string> = new Set(
  'CMD COPY ENTRYPOINT EXPOSE LABEL RUN STOPSIGNAL USER WORKDIR'.split(' '),
);

/** Without comments, and with continued lines as one. */
function logicalLines(text: string): { readonly text: string; readonly line: number }[] {
  const lines: { text: string; line: number }[] = [];
  let open: { text: string; line: number } | undefined;
  for (const [index, physical] of text.split('\n').entries()) {
    const trimmed = physical.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    open ??= { text: '', line: index + 1 };
    open.text += trimmed.replace(/\\$/, '');
    if (trimmed.endsWith('\\')) continue;
    lines.push(open);
    open = undefined;
  }
  return lines;
}

function fillIn(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = variables.get(name);
    if (value === undefined) throw new Error(`no ARG before the first FROM names ${name}`);
    return value;
  });
}

function splitFlags(rest: string): Pick<Instruction, 'flags' | 'text'> {
  const [, written = '', text = ''] = /^((?:--\w+=\S+\s+)*)(.*)$/.exec(rest) ?? [];
  const flags = [...written.matchAll(/--(\w+)=(\S+)/g)];
  return { flags: new Map(flags.map(([, name = '', value = '']) => [name, value])), text };
}

/** @throws Error for a list in the form of a shell: nothing of ours may need one. */
export function imageConfig(stages: readonly Stage[]): ImageConfig {
  const instructions = stages.at(-1)?.instructions ?? [];
  const last = (name: string): string =>
    instructions.findLast((instruction) => instruction.name === name)?.text ?? '';
  const list = (name: string): string[] => {
    if (!last(name).startsWith('[')) throw new Error(`${name} is not a JSON array`);
    return JSON.parse(last(name));
  };
  const labels = instructions
    .filter(({ name }) => name === 'LABEL')
    .flatMap(({ text }) => [...text.matchAll(/(\S+?)="([^"]*)"/g)]);
  return {
    user: last('USER'),
    entrypoint: list('ENTRYPOINT'),
    command: list('CMD'),
    stopSignal: last('STOPSIGNAL'),
    ports: last('EXPOSE').split(' '),
    labels: new Map(labels.map(([, name = '', value = '']) => [name, value])),
  };
}

/**
 * The names that a `.dockerignore` lets into a build: ours leaves out everything and then names what comes in.
 * @throws Error for any other form.
 */
export function admittedNames(ignoreFile: string): readonly string[] {
  const [first, ...rest] = ignoreFile
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*') throw new Error('.dockerignore does not begin with *');
  return rest.map((line) => {
    const [, name] = /^!([\w.-]+)$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`.dockerignore: ${line} is not understood here`);
    return name;
  });
}
