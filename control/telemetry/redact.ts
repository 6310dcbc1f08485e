const secretField = /token|secret|password|credential|authorization|proof|private|csr|^key$|cookie/i;
const secretText =
  /isthmus-[a-z0-9-]+\.[A-Za-z0-9_.-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)|\bBearer\s+\S+/g;
/** Names that sound secret and are not. */
const harmless: ReadonlySet<string> = new Set(['tokenId', 'tokenFile', 'keyFile', 'credentialFile', 'secretName']);
const redacted = '[redacted]';

/** A copy for logs: values of fields whose name says secret, and secrets inside other text, are replaced. */
export function redact(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(secretText, redacted);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name,
      secretField.test(name) && !harmless.has(name) && isValue(part) ? redacted : redact(part),
    ]),
  );
}

function isValue(part: unknown): boolean {
  return typeof part === 'string' ? part !== '' : typeof part === 'object' && part !== null;
}
