/** Longest text that is looked through, and longest reason that is kept. */
const longestText = 64 * 1024;
const longestReason = 512;

export interface NackText {
  /** Name → the client's words on it. Empty: the text says nothing usable. */
  readonly named: ReadonlyMap<string, string>;
  /** The form is that of a client which takes the other resources of the response. */
  readonly tookRest: boolean;
}

/**
 * Which of the resources sent, in the response's order, a foreign client's NACK speaks of. grpc clients count ("resource index
 * 3: …"); Envoy names clusters and listeners ("Error adding/updating cluster(s) a: …, b: …"); both take the others. What Envoy
 * cannot even read it shows (`name: "a"`), and takes nothing.
 */
export function namedInNack(message: string, sent: readonly string[]): NackText {
  const text = message.slice(0, longestText);
  const counted = countedIn(text, sent);
  if (counted.size > 0) return { named: counted, tookRest: true };
  const list = /^Error adding\/updating [a-z]+\(s\) /.exec(text)?.[0].length;
  const places = sent
    .map((name) => ({ name, at: list === undefined ? placeOf(text, name) : placeOfEntry(text, name, list) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at);
  const named = new Map(places.map(({ name, at }, i) => [name, reasonOf(text.slice(at, places[i + 1]?.at), name)]));
  return { named, tookRest: list !== undefined && named.size > 0 };
}

function countedIn(text: string, sent: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const match of text.matchAll(/resource index (\d+): ?(.*?)(?=; resource index \d+:|\]?$)/gs)) {
    const name = sent[Number(match[1])];
    if (name !== undefined) found.set(name, (match[2] ?? '').trim().slice(0, longestReason));
  }
  return found;
}

/** Where `NAME: ` begins an entry of Envoy's list. */
function placeOfEntry(text: string, name: string, from: number): number {
  for (let at = text.indexOf(`${name}: `, from); at >= 0; at = text.indexOf(`${name}: `, at + 1)) {
    if (at === from || /[\n,] ?$/.test(text.slice(at - 2, at))) return at;
  }
  return -1;
}

/** Where a name is shown, or stands for itself; the latter only if it is no word of the language, lest an innocent be taken for the bad one. */
function placeOf(text: string, name: string): number {
  for (const shown of [`name: "${name}"`, `"name":"${name}"`]) {
    const at = text.indexOf(shown);
    if (at >= 0 && !/\w/.test(text[at - 1] ?? ' ')) return at;
  }
  if (name.length < 6 || !/[-_.|:/\d]/.test(name)) return -1;
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const [before, after] = [text[at - 1] ?? ' ', text.slice(at + name.length, at + name.length + 2)];
    if (!/[\w.|/-]/.test(before) && !/^([\w|/-]|[.:]\w)/.test(after)) return at;
  }
  return -1;
}

function reasonOf(entry: string, name: string): string {
  const words = entry.startsWith(`${name}: `) ? entry.slice(name.length + 2) : entry;
  return words.replace(/[\s,]+$/, '').slice(0, longestReason);
}
