/**
 * Loaded before every script of package.json. An old Node would stop with "Unknown file extension .ts", which tells
 * nobody what to do. This file is plain JavaScript, so that such a Node can still read it.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 7)) {
  console.error(
    `latchkey needs Node 24.7 or newer, and this is ${process.version}. \`npm ci\` brings one for every npm script: ` +
      'run it first, without --omit=dev or --omit=optional, or put a newer Node on the PATH.',
  );
  process.exit(1);
}
