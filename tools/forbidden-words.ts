import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What must not stand in the repository, because it is true of one machine only. */
const FORBIDDEN: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  {
    what: 'an absolute path of one machine',
    pattern:
      /(?<![\w.~:}/-])\/(?:work|root|home\/\w[\w.-]*|Users\/\w[\w.-]*)(?![\w.-])|[A-Z]:\\Users\\/,
  },
  {
    what: 'the host of a package registry',
    pattern:
      /\b(?:registry\.(?:npmjs|yarnpkg|npmmirror)|(?:npm|maven)\.pkg\.github|pypi|files\.pythonhosted|proxy\.golang)\.(?:org|com)\b/,
  },
  {
    what: 'the host of a package registry',
    pattern: /\b[\w-]*(?:artifactory|jfrog)[\w-]*(?:\.[\w-]+)+/,
  },
  { what: 'a download address in a lock file', pattern: /"resolved": "https?:/ },
];

/** Folders that tools fill and git ignores. */
const NOT_OURS = new Set(['.git', '.cache', 'coverage', 'dist', 'node_modules']);

/** Beyond this size a file is data; nobody writes such a text by hand. */
const FILE_BYTES_MAX = 2_000_000;

/** Every finding in the files under `root` as `path:line: …`. */
export async function findForbiddenWords(root: string): Promise<readonly string[]> {
  const findings: string[] = [];
  for await (const path of filesUnder(root)) {
    const text = await readText(join(root, path));
    for (const finding of findInText(text)) findings.push(`${path}:${finding}`);
  }
  return findings;
}

/** Every finding in one text as `line: …`. */
export function findInText(text: string): readonly string[] {
  return text.split('\n').flatMap((line, index) =>
    FORBIDDEN.flatMap(({ what, pattern }) => {
      const match = pattern.exec(line);
      return match === null ? [] : [`${index + 1}: ${match[0]} is ${what}`];
    }),
  );
}

async function* filesUnder(root: string, folder = ''): AsyncGenerator<string> {
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile()) yield path;
    if (entry.isDirectory() && !NOT_OURS.has(entry.name)) yield* filesUnder(root, path);
  }
}

/** The text of a file; nothing of a binary one or of data. */
async function readText(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > FILE_BYTES_MAX) return '';
  const bytes = await readFile(path);
  return bytes.includes(0) ? '' : bytes.toString('utf8');
}
