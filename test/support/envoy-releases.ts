/** Whether a release has what came into each line (1.38, 1.39) with these; later lines have it from the start. */
export function isAtLeast(version: string, releases: readonly string[]): boolean {
  const [major, minor, patch] = numbers(version);
  const lines = releases.map(numbers);
  const own = lines.find((line) => line[0] === major && line[1] === minor);
  if (own !== undefined) return patch >= own[2];
  return lines.every((line) => line[0] < major || (line[0] === major && line[1] < minor));
}

function numbers(version: string): readonly [number, number, number] {
  const [major = 0, minor = 0, patch = 0] = version
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  return [major, minor, patch];
}
