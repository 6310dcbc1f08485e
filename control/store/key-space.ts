import type { IKeyValue } from 'etcd3';
import type { StoredEntry } from '../../core/store.ts';
import { afterPrefix } from './check-txn.ts';

/** Store keys under one prefix of etcd's keys, both ways. */
export class KeySpace {
  readonly #prefix: string;
  readonly #bytes: number;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#bytes = Buffer.byteLength(prefix);
  }

  key(name: string): Buffer {
    return Buffer.from(this.#prefix + name);
  }

  name(key: Buffer): string {
    return key.toString('utf8', this.#bytes);
  }

  /** Every key that begins so; a zero byte means from the first, or to the last. */
  range(prefix: string): { key: Buffer; range_end: Buffer } {
    const key = this.key(prefix);
    return { key: key.length === 0 ? Buffer.of(0) : key, range_end: afterPrefix(key) ?? Buffer.of(0) };
  }

  entry(kv: IKeyValue): StoredEntry {
    return {
      key: this.name(kv.key),
      value: new Uint8Array(kv.value),
      createRevision: Number(kv.create_revision),
      modRevision: Number(kv.mod_revision),
      version: Number(kv.version),
      ...(kv.lease === '0' ? {} : { lease: kv.lease }),
    };
  }
}
