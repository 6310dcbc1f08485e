/** Reading JSON that another program wrote: what is absent or of the wrong type reads as empty. */

export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function fieldsIn(from: Fields, name: string): Fields {
  return fieldsOf(from[name]);
}

export function listIn(from: Fields, name: string): readonly unknown[] {
  const value = from[name];
  return Array.isArray(value) ? value : [];
}

export function textIn(from: Fields, name: string): string {
  const value = from[name];
  return typeof value === 'string' ? value : '';
}

export function numberIn(from: Fields, name: string): number | undefined {
  const value = from[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

export function flagIn(from: Fields, name: string): boolean | undefined {
  const value = from[name];
  return typeof value === 'boolean' ? value : undefined;
}

/** The string entries of a map such as labels. */
export function textsIn(from: Fields, name: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fieldsIn(from, name)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** A port number, or undefined. */
export function portIn(from: Fields, name: string): number | undefined {
  const value = numberIn(from, name);
  return value !== undefined && Number.isInteger(value) && value >= 1 && value <= 65_535 ? value : undefined;
}

/** An RFC 3339 time as Unix ms; 0 when it is none. */
export function timeIn(from: Fields, name: string): number {
  const at = Date.parse(textIn(from, name));
  return Number.isNaN(at) ? 0 : at;
}
