/** Fields that a message may leave out are there or not, never undefined. */
export type Said<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

export function said<T extends object>(message: T): Said<T> {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined)) as Said<T>;
}

/** Of a field that core/xds refuses a message without. */
export function checked<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('a message that was not checked');
  return value;
}
