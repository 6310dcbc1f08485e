import { isDnsLabel } from '../../core/model/index.ts';
import { peering } from '../../core/xds/index.ts';
import { heldName, longestDocument, sharedName } from './shared-objects.ts';

/** An object as its owner shares it; not parsed. */
export interface ReceivedObject {
  readonly source: string;
  readonly key: string;
  readonly namespace: string;
  /** Unix ms. */
  readonly createdAt: number;
  readonly document: Readonly<Record<string, unknown>>;
}

type Report = (path: string, message: string) => void;

const sourceForm = /^[A-Za-z0-9._/-]{1,128}$/;
const groupForm = /^[a-z0-9.-]{1,128}$/;
const kindForm = /^[A-Za-z0-9]{1,64}$/;
const nameForm = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const hashForm = /^[A-Za-z0-9_-]{43}$/;
const mostRefused = 1000;

/** Throws for what is no SharedObject at all. */
export function decodeSharedObject(name: string, bytes: Uint8Array, report: Report): ReceivedObject {
  const m = peering.SharedObject.decode(bytes);
  const key = `${m.group}/${m.kind}/${m.namespace}/${m.name}`;
  if (name !== sharedName(m.source, key)) report('name', `does not match the resource's, ${name}`);
  if (!sourceForm.test(m.source)) report('source', 'must be at most 128 letters, digits and ._/-');
  if (!groupForm.test(m.group)) report('group', 'must be a DNS name');
  if (!kindForm.test(m.kind)) report('kind', 'must be letters and digits');
  if (!isDnsLabel(m.namespace)) report('namespace', 'must be a DNS label');
  if (!nameForm.test(m.name)) report('name', 'must be a DNS name');
  if (m.createdAtMs < 0) report('createdAtMs', 'must not be negative');
  if (m.document.length > longestDocument) report('document', `is larger than ${longestDocument} bytes`);
  const document: unknown = m.document.length > longestDocument ? {} : JSON.parse(Buffer.from(m.document).toString('utf8'));
  if (typeof document !== 'object' || document === null || Array.isArray(document)) report('document', 'must be an object');
  return { source: m.source, key, namespace: m.namespace, createdAt: m.createdAtMs, document: document as ReceivedObject['document'] };
}

/** A change that its owner has not confirmed yet; `object` is the SharedObject's name. */
export interface ReceivedTentative {
  /** Of the unconfirmed SharedObject; empty: the change removes it. */
  readonly version: string;
  /** Unix ms, by the owner's clock. */
  readonly confirmBy: number;
  /** Undefined: it is not there then. */
  readonly fallback: { readonly object: ReceivedObject; readonly bytes: Uint8Array } | undefined;
}

/** Throws for what is no TentativeObject at all. */
export function decodeTentativeObject(name: string, bytes: Uint8Array, report: Report): ReceivedTentative {
  const m = peering.TentativeObject.decode(bytes);
  if (m.object !== name) report('object', `must be the resource's name, ${name}`);
  if (m.version !== '' && !hashForm.test(m.version)) report('version', 'must be a SHA-256 in base64url, or empty');
  if (m.confirmByMs <= 0) report('confirmByMs', 'must be positive');
  if (m.version === '' && m.fallback.length === 0) report('fallback', 'is empty, and so is what it stands for');
  // The response's buffer would stay for as long as the object does.
  const own = Uint8Array.from(m.fallback);
  const fallback =
    own.length === 0
      ? undefined
      : { object: decodeSharedObject(name, own, (path, message) => report(`fallback.${path}`, message)), bytes: own };
  return { version: m.version, confirmBy: m.confirmByMs, fallback };
}

export function decodeObjectsState(name: string, bytes: Uint8Array, report: Report): peering.ObjectsState {
  const m = peering.ObjectsState.decode(bytes);
  if (name !== m.owner || !isDnsLabel(m.owner)) report('owner', `must be a cluster, and the resource's name, ${name}`);
  if (!hashForm.test(m.hash)) report('hash', 'must be a SHA-256 in base64url');
  if (m.refused.length > mostRefused) report('refused', `more than ${mostRefused}`);
  if (m.refused.some((r) => r.object.length > 1024 || r.reason.length > 1024)) report('refused', 'longer than 1024');
  return m;
}

export function decodeHeldObject(name: string, bytes: Uint8Array, report: Report): peering.HeldObject {
  const m = peering.HeldObject.decode(bytes);
  if (name !== heldName(m.owner, m.object) || !isDnsLabel(m.owner))
    report('owner', `must be a cluster, and begin the resource's name, ${name}`);
  if (m.object.length > 1024) report('object', 'longer than 1024');
  if (!hashForm.test(m.version)) report('version', 'must be a SHA-256 in base64url');
  return m;
}
