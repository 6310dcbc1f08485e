/** What one stream may ask for. */
export interface RequestLimits {
  /** Names one client may subscribe to, over all types. Default 50,000. */
  readonly subscriptions: number;
  /** Characters. Default 1,024. */
  readonly nameLength: number;
  /** Default 32. */
  readonly types: number;
  /** About the size of one response; a single larger resource goes alone, and so does a set that must be sent whole. Default 1 MiB. */
  readonly responseBytes: number;
}

export const defaultRequestLimits: RequestLimits = { subscriptions: 50_000, nameLength: 1024, types: 32, responseBytes: 1024 * 1024 };

/** Why a request is not taken, whatever it asks for. */
export function faultOf(
  typeUrl: string,
  nameLists: readonly (readonly string[])[],
  openTypes: ReadonlySet<string> | ReadonlyMap<string, unknown>,
  limits: RequestLimits,
): string | undefined {
  if (typeUrl === '') return 'a request without a type URL';
  if (typeUrl.length > 256) return 'a type URL that is too long';
  if (!openTypes.has(typeUrl) && openTypes.size >= limits.types) return `more than ${limits.types} resource types`;
  const total = nameLists.reduce((sum, list) => sum + list.length, 0);
  if (total > 3 * limits.subscriptions) return `more than ${limits.subscriptions} names in one request`;
  for (const list of nameLists) {
    if (list.some((name) => name.length > limits.nameLength)) return `a resource name longer than ${limits.nameLength}`;
    if (list.includes('')) return 'an empty resource name';
  }
  return undefined;
}
