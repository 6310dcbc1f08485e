/** A reporter of what failed alone: the last lines of a long run are all that some CI systems show. */
export default async function* failedTests(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:fail' || data.todo !== undefined || data.skip !== undefined) continue;
    const { error } = data.details;
    // A suite fails by its tests, and a file by what is in it.
    if (error?.failureType === 'subtestsFailed') continue;
    const why = String(error?.cause?.message ?? error?.cause ?? error?.message ?? '').split('\n');
    yield `# failed: ${data.name} (${place(data)})\n`;
    for (const line of why.slice(0, 12)) yield `#   ${line.slice(0, 300)}\n`;
  }
}

const place = ({ file, line }) => [file, line].filter((part) => part !== undefined).join(':');
