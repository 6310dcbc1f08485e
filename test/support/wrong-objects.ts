import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseObject } from '../../control/config/parse-object.ts';
import { parseDocuments } from '../../core/yaml/index.ts';
import { repositoryRoot } from './repository-root.ts';

/**
 * Wrong objects, with what is to be said of them where it is to be said: ` #! PATH: MESSAGE` at the end of the line. A
 * document begins with a comment that names its mistake; `[CRD takes it]` there tells that Kubernetes alone would not see it.
 */
export interface WrongObject {
  readonly title: string;
  readonly crdTakesIt: boolean;
  /** Without the marks. */
  readonly text: string;
  /** By line, as they are marked. */
  readonly expected: readonly string[];
}

const mark = ' #! ';

export async function wrongObjects(folder: string): Promise<readonly WrongObject[]> {
  const path = join(repositoryRoot, folder);
  const objects: WrongObject[] = [];
  for (const file of (await readdir(path)).sort()) {
    const text = await readFile(join(path, file), 'utf8');
    const documents = text.split(/^---\n/m).map(readDocument);
    if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(join(path, file), documents.map(markAgain).join('---\n'));
    objects.push(...documents);
  }
  return objects;
}

function readDocument(marked: string): WrongObject {
  const lines = marked.split('\n');
  const text = lines.map((line) => line.split(mark)[0]).join('\n');
  const expected = lines.flatMap((line, i) =>
    line
      .split(mark)
      .slice(1)
      .map((each) => `${i + 1}: ${each}`),
  );
  const title = lines[0]?.replace(/^# (.*?)\.?( \[.*)?$/, '$1') ?? '';
  return { title, crdTakesIt: lines[0]?.includes('[CRD takes it]') ?? false, text, expected };
}

/** What the parser says of it, in the form of `expected`. */
export function saidOf({ text }: WrongObject): readonly string[] {
  const { documents, violations } = parseDocuments('wrong.yaml', text);
  const all = [...violations, ...documents.flatMap((document) => parseObject(document, '/').violations)];
  return all.map(({ line, path, message }) => `${line ?? 0}: ${path === '' ? '' : `${path}: `}${message}`);
}

function markAgain(object: WrongObject): string {
  const said = saidOf(object);
  const marks = (line: number) => said.filter((each) => each.startsWith(`${line}: `)).map((each) => mark + each.slice(`${line}: `.length));
  return object.text
    .split('\n')
    .map((line, i) => [line, ...marks(i + 1)].join(''))
    .join('\n');
}
