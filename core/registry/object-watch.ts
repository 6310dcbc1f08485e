import type { MeshError } from '../errors.ts';

/** A kind of object, as the system that holds it names it. */
export interface WatchedKind {
  /** API group, without the version. */
  readonly group: string;
  readonly kind: string;
  /** The first that the system serves is read. */
  readonly versions: readonly string[];
}

/** One object as its author wrote it: without status, and without what the system keeps in metadata for itself. */
export interface NativeObject {
  readonly namespace: string;
  readonly name: string;
  /** Unix ms, stamped by the system. */
  readonly createdAt: number;
  readonly document: Readonly<Record<string, unknown>>;
}

/** Where an ObjectWatch's findings go, in order. Calls return at once. */
export interface ObjectSink {
  /** Everything there is of a kind in one namespace (undefined: in all); what is not named is gone. */
  replace(kind: WatchedKind, namespace: string | undefined, objects: readonly NativeObject[]): void;
  put(kind: WatchedKind, object: NativeObject): void;
  remove(kind: WatchedKind, namespace: string, name: string): void;
  /** The system does not know the kind (any more), and so holds none of it. */
  absent(kind: WatchedKind): void;
  /** The kind cannot be read now, and what was said before stands; undefined: it can again. */
  unread(kind: WatchedKind, error: MeshError | undefined): void;
}

/** Follows the objects of some kinds in one system. Unlike services they are handed on as they are: what they mean is not decided here. */
export interface ObjectWatch {
  /** Retries inside, with jitter; resolves when `signal` aborts, after everything it started has ended. Once. */
  run(sink: ObjectSink, signal: AbortSignal): Promise<void>;
}
